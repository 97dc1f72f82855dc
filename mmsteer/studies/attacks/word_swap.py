"""The attack on captions: the one swapped word that hurts most while every fact the caption states stays.

A word may be replaced by another wording of the same value ("cat" by "kitten"), or, where it states nothing that a picture shows ("in",
"lovely"), by any other such word. Trying all of them needs no gradient.
"""

from functools import cache

from mmsteer.world.captions import vocabulary, wordings
from mmsteer.world.factors import FACTORS

Fact = tuple[str, str]
"""A factor that pictures show and captions mention, and its value."""


@cache
def facts() -> dict[str, frozenset[Fact]]:
    """What each word of the vocabulary states; nothing where several values of one factor use it ("in", "side")."""
    stated: dict[str, set[Fact]] = {word: set() for word in vocabulary()}
    for factor in FACTORS:
        if factor.modality == "cross":
            for value in factor.values:
                for word in {word for phrase in wordings(factor.name, value) for word in phrase.split()}:
                    stated[word].add((factor.name, value))
    shared = {
        word: {name for name, _ in pairs if sum(other == name for other, _ in pairs) > 1}
        for word, pairs in stated.items()
    }
    function = {w for w, pairs in stated.items() if pairs and shared[w]} | _function_words()
    return {word: frozenset() if word in function else frozenset(pairs) for word, pairs in stated.items()}


def _function_words() -> set[str]:
    """Words that only hold a phrase together; some are in the wordings of one value alone ("among", "under")."""
    return {"a", "the", "an", "in", "on", "at", "by", "to", "of", "among", "under"}


def swaps(caption: str) -> list[str]:
    """Every caption that differs from this one in one word and states the same facts."""
    stated, words = facts(), caption.split()
    swapped = []
    for k, word in enumerate(words):
        if word in stated:
            others = (other for other in stated if other != word and stated[other] == stated[word])
            swapped += [" ".join((*words[:k], other, *words[k + 1 :])) for other in others]
    return swapped


def change_fact(caption: str, factor: str, value: str, other: str) -> str | None:
    """The caption with another value of a factor it mentions, in the plainest wording; None where it does not mention the value."""
    padded = f" {caption} "
    for phrase in sorted(wordings(factor, value), key=len, reverse=True):
        if f" {phrase} " in padded:
            return padded.replace(f" {phrase} ", f" {wordings(factor, other)[0]} ", 1).strip()
    return None
