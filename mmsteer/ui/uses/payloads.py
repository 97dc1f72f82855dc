"""What the tab "What it is good for" sends: which dozen of people to draw or save, and which picture to attack how."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter

from mmsteer.ui.shared.payload import Payload, read

Occupation = Literal["doctor", "cook", "artist", "farmer", "firefighter", "astronaut"]
OCCUPATIONS: tuple[str, ...] = get_args(Occupation)
"""In the order shown: men's by habit of the embedded world first, then women's."""
STRONGEST = 2.0
"""How far features are pulled; 1 is all of it."""
PICTURES = 12
BUDGETS = (1, 2, 4, 8)
"""How far an attack may move each value of a picture, of 255."""


class Dozen(Payload):
    """What twelve pictures are drawn from."""

    occupation: Occupation
    modality: Literal["vision", "language", "cross", "random"]
    way: Literal["remove", "set"]
    strength: Annotated[float, Field(ge=0, le=STRONGEST)]


class DozenQuestion(Payload):
    """Draw a dozen."""

    number: int = Field(ge=1)
    dozen: Dozen


class SaveQuestion(Payload):
    """Draw one picture of a dozen as a file with its recipe."""

    save: int = Field(ge=0, lt=PICTURES)
    dozen: Dozen


class AttackQuestion(Payload):
    """Attack a picture."""

    number: int = Field(ge=1)
    prompt: str
    seed: int
    budget: Literal[1, 2, 4, 8]
    scope: Literal["vision", "language", "cross", "all"]


_DOZEN, _SAVE, _ATTACK = TypeAdapter(DozenQuestion), TypeAdapter(SaveQuestion), TypeAdapter(AttackQuestion)


def dozen_question(value: Any) -> DozenQuestion:
    """Which dozen is asked for; SteerError if that cannot be read, as of all below."""
    return read(_DOZEN, value, "the question for pictures")


def save_question(value: Any) -> SaveQuestion:
    """Which picture is to be saved."""
    return read(_SAVE, value, "the question for a file")


def attack_question(value: Any) -> AttackQuestion:
    """Which attack is asked for."""
    return read(_ATTACK, value, "the question for an attack")
