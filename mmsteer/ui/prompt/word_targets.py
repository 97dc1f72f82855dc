"""Edits that act on words which a new prompt no longer has: they act on all of it, and a note says so."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from mmsteer.errors import quoted
from mmsteer.models.text.words import composed, occurrences
from mmsteer.recipes.direction import Features
from mmsteer.recipes.edit import Edit


class LostWords(NamedTuple):
    """The words of one edit that the prompt does not have."""

    edit: Edit
    words: tuple[str, ...]

    def note(self, known: Features) -> str:
        """What is dropped, in one sentence."""
        words, name = ", ".join(map(quoted, self.words)), known.get(self.edit.feature).name
        left = len(self.edit.words) - len(self.words)
        return (
            f"The prompt has no {words}: {name} acts on {'the other words it was set to' if left else 'all words'} now."
        )


def within(prompt: str, edits: Sequence[Edit]) -> tuple[list[Edit], list[LostWords]]:
    """Edits without the words that a prompt does not have, and those words. An edit that keeps none acts on all words."""
    text, lost, kept = composed(prompt), [], []
    for edit in edits:
        words = tuple(word for word in edit.words if not occurrences(text, word))
        if words:
            lost.append(LostWords(edit, words))
            edit = replace(edit, words=tuple(word for word in edit.words if word not in words))
        kept.append(edit)
    return kept, lost


def forgotten(known: Features, lost: Sequence[LostWords]) -> list[dict[str, Any]]:
    """The same for the browser, whose rows drop these words too."""
    return [{"id": known.get(one.edit.feature).id, "words": list(one.words)} for one in lost]
