"""Feature records: the score, modality and name of each feature, on pairs that no earlier step has seen."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mmsteer.bank import Feature, Modality, NamedBy
from mmsteer.bank.mds import Score, absolute_rule, paper_rule
from mmsteer.data.annotations import AnnotationScheme
from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.codes import Codes, FeatureLatents, encode_pairs
from mmsteer.labelling.naming.automatic_names import AutomaticName, NamingEvidence, automatic_names, distinct
from mmsteer.labelling.naming.known_names import LEAST_CONFIDENCE, Name, name_by_truth
from mmsteer.labelling.naming.vocabulary import top_words
from mmsteer.training.dictionaries import Dictionaries

TOP_PAIRS, TOP_CAPTIONS = 9, 5  # on which a feature fires most: pictures on its example sheet, captions in its record
_ORDER: dict[NamedBy | None, int] = {"truth": 0, "words": 1, "property": 1, None: 2}


class _ChosenName(NamedTuple):
    """A feature's name and where it comes from; all None for a feature that has only its number."""

    text: str | None = None
    confidence: float | None = None
    named_by: NamedBy | None = None
    share: float | None = None


def feature_records(
    dictionaries: Dictionaries,
    latents: Sequence[FeatureLatents],
    scoring: Embedded,
    evidence: NamingEvidence,
    steering_text: np.ndarray,
    scheme: AnnotationScheme | None,
) -> tuple[list[Feature], dict[int, list[int]]]:
    """Score and name features.

    A feature is named after the factor value that it detects, where factors are known and it detects one; else after words
    or properties; else it has its number. Features that never fire on the side they act on are left out.

    Args:
        dictionaries: one for each side.
        latents: those of each feature.
        scoring: pairs that no earlier step has seen.
        evidence: their captions and pictures, for automatic names.
        steering_text: `[n_text, d_joint]`, steering vectors of the text dictionary's latents.
        scheme: what the annotations of the pairs mean, where they have any.

    Returns:
        The records, those with known names first; and for each feature the rows of the pairs on which it fires most.
    """
    codes = encode_pairs(dictionaries, scoring).of(latents)
    scores = codes.scores()
    modalities = [absolute_rule(s) for s in scores]
    paper = paper_rule(np.array([s.mds for s in scores]))
    nowhere = np.zeros_like(steering_text[0])
    directions = np.stack([nowhere if text is None else steering_text[text] for _, text in latents])
    automatic = automatic_names(codes.image, codes.text, modalities, directions, evidence)
    names = _choose_names(codes, scoring, scheme, automatic)
    scales = _activation_scales(codes, latents, modalities)
    firing = (codes.text > 0) | ((codes.image > 0) & (codes.text.sum(0) == 0))
    words = top_words(firing, scoring.captions, evidence.candidates)

    order = sorted(
        (k for k in range(len(latents)) if scales[k] > 0),
        key=lambda k: (_ORDER[names[k].named_by], modalities[k], -(names[k].confidence or 0)),
    )
    titles = distinct([names[k].text or f"feature {number}" for number, k in enumerate(order)])
    features, top_pairs = [], {}
    for number, k in enumerate(order):
        image_latent, text_latent = latents[k]
        top_pairs[number] = top_pairs_of(codes, k)
        features.append(
            Feature(
                id=number, name=titles[number], modality=modalities[k], modality_paper=paper[k],
                image_latent=image_latent, text_latent=text_latent, activation_scale=round(scales[k], 6), words=words[k],
                top_captions=tuple(scoring.captions[row] for row in top_pairs[number][:TOP_CAPTIONS]),
                **activations(codes, k, top_pairs[number]), **_score_fields(scores[k]), **_name_fields(names[k], automatic[k]),
            )
        )  # fmt: skip
    return features, top_pairs


def true_names(codes: Codes, drawn: Embedded, captioned: Embedded, scheme: AnnotationScheme) -> list[Name]:
    """The factor value that each feature detects best on its stronger side, however well.

    Args:
        codes: one column for each feature (`Codes.of`).
        drawn: pairs whose pictures were encoded, with their factors.
        captioned: pairs whose captions were encoded: the same pairs, unless captions were shuffled.
        scheme: what their annotations mean.
    """
    by_image = name_by_truth(codes.image > 0, scheme, drawn.factors, drawn.mentioned, "image")
    by_text = name_by_truth(codes.text > 0, scheme, captioned.factors, captioned.mentioned, "text")
    return [max(pair, key=lambda name: name.name_confidence) for pair in zip(by_image, by_text, strict=True)]


def _choose_names(
    codes: Codes, scoring: Embedded, scheme: AnnotationScheme | None, automatic: Sequence[AutomaticName]
) -> list[_ChosenName]:
    true: list[Name | None] = [None] * len(automatic)
    if scheme is not None:
        best = true_names(codes, scoring, scoring, scheme)
        true = [name if name.name_confidence >= LEAST_CONFIDENCE else None for name in best]
    return [_choose_name(t, a) for t, a in zip(true, automatic, strict=True)]


def _choose_name(true: Name | None, automatic: AutomaticName) -> _ChosenName:
    if true:
        return _ChosenName(true.text, true.name_confidence, "truth")
    if automatic.text:
        return _ChosenName(automatic.text, automatic.score, automatic.kind, automatic.share)
    return _ChosenName()


def _activation_scales(codes: Codes, latents: Sequence[FeatureLatents], modalities: Sequence[Modality]) -> list[float]:
    """The activation scale of each feature on the side it acts on; 0 if it never fires on that side."""
    return [
        float(codes.scale_image[k] if modalities[k] == "vision" or text is None else codes.scale_text[k])
        for k, (_, text) in enumerate(latents)
    ]


def activations(codes: Codes, k: int, rows: Sequence[int]) -> dict[str, Any]:
    """The fields of `Feature` that say how strongly feature k fires on its examples: pairs, those on which it fires most first."""
    sides = {"picture_activations": codes.image[rows, k], "caption_activations": codes.text[rows[:TOP_CAPTIONS], k]}
    return {name: tuple(round(float(value), 2) for value in values) for name, values in sides.items()}


def top_pairs_of(codes: Codes, k: int) -> list[int]:
    """The pairs on which feature k fires most, in both sides together, strongest first."""
    strength = codes.image[:, k] + codes.text[:, k]
    return [int(row) for row in np.argsort(-strength)[:TOP_PAIRS]]


def _score_fields(score: Score) -> dict[str, Any]:
    """Fields of `Feature` that come from its score."""
    return {
        "mds": round(score.mds, 4),
        "mds_low": round(score.low, 4),
        "mds_high": round(score.high, 4),
        "mds_both": None if np.isnan(score.both) else round(score.both, 4),
        "n_pairs": score.n_pairs,
        "energy_ratio": round(score.energy_ratio, 4),
        "cofiring": round(score.cofiring, 3),
        "p_both": round(score.p_both, 4),
        "rate_image": round(score.rate_image, 5),
        "rate_text": round(score.rate_text, 5),
    }


def _name_fields(name: _ChosenName, automatic: AutomaticName) -> dict[str, Any]:
    """Fields of `Feature` that say how reliable its name is, and what it would be called automatically."""
    return {
        "name_confidence": None if name.confidence is None else round(name.confidence, 4),
        "named_by": name.named_by,
        "share": None if name.share is None else round(name.share, 4),
        "automatic": automatic.text,
        "automatic_score": round(automatic.score, 4),
    }
