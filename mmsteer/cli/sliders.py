"""The option `--slider`: a slider from two folders of pictures, which edits then call by its name."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.errors import SteerError
from mmsteer.recipes.edit import Edit

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.steering.steerer import Steerer

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


def add_slider(parser: argparse.ArgumentParser) -> None:
    """Describe the option."""
    parser.add_argument(
        "--slider", nargs=3, action="append", default=[], metavar=("NAME", "WITH", "WITHOUT"),
        help="a slider from pictures: a name for it, a folder of 2 to 10 pictures with something, and one of 2 to 10 without it; "
        "edits call it by its name, and without such an edit it is added at strength 1; may be given several times",
    )  # fmt: skip


def with_sliders(args: argparse.Namespace, steerer: "Steerer", edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """The edits, with the sliders that the arguments make in the place of their names; first those that no edit names."""
    from mmsteer.pictures.picture_features import PictureReader

    made: dict[str, str] = {}
    reader = PictureReader(steerer)
    for name, shown, not_shown in args.slider:
        if steerer.bank.find(name) is not None:
            raise SteerError(f"the bank has a feature {name!r}: give the slider another name")
        made[name] = str(reader.contrast(name, _pictures(Path(shown)), _pictures(Path(not_shown))))
    known = [replace(edit, feature=made.get(str(edit.feature), edit.feature)) for edit in edits]
    named = {edit.feature for edit in known}
    return (*(Edit(slider) for slider in made.values() if slider not in named), *known)


def _pictures(folder: Path) -> "list[Image.Image]":
    """The pictures that lie in a folder, by name."""
    from mmsteer.image_file import decode

    if not folder.is_dir():
        raise SteerError(f"there is no folder {folder}: give one of pictures")
    return [decode(BytesIO(path.read_bytes())) for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES]
