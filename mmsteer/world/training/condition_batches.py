"""Which captions condition a batch of UNet training, and which edits correct them: numbers alone, no model.

Besides true captions a UNet reads false ones, together with the edit that corrects them; worker processes prepare both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmsteer.world.captions import captions
from mmsteer.world.factors import FACTORS
from mmsteer.world.models.clip import tokens
from mmsteer.world.paraphrases import falsify, insert_unknown_words, paraphrase
from mmsteer.world.training.pool import PoolSchedule
from mmsteer.world.training.workers import Arrays

CONDITION_SHARES = {"nothing": 0.10, "caption": 0.30, "vision": 0.12, "image": 0.06, "text": 0.34, "language": 0.08}
"""What conditions a training picture, and how often: the empty prompt; a true caption; a true caption with an edit towards
the picture's vision factors; any caption with an edit towards the image embedding; a false caption with the edit that
corrects it; a caption with an edit along language factors, which must change nothing."""
CAPTIONS_ALONE = {"nothing": 0.10, "caption": 0.90}
"""The conditions of an ordinary UNet."""
KINDS = list(CONDITION_SHARES)
_LANGUAGE = np.array([factor.modality == "language" for factor in FACTORS])


@dataclass(frozen=True)
class ConditionBatches:
    """One step's captions for scenes of the pool, and the edits that correct them; they follow from seed and step alone."""

    schedule: PoolSchedule
    batch: int
    tokenizer: Any
    shares: Mapping[str, float] = field(default_factory=lambda: CONDITION_SHARES)

    def __call__(self, step: int) -> Arrays:
        """Draw the batch of one step.

        Returns:
            `rows [B]` of the pool; token `ids [B, T]`; `kind [B]`, an index into `KINDS`; the scenes' `values` and the
            `claimed` values of false captions `[B, n_factors]`; which of them the edit must `add` and `remove`,
            `bool [B, n_factors]`; its `amount` and the share of noise in it, `mix`, `[B, 1]`.
        """
        rng = np.random.default_rng((self.schedule.seed, 2, step))
        rows = rng.integers(0, len(self.schedule), self.batch)
        scenes = self.schedule.rows(step, rows)
        kind = rng.choice(list(self.shares), self.batch, p=list(self.shares.values()))
        values, mentioned = paraphrase(rng, scenes.values, scenes.mentioned)
        true = ["" if k == "nothing" else text for k, text in zip(kind, captions(rng, values, mentioned), strict=True)]
        claimed, claimed_mentioned, false = _false_captions(rng, values, mentioned, kind)
        false_texts = captions(rng, claimed, claimed_mentioned)
        is_false = np.isin(kind, ("text", "language")) | ((kind == "image") & (rng.random(self.batch) < 0.5))
        texts = [b if lie else a for a, b, lie in zip(true, false_texts, is_false, strict=True)]
        # Most edits add the truth and remove the claim, as an added feature suppresses its rival in the prompt. Some only
        # add, and must outweigh the word; some only remove.
        way = rng.random((self.batch, 1))
        # A share of the difference where the caption is true; all of it, or more, where it is false
        amount = np.where(is_false, rng.uniform(0.8, 1.4, self.batch), rng.uniform(0.3, 1.4, self.batch))
        return {
            "rows": rows,
            "ids": tokens(self.tokenizer, insert_unknown_words(rng, texts)).numpy(),
            "kind": np.array([KINDS.index(k) for k in kind]),
            "values": values,
            "claimed": claimed,
            "add": false & (way < 0.8),
            "remove": false & claimed_mentioned & (way > 0.25),
            "amount": amount.astype(np.float32)[:, None],
            # No dictionary yields a mean difference exactly: so much of a random direction is mixed in
            "mix": rng.uniform(0, 0.5, (self.batch, 1)).astype(np.float32),
        }


def _false_captions(
    rng: np.random.Generator, values: np.ndarray, mentioned: np.ndarray, kind: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Claimed values, mentioned factors and what is false in captions, each `[B, n_factors]`.

    Where `kind [B]` is "language" only language factors differ: the UNet learns to ignore such a difference.
    """
    claimed, claimed_mentioned, false = falsify(rng, values, mentioned)
    cross = np.ix_(kind == "language", ~_LANGUAGE)
    claimed[cross], claimed_mentioned[cross], false[cross] = values[cross], mentioned[cross], False
    language = np.ix_(kind == "language", _LANGUAGE)
    false[language] = (values != claimed)[language]
    return claimed, claimed_mentioned, false
