"""A recipe: everything that makes a picture again. Prompt, seed, sampler, edits, and what it was made with; to JSON, URL query and
PNG text, and back.

Input is hostile until checked: known keys only, every value within its limits. Output holds no path, since recipes travel.
"""

import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any
from unicodedata import category
from urllib.parse import parse_qs, urlencode

from mmsteer.errors import SteerError, first_line, quoted
from mmsteer.models.prompt import check_length, check_prompt
from mmsteer.models.sampler import OPTIONAL, Sampler
from mmsteer.recipes.edit import Edit, check_count, parse_edits
from mmsteer.recipes.picture import Picture
from mmsteer.recipes.region import Region
from mmsteer.recipes.start import FREEDOM, Start

if TYPE_CHECKING:
    from PIL import Image

LARGEST_SEED = 2**32 - 1
LONGEST_LINK = 2_000
"""Characters of a link that mail, chat and proxies pass on whole; recipes with a picture are longer."""
_LONGEST_EDITS = 4_000  # characters of all edits of a recipe, without the numbers of directions of pictures
MOST_CONTRASTS = 8  # edits of such directions
LONGEST_TEXT = 180_000
"""Characters of a recipe as text: more than the longest takes as a link, 12 for each of its own but those of pictures."""
_LONGEST_NAME = 300  # characters of a backbone's name


@dataclass(frozen=True)
class Origin:
    """What a recipe was made with; an empty field is not known."""

    backbone: str = ""
    """A known name, a hub id with its @commit if one was asked for, or the last part of a folder; never a path."""
    model: str = ""
    """The commit of a checkpoint on the hub, or the digest of a local one (`mmsteer.models.digest`)."""
    bank: str = ""
    """The digest of the bank."""
    scheduler: str = ""
    """Class and order of the scheduler: "DPMSolverMultistepScheduler, order 1"."""

    def __post_init__(self) -> None:
        name = self.backbone
        if not isinstance(name, str) or len(name) > _LONGEST_NAME or any(category(c) in ("Cc", "Cs") for c in name):
            raise SteerError(
                f"`backbone` is {quoted(name)}: give a name of at most {_LONGEST_NAME} characters, none of them a control character"
            )
        object.__setattr__(self, "backbone", _last_part(name))
        for field_name, form, allowed in (
            ("model", "[0-9a-f]{7,64}", "7 to 64 hexadecimal digits"),
            ("bank", "[0-9a-f]{7,64}", "7 to 64 hexadecimal digits"),
            ("scheduler", "[A-Za-z0-9_]{1,80}, order [0-9]{1,2}", 'a class and its order, for example "DDIMScheduler, order 1"'),
        ):  # fmt: skip
            value = getattr(self, field_name)
            if not isinstance(value, str) or (value and not re.fullmatch(form, value)):
                raise SteerError(f"`{field_name}` is {quoted(value)}: give {allowed}, or leave it out")


