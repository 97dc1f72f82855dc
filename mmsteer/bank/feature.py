"""One feature: a latent, or a matched pair of latents, and what is known of it. Pure data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Modality = Literal["vision", "language", "cross"]
NamedBy = Literal["truth", "words", "property", "person"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
OLD_NAMES = {
    "unit": "activation_scale", "sure": "name_confidence", "rivals": "mutually_exclusive", "unsaid": "image_only",
    "telling": "specific",
}  # fmt: skip
"""Former names, in banks of schema 4 and in programs written then: former name -> field or property."""

LONGEST_NAME = 80  # characters
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # invisible, but part of words in several scripts


@dataclass(frozen=True)
class Feature:
    """A latent, or a matched pair of latents, and what held-out pairs say of it."""

    id: int
    name: str
    """Words a person reads; "feature 17" where no name is confident enough."""
    name_confidence: float | None
    """Held-out score of the name: F1 where the known truth named it, AUC where words or properties did; None where
    there is no such name."""
    modality: Modality
    """By the absolute rule (`mmsteer.bank.mds.absolute_rule`): what fires on both sides of the same pairs is cross."""
    modality_paper: Modality
    """By the paper's rule: mean plus or minus one standard deviation over features (2502.14888, Sec. 2.1)."""
    mds: float
    """Modality Dominance Score, 0 = only captions, 1 = only pictures."""
    mds_low: float
    mds_high: float
    """95 % bootstrap interval over pairs."""
    n_pairs: int
    """Held-out pairs the score rests on: those where either side fires."""
    energy_ratio: float
    """E[z_img^2] / (E[z_img^2] + E[z_txt^2])."""
    cofiring: float
    """P(both fire) over what chance would give."""
    p_both: float
    """P(both fire | either fires)."""
    rate_image: float
    """Share of pictures it fires on."""
    rate_text: float
    """Share of captions it fires on."""
    image_latent: int | None
    """Row in the image dictionary, if it has an image direction."""
    text_latent: int | None
    """Row in the text dictionary, if it has a text direction."""
    activation_scale: float
    """Its mean activation where it fires, on the side it acts on: strength 1.0."""
    named_by: NamedBy | None = None
    """Where the name comes from; None where the feature has only its number."""
    share: float | None = None
    """Held-out share of its activation that an automatic name accounts for; None for any other name."""
    automatic: str | None = None
    """The name that words of captions or measured properties of pictures give it, whatever it is called; None if unsure."""
    automatic_score: float | None = None
    """Held-out AUC of the best automatic candidate, whether it became a name or not."""
    mds_both: float | None = None
    """MDS over the pairs where both sides fire; None if there are none."""
    usable: tuple[float, float] = (-2.0, 2.0)
    """Strengths at which a typical prompt leaves the usual range (OOD distance 1), in activation scales: past
    them pictures break."""
    words: tuple[str, ...] = ()
    """Words of captions that go with its firing, strongest first."""
    top_captions: tuple[str, ...] = ()
    """Captions of the pairs on which it fires most."""
    picture_activations: tuple[float, ...] = ()
    """How strongly it fires on the pictures of its example sheet: 1 is its mean where it fires in pictures. Empty in banks made before
    this was measured (`python -m mmsteer bank examples`)."""
    caption_activations: tuple[float, ...] = ()
    """The same of `top_captions`: 1 is its mean where it fires in captions."""
    mutually_exclusive: tuple[int, ...] = ()
    """Ids of the named features that are practically never in a caption together with it. As it is added, the strongest of them in
    the prompt is suppressed."""
    shared: bool = False
    """One latent of one dictionary for both sides."""
    found_in: tuple[int, int] | None = None
    """In how many of how many builds with different seeds, this one included, a feature with its steering vector is there
    (`mmsteer.studies.stability`); None where that was not measured."""

    @property
    def specific(self) -> bool:
        """Whether its name accounts for most of what it fires for: "banana" may be no more than the largest of a dozen things."""
        return self.named_by is not None and (self.share is None or self.share >= 0.5)

    @property
    def concept(self) -> str:
        """Its name without the number that sets it apart from others of the name: "owl 2" is a further feature of the concept "owl"."""
        return re.sub(r" \d+$", "", self.name)

    @property
    def side(self) -> str:
        """The dictionary whose direction it acts along: pictures' for vision-only features, captions' for all others."""
        if self.shared:
            return "shared"
        return "image" if self.modality == "vision" or self.text_latent is None else "text"

    @property
    def image_only(self) -> bool:
        """Whether no prompt contains it: it is vision-only, or has no latent of captions, and acts along the direction that goes with it in
        pictures.
        """
        return self.side == "image" or (self.shared and self.modality == "vision")

    @property
    def latent(self) -> int:
        """Its row in the dictionary of `side`."""
        row = self.image_latent if self.side == "image" else self.text_latent
        assert row is not None
        return row

    def __getattr__(self, name: str) -> Any:
        if name in OLD_NAMES:
            return getattr(self, OLD_NAMES[name])
        raise AttributeError(f"a Feature has no {name!r}")


def current_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """A feature as bank.json has it, of this schema or the one before, by the names of this one; ValueError for a field twice."""
    fields: dict[str, Any] = {
        OLD_NAMES.get(key, key): tuple(v) if isinstance(v, list) else v for key, v in record.items()
    }
    if len(fields) < len(record):
        raise ValueError("a field is there under its former and its present name")
    return fields


def is_printable(name: str) -> bool:
    """Whether a name is of letters, digits, signs and spaces alone."""
    return all(character.isprintable() or character in _JOINERS for character in name)
