"""Families of backbones: one file each, which holds a `FAMILY`. A file put beside them is one family more; nothing else lists them."""

import re
import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from mmsteer.errors import SteerError
from mmsteer.models.checkpoint import Checkpoint
from mmsteer.models.families.family import Family

__all__ = ["FAMILIES", "Family", "discover", "family_of"]


def discover(folder: Path) -> tuple[Family, ...]:
    """The `FAMILY` of each Python file in a folder, by the names of the files; files without one are left out."""
    families = []
    for path in sorted(folder.glob("[!_]*.py")):
        name = f"{__name__}.{path.stem}"
        if name not in sys.modules:
            spec = spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            sys.modules[name] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        families.append(getattr(sys.modules[name], "FAMILY", None))
    return tuple(family for family in families if family is not None)


FAMILIES = discover(Path(__file__).parent)


def family_of(checkpoint: Checkpoint, families: Sequence[Family] = FAMILIES) -> Family:
    """The family of a checkpoint, by its small JSON files; nothing else is read or downloaded.

    Raises:
        SteerError: no family knows it.
    """
    for family in families:
        if family.matches(checkpoint):
            return family
    known = ", ".join(sorted({family.pipeline for family in families}))
    what = f"{checkpoint.source} holds a {checkpoint.index.get('_class_name')}"
    encoders = _text_encoders(checkpoint)
    others = " and ".join(dict.fromkeys(_model(name) for name in encoders if "CLIPText" not in name))
    if encoders and not any("CLIPText" in name for name in encoders):
        raise SteerError(
            f"{what}, which has no CLIP text encoder (it reads {others}): features of CLIP's joint space cannot reach it. mmsteer can "
            f"steer {known}. Name such a checkpoint."
        )
    if others:
        what += f", which reads a CLIP beside {others} in a way that mmsteer does not know"
    raise SteerError(f"{what}; mmsteer can steer {known}. Name such a checkpoint.")


def _text_encoders(checkpoint: Checkpoint) -> list[str]:
    """The classes of a checkpoint's text encoders."""
    parts = [value for part, value in checkpoint.index.items() if "text_encoder" in part and isinstance(value, list)]
    return [str(value[1]) for value in parts if len(value) == 2 and value[1]]


def _model(kind: str) -> str:
    """The model that a class of transformers is of: Qwen2.5-VL for Qwen2_5_VLForConditionalGeneration."""
    name = re.sub("(ForConditionalGeneration|ForCausalLM|EncoderModel|TextModel|Model)$", "", kind)
    return re.sub(r"(\d)_(\d)", r"\1.\2", name).replace("_", "-")
