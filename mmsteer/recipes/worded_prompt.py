"""Prompting in place of steering: a prompt with the words of its edits added or left out. Text alone, no model."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from mmsteer.bank import FeatureBank
from mmsteer.recipes.edit import Edit


class WordedPrompt(NamedTuple):
    """A prompt that asks in words for what edits do."""

    prompt: str
    image_only: tuple[str, ...]
    """Names of the features asked for that no caption ever states: the words are tried all the same."""


def in_words(bank: FeatureBank, prompt: str, edits: Sequence[Edit]) -> WordedPrompt:
    """Add the name of each feature that an edit adds, unless the prompt has it, and leave out the name of each that one removes.

    A number that only tells features of one name apart ("cat 2") is left out. The result may be empty.
    """
    worded, image_only = " ".join(prompt.split()), []
    for edit in edits:
        feature = bank.get(edit.feature)
        words = re.sub(r" \d+$", "", feature.name)
        pattern = re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)
        strength = -edit.strength if edit.mode == "remove" else edit.strength
        if strength > 0 and not pattern.search(worded):
            worded = f"{worded} {words}"
            image_only += [feature.name] if feature.image_only else []
        elif strength < 0 or edit.mode == "set" and strength == 0:
            worded = pattern.sub("", worded)
    return WordedPrompt(" ".join(worded.split()), tuple(image_only))