@dataclass(frozen=True)
class Recipe:
    """A picture in words and numbers.

    Raises:
        SteerError: a value is of the wrong type or out of its range.
    """

    prompt: str
    seed: int = 0
    sampler: Sampler = Sampler()
    edits: tuple[Edit, ...] = ()
    origin: Origin = field(default_factory=Origin, compare=False)
    """What it was made with. It does not count in comparisons: recipes that differ only here are equal, and share cached
    pictures."""
    picture: Picture | None = None
    """A picture whose image embedding takes the place of the prompt's, where a backbone reads one. It counts as an edit."""
    negative_prompt: str = ""
    """What guidance steers away from; empty is the usual."""
    region: Region | None = None
    """Where the edits act; None is everywhere, and so is a region that is the whole picture."""
    start: Start | None = None
    """A picture of one's own to draw from, in *before* too; None: from noise alone."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", check_prompt(self.prompt))
        object.__setattr__(self, "negative_prompt", check_length(self.negative_prompt, "negative prompt"))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed <= LARGEST_SEED:
            raise SteerError(f"`seed` is {quoted(self.seed)}: give a whole number from 0 to {LARGEST_SEED}")
        if not isinstance(self.origin, Origin):
            raise SteerError(f"`origin` is {quoted(self.origin)}: give an Origin")
        if not isinstance(self.picture, Picture | None):
            raise SteerError(f"`picture` is {quoted(self.picture)}: give a Picture, or None")
        if not isinstance(self.region, Region | None):
            raise SteerError(f"`region` is {quoted(self.region)}: give a Region, or None")
        if self.region is not None and self.region.share == 1:
            object.__setattr__(self, "region", None)
        if not isinstance(self.start, Start | None):
            raise SteerError(f"`start` is {quoted(self.start)}: give a Start, or None")
        object.__setattr__(self, "edits", tuple(self.edits))
        check_count(self.edits)
        if sum(edit.brief != str(edit) for edit in self.edits) > MOST_CONTRASTS:
            raise SteerError(f"more than {MOST_CONTRASTS} edits of sliders made from pictures: take some out")
        if (length := sum(len(edit.brief) for edit in self.edits)) > _LONGEST_EDITS:
            raise SteerError(
                f"the edits together have {length:,} characters; {_LONGEST_EDITS:,} are allowed: name fewer words"
            )

    @property
    def drawn_steps(self) -> int:
        """Sampling steps that a picture of it takes."""
        return self.start.run(self.sampler.steps).drawn if self.start else self.sampler.steps

    @property
    def plain(self) -> "Recipe":
        """The same recipe without edits: what *before* shows. It starts from the same picture."""
        sampler = replace(self.sampler, edit_guidance=1.0, pooled_guidance=1.0)
        return replace(self, edits=(), picture=None, sampler=sampler, region=None)

    def to_json(self) -> str:
        """One line of JSON; without what older versions do not know, where it is not used."""
        data = asdict(self)
        data["region"] = self.region and str(self.region)
        for name in ("picture", "negative_prompt", "region", "start"):
            if not data[name]:
                del data[name]
        return json.dumps(data, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read `to_json`'s form, or what `python -m mmsteer steer --json` writes; SteerError for anything else."""
        if len(text) > LONGEST_TEXT:
            raise SteerError(f"the recipe has {len(text):,} characters; {LONGEST_TEXT:,} are allowed")
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SteerError(f"the recipe is not JSON ({first_line(error):.80}): give one that mmsteer wrote") from None
        if isinstance(data, dict) and "recipe" in data:  # `--json` of the command line: figures beside the recipe
            data = data["recipe"]
        data = _known(data, cls, "recipe", "backbone")
        # the first recipes have the backbone's name beside the prompt
        old = {"backbone": data.pop("backbone")} if "backbone" in data else {}
        data["origin"] = Origin(**old | _known(data.get("origin", {}), Origin, "origin"))
        data["sampler"] = Sampler(**_known(data.get("sampler", {}), Sampler, "sampler"))
        edits = data.get("edits", [])
        if not isinstance(edits, list):
            raise SteerError("`edits` of the recipe is not a list: give one that mmsteer wrote")
        check_count(edits)
        data["edits"] = tuple(_edit(_known(edit, Edit, "edit")) for edit in edits)
        if data.get("picture") is not None:
            picture = _known(data["picture"], Picture, "picture")
            data["picture"] = Picture(picture.get("share", 1.0), picture.get("embedding", ""))
        if data.get("region") is not None:
            data["region"] = Region.parse(data["region"])
        if data.get("start") is not None:
            start = _known(data["start"], Start, "start")
            data["start"] = Start(start.get("freedom", FREEDOM), start.get("picture", ""))
        if "prompt" not in data:
            raise SteerError("the recipe has no `prompt`: give one that mmsteer wrote")
        return cls(**data)

    def to_query(self) -> str:
        """As a URL query: `prompt=…[&negative_prompt=…]&seed=…&steps=…&guidance=…&backbone=…&model=…&bank=…&scheduler=…&edit=…&edit=…`."""
        fields = [("prompt", self.prompt)] + [("negative_prompt", self.negative_prompt)] * bool(self.negative_prompt)
        fields += [("seed", str(self.seed)), ("steps", str(self.sampler.steps))]
        fields += [("guidance", f"{self.sampler.guidance:g}")]
        own = asdict(self.sampler)
        fields += [(name, f"{own[name]:g}") for name in OPTIONAL if own[name] != 1]
        fields += [(name, value) for name, value in asdict(self.origin).items() if value]
        fields += [("picture", str(self.picture))] if self.picture else []
        fields += [("region", str(self.region))] if self.region else []
        fields += [("start", str(self.start))] if self.start else []
        return urlencode(fields + [("edit", str(edit)) for edit in self.edits])

    @classmethod
    def from_query(cls, query: str) -> "Recipe":
        """Read `to_query`'s form; unknown keys are ignored, as a page's own address may carry others."""
        if len(query) > LONGEST_TEXT:
            raise SteerError(f"the link has {len(query):,} characters; {LONGEST_TEXT:,} are allowed")
        try:
            fields = parse_qs(query, max_num_fields=100)
            first = {key: values[0] for key, values in fields.items()}
            seed, steps = int(first.get("seed", "0")), int(first.get("steps", Sampler.steps))
            guidance = float(first.get("guidance", Sampler.guidance))
            more = {name: float(first[name]) for name in OPTIONAL if name in first}
        except ValueError as error:
            raise SteerError(
                f"the link's settings cannot be read ({first_line(error):.80}): copy the whole link again"
            ) from None
        edits = parse_edits(fields.get("edit", []))
        origin = Origin(**{name: first[name] for name in Origin.__dataclass_fields__ if name in first})
        picture = Picture.parse(first["picture"]) if "picture" in first else None
        region = Region.parse(first["region"]) if "region" in first else None
        start = Start.parse(first["start"]) if "start" in first else None
        sampler, negative = Sampler(steps, guidance, **more), first.get("negative_prompt", "")
        return cls(first.get("prompt", ""), seed, sampler, edits, origin, picture, negative, region, start)

    def save_png(self, picture: "Image.Image", target: Any, size: tuple[int, int] | None = None) -> None:
        """Write a picture as PNG, this recipe in its text, to a path or an open file (`mmsteer.recipes.formats.png.save`)."""
        from mmsteer.recipes.formats.png import save

        save(self, picture, target, size)

    @classmethod
    def from_png(cls, source: Any) -> "Recipe":
        """Read the recipe out of a PNG (`mmsteer.recipes.formats.png.read`)."""
        from mmsteer.recipes.formats.png import read

        return read(source).recipe

    @classmethod
    def from_file(cls, data: bytes) -> "Recipe":
        """Read what a PNG or JSON file holds; SteerError for anything else (`mmsteer.recipes.formats.png.read_file`)."""
        from mmsteer.recipes.formats.png import read_file

        return read_file(data).recipe


