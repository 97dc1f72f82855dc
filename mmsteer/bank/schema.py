"""What a bank may say: the one schema that bank.json and the headers of the weights are checked against.

A bank may come from a stranger. So types, ranges and sizes are known to be right before any other code sees them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from mmsteer.bank.feature import LONGEST_NAME, Feature, is_printable
from mmsteer.bank.tensors import FILE, in_memory
from mmsteer.errors import SteerError, first_complaint
from mmsteer.models.weights_header import Shapes, check_shapes, shapes_in


def _printable(name: str) -> str:
    if not is_printable(name):
        raise ValueError("be of printable characters")
    return name


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError("begin before it ends")
    return ends


_Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_printable)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0, lt=2**31)]
_Activations = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(max_length=100)]
_LIMITS: dict[str, Any] = {
    "id": _Count, "name": _Name, "name_confidence": _Share | None, "mds": _Share, "mds_low": _Share, "mds_high": _Share,
    "n_pairs": _Count, "energy_ratio": _Share, "cofiring": Annotated[float, Field(ge=0)], "p_both": _Share, "rate_image": _Share,
    "rate_text": _Share, "image_latent": _Count | None, "text_latent": _Count | None,
    "activation_scale": Annotated[float, Field(gt=0)], "share": _Share | None, "automatic": _Name | None,
    "automatic_score": _Share | None, "mds_both": _Share | None,
    "usable": Annotated[tuple[float, float], AfterValidator(_rising)],
    "picture_activations": _Activations, "caption_activations": _Activations,
    "found_in": Annotated[tuple[_Count, _Count], AfterValidator(_rising)] | None,
}  # fmt: skip
"""Fields of `Feature` whose type alone says too little."""
_STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")
_OPEN = ConfigDict(strict=True, allow_inf_nan=False, extra="allow")  # other keys are for people, and read by nobody


class _TextToJoint(BaseModel):
    model_config = _OPEN
    kind: Literal["exact", "fitted", "projection"]
    r2: float = 0.0


class _Origin(BaseModel):
    model_config = _OPEN
    id: str | None = None
    revision: str | None = None
    digest: str | None = None
    name: str = ""
    kind: str = ""


class _Quality(BaseModel):
    model_config = _OPEN
    fvu: float
    l0: float
    dead: float


class _Meta(BaseModel):
    model_config = _OPEN
    dictionaries: tuple[Literal["image"], Literal["text"]] | tuple[Literal["shared"]]
    text_to_joint: _TextToJoint
    backbone: str | None = None
    clip: str | _Origin | None = None
    source: str | _Origin | None = None
    sides: dict[Literal["image", "text"], _Quality] = {}
    objective: str = ""
    seed: int = 0


@cache
def _records() -> TypeAdapter[Any]:
    """The checks of a list of features, made from the fields of `Feature` and their limits."""
    described: dict[str, Any] = {
        field.name: (_LIMITS.get(field.name, field.type), ... if field.default is MISSING else field.default)
        for field in fields(Feature)
    }
    record = create_model("Feature", __config__=_STRICT, **described)
    return TypeAdapter(Annotated[list[record], Field(min_length=1)])  # type: ignore[valid-type]


def check_index(meta: Mapping[str, Any], records: list[dict[str, Any]]) -> list[Feature]:
    """The features of a bank, all checked.

    Args:
        meta: What bank.json says of the bank as a whole.
        records: What it says of each feature, by the names of the fields of `Feature`.

    Raises:
        SteerError: The first value that is missing, not known, of another type or out of its range.
    """
    try:
        _Meta.model_validate({key: tuple(v) if key == "dictionaries" else v for key, v in meta.items()})
        _records().validate_python(records)
    except ValidationError as error:
        raise SteerError(first_complaint(error)) from None
    features = [Feature(**record) for record in records]
    _check_ids(features)
    for feature in features:
        _check_side(feature, meta["dictionaries"])
    return features


def check_sizes(folder: Path, features: Iterable[Feature], sides: Iterable[str]) -> None:
    """Compare the features with the headers of the weights, and these with each other. No weights are read.

    Raises:
        SteerError: A file or a tensor is missing or of the wrong size, or a feature has a latent that no dictionary has.
    """
    tensors = in_memory(shapes_in(folder / FILE))
    width = tensors.get("mean_text", (0,))[0]
    wanted: Shapes = dict.fromkeys(("mean_text", "mean_image", "ood_mean"), (width,))
    latents = {}
    for side in sides:
        path = folder / side / "sae_weights.safetensors"
        latents[side] = n = _latents(path, width)
        wanted |= {f"steering_{side}": (n, width), f"baseline_{side}": (n,)}
    rows = tensors.get("projection", (0,))[0]
    wanted |= {"projection": (rows, width), "ood_precision": (width, width), "ood_p99": ()}
    optional: Shapes = {"offset": (width,), "inverse": (width, rows), "image_norm": ()}
    for name in ("probes", "inverse_pooled"):  # one size is free
        free = tensors.get(name, ())
        optional[name] = (free[0], width) if name == "probes" and free else (width, *free[1:2])
    check_shapes(folder / FILE, tensors, wanted | {name: shape for name, shape in optional.items() if name in tensors})
    for feature in features:
        for side, latent in (("image", feature.image_latent), ("text", feature.text_latent)):
            dictionary = "shared" if feature.shared else side
            if latent is not None and latent >= latents[dictionary]:
                raise SteerError(
                    f"feature {feature.id} acts by latent {latent} of {dictionary!r}, which does not exist: "
                    f"it has {latents[dictionary]}"
                )


def _latents(path: Path, width: int) -> int:
    """How many latents a dictionary of vectors `width` wide has."""
    shapes = shapes_in(path)
    n = shapes.get("b_enc", (0,))[0] if shapes.get("b_enc") else 0
    wanted: Shapes = {"b_enc": (n,), "W_enc": (width, n), "W_dec": (n, width), "b_dec": (width,)}
    check_shapes(path, shapes, wanted | ({"threshold": (n,)} if "threshold" in shapes else {}))
    return n


def _check_ids(features: list[Feature]) -> None:
    known: set[int] = set()
    for feature in features:
        if feature.id in known:
            raise SteerError(f"two features have the id {feature.id}")
        known.add(feature.id)
    for feature in features:
        if unknown := set(feature.mutually_exclusive) - known:
            raise SteerError(f"feature {feature.id} excludes feature {min(unknown)}, which does not exist")


def _check_side(feature: Feature, sides: list[str]) -> None:
    """SteerError unless a feature has a latent to act by, in a dictionary of the bank."""
    if feature.side not in sides:
        raise SteerError(f"feature {feature.id} acts by a dictionary {feature.side!r}; the bank has {', '.join(sides)}")
    if (feature.image_latent if feature.side == "image" else feature.text_latent) is None:
        raise SteerError(f"feature {feature.id} acts by no latent of {feature.side!r}")
