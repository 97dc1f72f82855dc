"""The same thing asked for in words: a prompt with the words of its edits added or left out. Text alone, no model."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from mmsteer.bank import FeatureBank
from mmsteer.steering.edit import Edit


class Wording(NamedTuple):
    """A prompt that asks in words for what edits do."""

    prompt: str
    image_only: tuple[str, ...]
    """Names of the features asked for that no caption ever says: the words are tried all the same."""


def in_words(bank: FeatureBank, prompt: str, edits: Sequence[Edit]) -> Wording:
    """Add the name of each feature that is added and not yet said, and leave out the name of each that is taken out.

    A number that only tells namesakes apart ("cat 2") is no word. What is left may be empty.
    """
    asked, image_only = " ".join(prompt.split()), []
    for edit in edits:
        feature = bank.get(edit.feature)
        words = re.sub(r" \d+$", "", feature.name)
        said = re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)
        wanted = -edit.strength if edit.mode == "remove" else edit.strength
        if wanted > 0 and not said.search(asked):
            asked = f"{asked} {words}"
            image_only += [feature.name] if feature.image_only else []
        elif wanted < 0 or edit.mode == "set" and wanted == 0:
            asked = said.sub("", asked)
    return Wording(" ".join(asked.split()), tuple(image_only))