def _last_part(name: str) -> str:
    """A backbone's name without the folders that recipes of before wrote down: of a path its last part. A hub id stays whole."""
    source = name.partition("@")[0]
    path = "\\" in source or source.startswith((".", "/", "~")) or source.count("/") > 1
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1] if path else name


def _known(data: Any, kind: type, name: str, *more: str) -> dict[str, Any]:
    """A dictionary with the field names of `kind`, and `more`, only."""
    allowed = set(kind.__dataclass_fields__)  # type: ignore[attr-defined]
    if not isinstance(data, dict):
        raise SteerError(f"the {name} is a {type(data).__name__}, not an object: give one that mmsteer wrote")
    unknown = sorted(str(key) for key in set(data) - allowed - set(more))
    if unknown:
        raise SteerError(
            f"the {name} has unknown keys {', '.join(unknown[:5]):.80}; known are {', '.join(sorted(allowed))}"
        )
    return dict(data)


def _edit(data: dict[str, Any]) -> Edit:
    if "feature" not in data:
        raise SteerError("an edit has no `feature`: give a feature's name or number")
    words = data.get("words", ())
    if not isinstance(words, list | tuple):
        raise SteerError(f"`words` of an edit is {quoted(words)}: give a list of words")
    return Edit(**{**data, "words": tuple(words)})
