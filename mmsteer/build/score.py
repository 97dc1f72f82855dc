"""Dictionaries and held-out pairs into feature records: match, score, name."""

from typing import NamedTuple

import numpy as np
import torch

from mmsteer.bank import Feature
from mmsteer.build.embed import Embedded
from mmsteer.build.label import SURE, Name, distinct, name_by_truth, top_words
from mmsteer.build.match import match
from mmsteer.mds import absolute_rule, paper_rule, score
from mmsteer.sae import SparseAutoencoder

_LEAST_RATE = 0.002  # of pairs on which a latent must fire to be a feature


class Codes(NamedTuple):
    """Codes of both sides of some pairs, in units of each latent's typical activation."""

    image: np.ndarray
    """[N, n_image]"""
    text: np.ndarray
    """[N, n_text]"""
    unit_image: np.ndarray
    """[n_image]: mean activation where it fires"""
    unit_text: np.ndarray


def codes(dictionaries: dict[str, SparseAutoencoder], pairs: Embedded) -> Codes:
    """Encode both sides. Units make the sides comparable: neither modality wins by scale."""
    found, units = [], []
    for side, x in (("image", pairs.image), ("text", pairs.text)):
        dictionary = dictionaries.get(side) or dictionaries["shared"]
        code = dictionary.encode(x).numpy()
        fires = (code > 0).sum(0)
        unit = code.sum(0) / np.maximum(fires, 1)
        found.append(code / np.where(unit > 0, unit, 1))
        units.append(unit)
    return Codes(found[0], found[1], units[0], units[1])


def make_features(
    dictionaries: dict[str, SparseAutoencoder], matching: Embedded, scoring: Embedded
) -> tuple[list[Feature], dict[int, list[int]]]:
    """Features of two dictionaries and, per feature, the scoring pairs on which it fires most.

    Latents are matched on `matching`; everything else is measured on `scoring`, which no step before has seen.
    """
    seen, fresh = codes(dictionaries, matching), codes(dictionaries, scoring)
    pairing = match(torch.from_numpy(seen.image), torch.from_numpy(seen.text))
    living_image, living_text = ((z > 0).mean(0) >= _LEAST_RATE for z in (fresh.image, fresh.text))
    latents: list[tuple[int | None, int | None]] = list(zip(pairing.image, pairing.text, strict=True))
    latents = [(i, t) for i, t in latents if living_image[i] and living_text[t]]  # type: ignore[index]
    latents += [(int(i), None) for i in np.flatnonzero(living_image) if i not in {a for a, _ in latents}]
    latents += [(None, int(t)) for t in np.flatnonzero(living_text) if t not in {b for _, b in latents}]

    nothing = np.zeros(len(scoring.captions))
    z_image = np.stack([nothing if i is None else fresh.image[:, i] for i, _ in latents], 1)
    z_text = np.stack([nothing if t is None else fresh.text[:, t] for _, t in latents], 1)
    scores = [score(z_image[:, k], z_text[:, k]) for k in range(len(latents))]
    modality = [absolute_rule(s) for s in scores]
    paper = paper_rule(np.array([s.mds for s in scores]))

    by_image = name_by_truth(z_image > 0, scoring.factors, scoring.mentioned, "image")
    by_text = name_by_truth(z_text > 0, scoring.factors, scoring.mentioned, "text")
    names = [max(pair, key=lambda n: n.sure) for pair in zip(by_image, by_text, strict=True)]
    words = top_words((z_text > 0) | ((z_image > 0) & (z_text.sum(0) == 0)), scoring.captions)

    order = sorted(range(len(latents)), key=lambda k: (names[k].sure < SURE, modality[k], -names[k].sure))
    titles = distinct([_title(names[k], number) for number, k in enumerate(order)])
    features, top = [], {}
    for number, k in enumerate(order):
        image_latent, text_latent = latents[k]
        strength = z_image[:, k] + z_text[:, k]
        best = [int(i) for i in np.argsort(-strength)[:9]]
        top[number] = best
        acts_on_image = modality[k] == "vision" or text_latent is None
        unit = fresh.unit_image[image_latent] if acts_on_image else fresh.unit_text[text_latent]
        s = scores[k]
        features.append(
            Feature(
                id=number, name=titles[number], sure=round(names[k].sure, 4) if names[k].sure >= SURE else None,
                modality=modality[k], modality_paper=paper[k], mds=round(s.mds, 4), mds_low=round(s.low, 4),
                mds_high=round(s.high, 4), n_pairs=s.n_pairs, energy_ratio=round(s.energy_ratio, 4),
                cofiring=round(s.cofiring, 3), p_both=round(s.p_both, 4), rate_image=round(s.rate_image, 5),
                rate_text=round(s.rate_text, 5),
                mds_both=None if np.isnan(s.both) else round(s.both, 4), image_latent=image_latent, text_latent=text_latent,
                unit=round(float(unit), 6), words=words[k], top_captions=tuple(scoring.captions[i] for i in best[:5]),
            )
        )  # fmt: skip
    return features, top


def _title(name: Name, number: int) -> str:
    return name.text if name.sure >= SURE else f"feature {number}"
