"""An edit: what one slider says. Pure data; knows nothing of codes, CLIP or pictures.

Text form, as the command line takes it: `FEATURE[:MODE][:STRENGTH][@WORD,WORD][[START-END]]`, for example
`warm light:1.0`, `night:remove`, `penguin:set:1.5`, `big:0.8@cat[0.2-1]`.
"""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mmsteer.errors import SteerError

Mode = Literal["add", "set", "remove"]
MODES: tuple[Mode, ...] = get_args(Mode)
STRONGEST = 8.0  # activation scales, either way: far past where pictures break
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
    """Words of the prompt whose rows are edited; empty means every row but the first."""
    start: float = 0.0
    """Where in the sampling run it begins, as a fraction in [0, 1]."""
    end: float = 1.0
    """Where it ends; from `start` to `end`, the end excluded."""

    def __post_init__(self) -> None:
        if isinstance(self.feature, bool) or not isinstance(self.feature, str | int) or self.feature == "":
            raise SteerError(f"`feature` is {self.feature!r}: give a feature's name or number")
        if self.mode not in MODES:
            raise SteerError(f"`mode` is {self.mode!r}: allowed are {', '.join(MODES)}")
        for name in ("strength", "start", "end"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise SteerError(f"`{name}` of {self.feature!r} is {value!r}: give a finite number")
        if abs(self.strength) > STRONGEST:
            raise SteerError(
                f"`strength` of {self.feature!r} is {self.strength}: allowed is -{STRONGEST:g} to {STRONGEST:g} "
                "(1 is as strong as the feature normally gets)"
            )
        if not 0 <= self.start < self.end <= 1:
            raise SteerError(
                f"the run from {self.start} to {self.end} of {self.feature!r} is empty or outside 0 to 1: "
                "give 0 <= start < end <= 1"
            )
        if not all(isinstance(word, str) and word.strip() for word in self.words):
            raise SteerError(f"`words` of {self.feature!r} is {self.words!r}: give words of the prompt")

    @classmethod
    def parse(cls, text: str) -> "Edit":
        """Read the text form; SteerError says what the form is."""
        match = _GRAMMAR.match(text.strip())
        if not match:
            raise SteerError(
                f"cannot read the edit {text!r}: write FEATURE[:add|set|remove][:STRENGTH][@WORD,WORD][[START-END]], "
                'for example "warm light:1.0" or "night:remove" or "big:0.8@cat[0.2-1]"'
            )
        part = match.groupdict()
        try:
            strength = float(part["strength"] or 1.0)
            start, end = float(part["start"] or 0.0), float(part["end"] or 1.0)
        except ValueError:
            raise SteerError(
                f"a number in the edit {text!r} cannot be read: write for example 'warm light:1.0'"
            ) from None
        feature: str | int = (
            int(part["feature"]) if re.fullmatch("[0-9]{1,9}", part["feature"]) else part["feature"].strip()
        )
        words = tuple(word.strip() for word in (part["words"] or "").split(",") if word.strip())
        mode: Any = part["mode"] or "add"  # the grammar lets nothing else through
        return cls(feature, mode, strength, words, start, end)

    def __str__(self) -> str:
        words = f"@{','.join(self.words)}" if self.words else ""
        run = "" if (self.start, self.end) == (0.0, 1.0) else f"[{self.start:g}-{self.end:g}]"
        mode = "" if self.mode == "add" else f":{self.mode}"
        return f"{self.feature}{mode}:{self.strength:g}{words}{run}"
