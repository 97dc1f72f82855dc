"""What the sweep panel sends: the question that lays a sweep out, and the questions for its pictures and files."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from mmsteer.recipes.direction import LONGEST_NAME
from mmsteer.ui.shared.payload import Payload, read

Kind = Literal["over", "against", "seeds", "each"]
Ids = Annotated[list[int | Annotated[str, Field(max_length=LONGEST_NAME)]], Field(max_length=2)]
"""Of swept rows in the rack."""


class _Question(Payload):
    run: int | None = None
    """Number of the run in the browser; the answer carries it too."""


class LayQuestion(_Question):
    """Lay a sweep out."""

    kind: Kind
    features: Ids
    """What to sweep; for "each", which finds its own, none."""
    absent: Ids = []
    """Those that the prompt does not contain, as far as the browser knows."""


class Description(Payload):
    """All of a sweep. The browser gets it with the layout, and sends it back with every question."""

    kind: Kind
    recipe: str
    """The recipe that the sweep starts from, as JSON."""
    swept: str
    """The same with the swept edits alone."""
    absent: Ids = []
    """As in `LayQuestion`."""


class DrawQuestion(_Question):
    """One picture."""

    again: Description
    cell: int = Field(ge=0)


class FileQuestion(_Question):
    """All pictures in one file."""

    again: Description
    file: Literal["gif", "mp4", "png"]


class PickQuestion(_Question):
    """A seed that the visitor has picked."""

    seed: int


_LAY, _DRAW = TypeAdapter(LayQuestion), TypeAdapter(DrawQuestion)
_FILE, _PICK = TypeAdapter(FileQuestion), TypeAdapter(PickQuestion)
NAME = "the sweep"


def lay_question(value: Any) -> LayQuestion:
    """The question for a layout; SteerError if it cannot be read, as of all below."""
    return read(_LAY, value, NAME)


def draw_question(value: Any) -> DrawQuestion:
    """The question for one picture."""
    return read(_DRAW, value, NAME)


def file_question(value: Any) -> FileQuestion:
    """The question for a file."""
    return read(_FILE, value, NAME)


def pick_question(value: Any) -> PickQuestion:
    """The seed that was picked."""
    return read(_PICK, value, NAME)
