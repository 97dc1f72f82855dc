"""Dictionaries and held-out pairs into feature records: match, score, name."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from mmsteer.bank import Feature, NamedBy
from mmsteer.bank.mds import Score, absolute_rule, paper_rule, score
from mmsteer.data.annotations import AnnotationScheme
from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.cross_modal_probe import append, read_across
from mmsteer.labelling.known_names import LEAST_CONFIDENCE, Name, distinct, name_by_truth, top_words
from mmsteer.labelling.match import LEAST, correlation, match
from mmsteer.labelling.naming import automatic_names
from mmsteer.models.sae import SparseAutoencoder
from mmsteer.training.objectives import Dictionaries
from mmsteer.training.trainer import fvu

Latents = tuple[int | None, int | None]
"""The latent of the picture dictionary and of the caption dictionary that a feature has, if any."""
_READ = 30_000  # pairs to read on are enough
LEAST_RATE = 0.002  # of pairs on which a latent must fire to be a feature


class Codes(NamedTuple):
    """Codes of both sides of some pairs, in units of each latent's typical activation: neither side wins by scale."""

    image: np.ndarray
    """[N, n_image]"""
    text: np.ndarray
    """[N, n_text]"""
    unit_image: np.ndarray
    """[n_image]: mean activation where it fires"""
    unit_text: np.ndarray

    def of(self, latents: Sequence[Latents]) -> "Codes":
        """Latents side by side as features have them, `[N, n_features]`; zeros where a feature has none."""
        sides = []
        for k, (z, unit) in enumerate(((self.image, self.unit_image), (self.text, self.unit_text))):
            padded = np.concatenate([z, np.zeros((len(z), 1), z.dtype)], 1)
            columns = [-1 if (own := pair[k]) is None else own for pair in latents]
            sides.append((padded[:, columns], np.append(unit, 0)[columns]))
        return Codes(sides[0][0], sides[1][0], sides[0][1], sides[1][1])

    def scores(self, resamples: int = 200) -> list[Score]:
        """The score of each feature, both sides of which stand in one column."""
        return [score(i, t, resamples=resamples) for i, t in zip(self.image.T, self.text.T, strict=True)]


def codes(found: Dictionaries, pairs: Embedded) -> Codes:
    """Encode both sides."""
    sides = []
    for dictionary, x in ((found.image, pairs.image), (found.text, pairs.text)):
        code = dictionary.encode(x).numpy()
        unit = code.sum(0) / np.maximum((code > 0).sum(0), 1).astype(np.float32)
        sides.append((code / np.where(unit > 0, unit, 1), unit))
    return Codes(sides[0][0], sides[1][0], sides[0][1], sides[1][1])


def pair_up(
    found: Dictionaries, matching: Embedded, reading: Embedded | None = None
) -> tuple[Dictionaries, list[Latents]]:
    """Which latents make a feature, by how they fire on `matching`, which no dictionary has seen.

    Where latent k of one side is latent k of the other by training, that is all. Else latents are matched one to one, and
    those left over stay single, unless there are pairs to read them across on (`mmsteer.labelling.cross_modal_probe`): then features that
    this makes twice are there once. Latents that fire on hardly any pair make no feature.

    Rare latents need many pairs to be read, so the training pairs may serve as `reading`: readers are checked on the half
    that they were not fitted to. The dictionaries are given back as they are, or grown by what was read.
    """
    latents = _matched(found, matching)
    if reading is None:
        return found, latents
    found, latents = read_singles(found, latents, reading.sample(_READ))
    return found, without_doubles(found, latents, matching)


def _matched(found: Dictionaries, matching: Embedded) -> list[Latents]:
    seen = codes(found, matching)
    living_image, living_text = ((z > 0).mean(0) >= LEAST_RATE for z in (seen.image, seen.text))
    if found.paired:
        return [(k, k) for k in np.flatnonzero(living_image | living_text).tolist()]
    matched = match(torch.from_numpy(seen.image), torch.from_numpy(seen.text))
    latents: list[Latents] = list(zip(matched.image, matched.text, strict=True))
    latents += [(i, None) for i in np.flatnonzero(living_image).tolist() if i not in matched.image]
    return latents + [(None, t) for t in np.flatnonzero(living_text).tolist() if t not in matched.text]


def read_singles(
    found: Dictionaries, latents: Sequence[Latents], reading: Embedded
) -> tuple[Dictionaries, list[Latents]]:
    """Give single latents a partner where the other side can be read for it, appended to that side's dictionary."""
    seen = codes(found, reading)
    partner: dict[Latents, Latents] = {}
    grown = {}
    for side, z, x, dictionary in (
        (0, seen.image, reading.text, found.text), (1, seen.text, reading.image, found.image)
    ):  # fmt: skip
        single = [pair for pair in latents if pair[1 - side] is None]
        own = [k for pair in single if (k := pair[side]) is not None]
        readable, directions, thresholds = read_across(torch.from_numpy(z[:, own]), x)
        grown[side] = append(dictionary, directions[readable], thresholds[readable])
        for new, j in enumerate(readable.nonzero()[:, 0].tolist(), start=dictionary.config.n_latents):
            partner[single[j]] = (own[j], new) if side == 0 else (new, own[j])
    return Dictionaries(grown[1], grown[0], False), [partner.get(pair, pair) for pair in latents]


