"""What the tab "From a picture" sends: which picture to read, and how strong each of its parts is."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from mmsteer.bank import Feature, FeatureBank, Modality
from mmsteer.errors import SteerError
from mmsteer.pictures.picture_features import MOST, Parts
from mmsteer.recipes.picture import Picture
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.shared.uploads import Uploaded

STRONGEST = 1.5  # of a part; 1 is as strong as in the picture


class FileQuestion(Payload):
    """An uploaded picture."""

    ask: Literal["file"]
    file: Uploaded


class ShownQuestion(Payload):
    """One of the two pictures that the tab Steer shows."""

    ask: Literal["before", "after"]
    query: str
    """The pair's link."""


class ExampleQuestion(Payload):
    """The example of this page."""

    ask: Literal["example"]


Question = Annotated[FileQuestion | ShownQuestion | ExampleQuestion, Field(discriminator="ask")]


class Share(Payload):
    """A feature of the picture. The browser sends it back as it was offered; only number and activation are read."""

    model_config = ConfigDict(extra="ignore")

    id: int
    activation: float = Field(ge=0, lt=1e6)


Strength = Annotated[float, Field(ge=0, le=STRONGEST)]


class Strengths(Payload):
    """How strong each part is."""

    vision: Strength
    cross: Strength
    language: Strength
    whole: float = Field(0.0, ge=0, le=1)
    """How far the picture's image embedding takes the place of the prompt's."""


class Shares(Payload):
    """The features of each part that a picture has by itself; language features come from its caption."""

    vision: list[Share] = Field([], max_length=MOST["vision"])
    cross: list[Share] = Field([], max_length=MOST["cross"])
    embedding: str = Field("", max_length=20_000)
    """The image embedding (`mmsteer.recipes.picture`)."""


class PartsValue(Payload):
    """The value of the sliders."""

    strengths: Strengths
    parts: Shares


_QUESTION: TypeAdapter[FileQuestion | ShownQuestion | ExampleQuestion] = TypeAdapter(Question)
_PARTS = TypeAdapter(PartsValue)
_NAME = "the value of the sliders"


def read_question(value: Any) -> FileQuestion | ShownQuestion | ExampleQuestion:
    """Which picture is asked for; SteerError if that cannot be read."""
    return read(_QUESTION, value, "the question for a picture")


def read_parts(bank: FeatureBank, value: Any) -> tuple[Parts, dict[Modality, float], Picture | None]:
    """The value of the sliders.

    Returns:
        The vision and cross-modal parts, the strength of each part, and the whole picture, if its slider is not at zero.

    Raises:
        SteerError: if it cannot be read, or says of a feature that it is of another modality.
    """
    sent = read(_PARTS, value, _NAME)
    parts: Parts = {
        "vision": _features(bank, sent.parts.vision, "vision"),
        "cross": _features(bank, sent.parts.cross, "cross"),
    }
    strengths: dict[Modality, float] = {
        "vision": sent.strengths.vision,
        "cross": sent.strengths.cross,
        "language": sent.strengths.language,
    }
    whole, embedding = sent.strengths.whole, sent.parts.embedding
    return parts, strengths, Picture(whole, embedding) if whole and embedding else None


def _features(bank: FeatureBank, shares: list[Share], modality: Modality) -> list[tuple[Feature, float]]:
    features: list[tuple[Feature, float]] = []
    for share in shares:
        feature = bank.find(share.id)
        if feature is None or feature.modality != modality:
            raise SteerError(
                f"{_NAME} cannot be read: load the page again (the bank has no {modality} feature {share.id})"
            )
        features.append((feature, share.activation))
    return features
