"""Prompting in place of steering: a prompt with the words of its edits added or left out. Text alone, no model."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mmsteer.bank import FeatureBank
from mmsteer.recipes.direction import Contrast, Wording, is_direction, read_source
from mmsteer.recipes.edit import Edit

_LEAD = r"(?:at|in|on|to|under|among) (?:the |a )?"


class WordedPrompt(NamedTuple):
    """A prompt that asks in words for what edits do."""

    prompt: str
    image_only: tuple[str, ...]
    """Names of the features asked for that no caption ever states: the words are tried all the same."""


def in_words(bank: FeatureBank, prompt: str, edits: Sequence[Edit]) -> WordedPrompt:
    """Add the name of each feature that an edit adds, unless the prompt has it, and leave out the name of each that one removes.

    A direction exchanges its words: the second for the first, or added where the prompt has no first; the other way round below zero.
    A number that only tells features of one name apart ("cat 2") is left out. Places and times come as captions say them: "at night",
    "in the snow". The result may be empty.
    """
    worded, image_only = " ".join(prompt.split()), []
    for edit in edits:
        if bank.find(edit.feature) is None and is_direction(edit.feature):
            source = read_source(str(edit.feature))
            wording = Wording("", source.title) if isinstance(source, Contrast) else source
            worded = _exchanged(worded, wording, edit)
            continue
        feature = bank.get(edit.feature)
        words = feature.concept
        pattern, strength = _whole(words), _pushed(edit)
        if strength > 0 and not pattern.search(worded):
            worded = f"{worded} {_lead(bank, words)}{words}"
            image_only += [feature.name] if feature.image_only else []
        elif strength < 0 or edit.mode == "set" and strength == 0:
            worded = _led(words).sub("", worded) if _lead(bank, words) else pattern.sub("", worded)
    return WordedPrompt(" ".join(worded.split()), tuple(image_only))


def _lead(bank: FeatureBank, words: str) -> str:
    """What leads up to some words in the captions of the bank's examples, "at ", if it does in at least half of those with them."""
    captions = {caption for feature in bank.features for caption in feature.top_captions}
    leads = Counter((match[1] or "").lower() for caption in captions if (match := _led(words).search(caption)))
    without = leads.pop("", 0)
    return max(leads, key=lambda lead: (leads[lead], lead)) if leads and leads.total() >= without else ""


def _led(words: str) -> re.Pattern[str]:
    """These words where they stand by themselves, with what leads up to them."""
    return re.compile(rf"(?<!\w)({_LEAD})?{re.escape(words)}(?!\w)", re.IGNORECASE)


def _exchanged(prompt: str, wording: Wording, edit: Edit) -> str:
    """The prompt with the words that a direction leads to in place of those it leads from."""
    strength = _pushed(edit)
    gone, wanted = wording if strength > 0 else wording[::-1]
    if not strength or (wanted and _whole(wanted).search(prompt)):
        return prompt
    if gone and _whole(gone).search(prompt):
        return _whole(gone).sub(lambda _: wanted, prompt)
    return f"{prompt} {wanted}"


def _pushed(edit: Edit) -> float:
    """How far an edit adds; below zero it removes."""
    return -edit.strength if edit.mode == "remove" else edit.strength


def _whole(words: str) -> re.Pattern[str]:
    """These words where they stand by themselves."""
    return re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)