def quality(dictionary: SparseAutoencoder, x: torch.Tensor) -> dict[str, float]:
    """Of held-out rows: fraction of variance unexplained, latents that fire a row (L0), share of latents that never do."""
    fires = dictionary.encode(x) > 0
    return {
        "fvu": round(fvu(dictionary, x), 4),
        "l0": round(float(fires.sum(1).float().mean()), 2),
        "dead": round(float(1 - fires.any(0).float().mean()), 4),
    }


def without_doubles(found: Dictionaries, latents: Sequence[Latents], matching: Embedded) -> list[Latents]:
    """Leave out features that fire like an earlier one on both sides: a concept read across from either side is there twice."""
    active = codes(found, matching).of(latents)
    both = torch.from_numpy(np.concatenate([active.image, active.text]))
    alike = correlation(both, both) >= LEAST
    kept: list[int] = []
    for k in range(len(latents)):
        if not alike[k, kept].any():
            kept.append(k)
    return [latents[k] for k in kept]


def true_names(active: Codes, drawn: Embedded, told: Embedded, scheme: AnnotationScheme) -> list[Name]:
    """The factor value each feature detects best on its stronger side, sure or not; pictures are told by `told`."""
    by_image = name_by_truth(active.image > 0, scheme, drawn.factors, drawn.mentioned, "image")
    by_text = name_by_truth(active.text > 0, scheme, told.factors, told.mentioned, "text")
    return [max(pair, key=lambda name: name.name_confidence) for pair in zip(by_image, by_text, strict=True)]


class Clues(NamedTuple):
    """What automatic names are made of, for the scoring pairs."""

    properties: np.ndarray
    """[N, n_properties] of their pictures (`mmsteer.labelling.picture_properties`)"""
    candidates: list[str]
    """Words and phrases of their captions that can be names."""
    embeddings: np.ndarray
    """[n_candidates, d_joint], as prompts"""
    effects: np.ndarray
    """[n_text, d_joint]: what goes with each latent of the caption dictionary"""


def make_features(
    found: Dictionaries, latents: Sequence[Latents], scoring: Embedded, clues: Clues, scheme: AnnotationScheme | None
) -> tuple[list[Feature], dict[int, list[int]]]:
    """Score and name features on pairs no step before has seen; also, per feature, the pairs on which it fires most.

    A name is the factor value that the feature detects, where factors are known and it does; else what words or properties
    give it; else its number.
    """
    active = codes(found, scoring).of(latents)
    z_image, z_text, unit_image, unit_text = active
    scores = active.scores()
    modality = [absolute_rule(s) for s in scores]
    paper = paper_rule(np.array([s.mds for s in scores]))

    true: list[Name | None] = [None] * len(latents)
    if scheme is not None:
        names = true_names(active, scoring, scoring, scheme)
        true = [name if name.name_confidence >= LEAST_CONFIDENCE else None for name in names]
    nowhere = np.zeros_like(clues.effects[0])
    automatic = automatic_names(
        z_image, z_text, modality, scoring.captions, clues.properties,
        np.stack([nowhere if t is None else clues.effects[t] for _, t in latents]), clues.candidates, clues.embeddings,
        scoring.picture % 2 == 0,  # no picture both chooses names and scores them
    )  # fmt: skip
    words = top_words((z_text > 0) | ((z_image > 0) & (z_text.sum(0) == 0)), scoring.captions, clues.candidates)

    named: list[tuple[str | None, float | None, NamedBy | None, float | None]] = [
        (t.text, t.name_confidence, "truth", None)
        if t
        else (a.text, a.score, a.kind, a.share)
        if a.text
        else (None,) * 4
        for t, a in zip(true, automatic, strict=True)
    ]
    rank = {"truth": 0, "words": 1, "property": 1, None: 2}
    # strength is told in units of the side a feature acts on: what never fires there, here, has none and is left out
    units = [
        float(unit_image[k] if modality[k] == "vision" or latents[k][1] is None else unit_text[k])
        for k in range(len(latents))
    ]
    order = sorted(
        (k for k in range(len(latents)) if units[k] > 0),
        key=lambda k: (rank[named[k][2]], modality[k], -(named[k][1] or 0)),
    )
    titles = distinct([named[k][0] or f"feature {number}" for number, k in enumerate(order)])
    features, top = [], {}
    for number, k in enumerate(order):
        image_latent, text_latent = latents[k]
        strength = z_image[:, k] + z_text[:, k]
        best = [int(i) for i in np.argsort(-strength)[:9]]
        top[number] = best
        s, (_, confidence, named_by, share) = scores[k], named[k]
        features.append(
            Feature(
                id=number, name=titles[number], name_confidence=None if confidence is None else round(confidence, 4), modality=modality[k],
                modality_paper=paper[k], mds=round(s.mds, 4), mds_low=round(s.low, 4), mds_high=round(s.high, 4),
                n_pairs=s.n_pairs, energy_ratio=round(s.energy_ratio, 4), cofiring=round(s.cofiring, 3),
                p_both=round(s.p_both, 4), rate_image=round(s.rate_image, 5), rate_text=round(s.rate_text, 5),
                image_latent=image_latent, text_latent=text_latent, activation_scale=round(units[k], 6), named_by=named_by,
                share=None if share is None else round(share, 4),
                automatic=automatic[k].text, automatic_score=round(automatic[k].score, 4),
                mds_both=None if np.isnan(s.both) else round(s.both, 4), words=words[k],
                top_captions=tuple(scoring.captions[i] for i in best[:5]),
            )
        )  # fmt: skip
    return features, top
