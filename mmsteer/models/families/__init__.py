"""Families of backbones: one file each, which holds a `FAMILY`. A file put beside them is one family more; nothing else lists them."""

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
    known = sorted({family.pipeline for family in families})
    raise SteerError(
        f"{checkpoint.source} holds a {checkpoint.index.get('_class_name')}; mmsteer can steer {', '.join(known)}. Name such a "
        "checkpoint."
    )
