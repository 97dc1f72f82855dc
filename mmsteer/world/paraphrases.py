"""Other captions of the same scenes, as training reads them: paraphrased, made false, or with a word that nobody knows.

The first two work on factors alone (which values a caption claims, which factors it mentions); `captions.py` words them.
"""

import string

import numpy as np

from mmsteer.world.factors import FACTORS, INDEX, THINGS, draw_factors

_FALSIFIED = ("thing", "place", "position", "size")
_FALSIFIED_SHARES = (0.61, 0.13, 0.13, 0.13)
"""How often each is the only false one: the UNet clings most to the thing."""
_UNKNOWN_SHARE = 0.1  # of captions that contain an unknown word, so that such words come to mean nothing


def paraphrase(rng: np.random.Generator, values: np.ndarray, mentioned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Redraw what a caption is free to choose: the language factors, and which cross factors it mentions.

    Whether a caption mentions the gender stays as it was drawn, or the planted bias would wash out.

    Args:
        rng: Draws the choices.
        values: Factors of the scenes, `int64 [B, n_factors]`; not changed.
        mentioned: Which factors their captions mention, `bool [B, n_factors]`; not changed.

    Returns:
        Values and mentioned factors of the paraphrases, in the same shapes.
    """
    values, mentioned = values.copy(), mentioned.copy()
    fresh_values, fresh_mentioned = draw_factors(rng, len(values))
    for i, factor in enumerate(FACTORS):
        if factor.modality == "language":
            values[:, i] = fresh_values[:, i]
        elif factor.name != "gender":
            mentioned[:, i] = fresh_mentioned[:, i]
    return values, mentioned


def falsify(
    rng: np.random.Generator, values: np.ndarray, mentioned: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make captions false.

    In 70 % of them one cross factor is false, as when a single feature is steered; mostly the thing. In the others each
    cross factor is false with probability 0.4. False means mentioned with another value, left out although it was
    mentioned, or invented although it was not.

    Args:
        rng: Draws what is false.
        values: Factors of the scenes, `int64 [B, n_factors]`; not changed.
        mentioned: Which factors their captions mention, `bool [B, n_factors]`; not changed.

    Returns:
        The values the false captions claim, the factors they mention, and which cross factors are false in them, each
        `[B, n_factors]`.
    """
    true, truly_mentioned = values, mentioned
    values, mentioned = values.copy(), mentioned.copy()
    count = len(values)
    only = rng.choice(len(_FALSIFIED), count, p=_FALSIFIED_SHARES)
    single = rng.random(count) < 0.7
    false = np.zeros_like(mentioned)
    other, _ = draw_factors(rng, count)
    for i, factor in enumerate(FACTORS):
        if factor.modality == "language":
            values[:, i] = other[:, i]
        elif factor.name in _FALSIFIED:
            rows = np.where(single, only == _FALSIFIED.index(factor.name), rng.random(count) < 0.4)
            omitted = rows & mentioned[:, i] & (rng.random(count) < 0.4)
            values[rows, i] = other[rows, i]
            mentioned[:, i] = (mentioned[:, i] | rows) & ~omitted
            false[:, i] = rows
    gender, thing = INDEX["gender"], INDEX["thing"]
    person = values[:, thing] >= len(THINGS)
    mentioned[:, gender] = person & mentioned[:, thing] & (rng.random(count) < 0.5)
    fresh = rng.integers(1, 3, count)
    values[:, gender] = np.where(
        rng.random(count) < 0.3, fresh, np.where(values[:, gender] == 0, fresh, values[:, gender])
    )
    values[:, gender] = np.where(person, values[:, gender], 0)
    right = mentioned & (values == true)
    false[:, gender] = (truly_mentioned | mentioned)[:, gender] & ~right[:, gender]
    return values, mentioned, false


def insert_unknown_words(rng: np.random.Generator, texts: list[str]) -> list[str]:
    """Insert a random string of letters into a share `_UNKNOWN_SHARE` of the captions."""
    captions = []
    for text in texts:
        if rng.random() < _UNKNOWN_SHARE:
            words = text.split()
            unknown = "".join(rng.choice(list(string.ascii_lowercase), rng.integers(3, 7)))
            words.insert(int(rng.integers(len(words) + 1)), unknown)
            text = " ".join(words)
        captions.append(text)
    return captions
