"""An edit: what one slider says. Pure data; knows nothing of codes, CLIP or pictures.

Text form, as the command line takes it: `FEATURE[:MODE][:STRENGTH][@WORD,WORD][[START-END]]`, for example
`warm light:1.0`, `night:remove`, `penguin:set:1.5`, `big:0.8@cat[0.2-1]`, `big@cat#2`.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mmsteer.errors import SteerError, quoted

Mode = Literal["add", "set", "remove"]
MODES: tuple[Mode, ...] = get_args(Mode)
MOST_EDITS = 32  # at once
MOST_WORDS = 77  # of one edit: as many as a text encoder of CLIP has rows
LONGEST_TEXT = 1_000  # characters of an edit's text form, without the numbers of a direction of pictures
LONGEST_CODE = 2_100  # characters of those: 1,573 of them, more than any CLIP has
STRONGEST = 8.0  # activation scales, either way: far past where pictures break
_CODE = re.compile(rf"~[A-Za-z0-9_-]{{1,{LONGEST_CODE}}}")
_LARGEST = sys.float_info.max  # finite; a whole number may be larger
_GRAMMAR = re.compile(
    r"^(?P<feature>[^:@\[\]]+?)(:(?P<mode>add|set|remove))?(:(?P<strength>[-+.\w]+))?"
    r"(@(?P<words>[^\[\]]+))?(\[(?P<start>[.\d]+)-(?P<end>[.\d]+)\])?$"
)


@dataclass(frozen=True)
class Edit:
    """One feature, what to do with it, how strongly, on which words, over which part of the sampling run.

    Raises:
        SteerError: a value is of the wrong type or out of its range.

    Example:
        >>> from mmsteer import Edit
        >>> Edit.parse("night:remove") == Edit("night", mode="remove")
        True
        >>> str(Edit("big", strength=0.8, words=("cat",), start=0.2))
        'big:0.8@cat[0.2-1]'
    """

    feature: str | int
    """Name or id in the bank."""
    mode: Mode = "add"
    """`add` strength times the activation scale; `set` to strength times the activation scale; `remove` strength times its presence in
    the prompt."""
    strength: float = 1.0
    """In activation scales, -8 to 8; 1.0 is as strong as the feature normally gets. Negative goes the other way."""
    words: tuple[str, ...] = ()
    """Words of the prompt whose rows are edited, wherever it has them; `cat#2` is the second occurrence alone. Empty means every
    row but the first."""
    start: float = 0.0
    """Where in the sampling run it begins, as a fraction in [0, 1]."""
    end: float = 1.0
    """Where it ends; from `start` to `end`, the end excluded."""

    def __post_init__(self) -> None:
        if not _is_feature(self.feature):
            raise SteerError(f"`feature` is {quoted(self.feature)}: give a feature's name or number")
        if self.mode not in MODES:
            raise SteerError(f"`mode` is {quoted(self.mode)}: allowed are {', '.join(MODES)}")
        for name in ("strength", "start", "end"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
                raise SteerError(f"`{name}` of {quoted(self.feature)} is {quoted(value)}: give a finite number")
        if abs(self.strength) > STRONGEST:
            raise SteerError(
                f"`strength` of {quoted(self.feature)} is {quoted(self.strength)}: allowed is -{STRONGEST:g} to {STRONGEST:g} "
                "(1 is as strong as the feature normally gets)"
            )
        if not 0 <= self.start < self.end <= 1:
            raise SteerError(
                f"the run from {quoted(self.start)} to {quoted(self.end)} of {quoted(self.feature)} is empty or outside 0 to 1: "
                "give 0 <= start < end <= 1"
            )
        self._check_words()

    def _check_words(self) -> None:
        """SteerError for too many words, or what is no word; or an edit that is too long to be written down."""
        if len(self.words) > MOST_WORDS:
            raise SteerError(
                f"an edit of {quoted(self.feature)} names {len(self.words):,} words; {MOST_WORDS} are allowed: take some out"
            )
        if not all(isinstance(word, str) and word.strip() for word in self.words):
            raise SteerError(f"`words` of {quoted(self.feature)} is {quoted(self.words)}: give words of the prompt")
        _check_length(str(self))

    @classmethod
    def parse(cls, text: str) -> "Edit":
        """Read the text form; SteerError says what the form is."""
        _check_length(text)
        match = _GRAMMAR.match(text.strip())
        if not match:
            raise SteerError(
                f"cannot read the edit {quoted(text)}: write FEATURE[:add|set|remove][:STRENGTH][@WORD,WORD][[START-END]], "
                'for example "warm light:1.0" or "night:remove" or "big:0.8@cat[0.2-1]"'
            )
        part = match.groupdict()
        try:
            strength = float(part["strength"] or 1.0)
            start, end = float(part["start"] or 0.0), float(part["end"] or 1.0)
        except ValueError:
            raise SteerError(
                f"a number in the edit {quoted(text)} cannot be read: write for example 'warm light:1.0'"
            ) from None
        feature: str | int = (
            int(part["feature"]) if re.fullmatch("[0-9]{1,9}", part["feature"]) else part["feature"].strip()
        )
        words = tuple(word.strip() for word in (part["words"] or "").split(",") if word.strip())
        mode: Any = part["mode"] or "add"  # the grammar lets nothing else through
        return cls(feature, mode, strength, words, start, end)

    @property
    def brief(self) -> str:
        """The text form for people: without the numbers of a direction of pictures (`mmsteer.recipes.direction`)."""
        return without_code(str(self))

    def __str__(self) -> str:
        words = f"@{','.join(self.words)}" if self.words else ""
        run = "" if (self.start, self.end) == (0.0, 1.0) else f"[{self.start:g}-{self.end:g}]"
        mode = "" if self.mode == "add" else f":{self.mode}"
        return f"{self.feature}{mode}:{self.strength:g}{words}{run}"


def parse_edits(texts: Sequence[str]) -> tuple[Edit, ...]:
    """Read edits in their text form; SteerError for more than `MOST_EDITS`, before any is read."""
    check_count(texts)
    return tuple(Edit.parse(text) for text in texts)


def check_count(edits: Sequence[object]) -> None:
    """SteerError for more than `MOST_EDITS` edits."""
    if len(edits) > MOST_EDITS:
        raise SteerError(f"{len(edits):,} edits at once; {MOST_EDITS} are allowed: take some out")


def _is_feature(feature: object) -> bool:
    """Whether it may be the name or the number of a feature."""
    if isinstance(feature, bool) or not isinstance(feature, str | int):
        return False
    return feature != "" if isinstance(feature, str) else abs(feature) < 10**9


def without_code(text: str) -> str:
    """The text of one edit without the numbers of a direction of pictures."""
    return _CODE.sub("", text, count=1)


def _check_length(text: str) -> None:
    if (length := len(without_code(text))) > LONGEST_TEXT:
        raise SteerError(
            f"the edit {text[:40]!r}… has {length:,} characters; {LONGEST_TEXT:,} are allowed: name fewer words"
        )
