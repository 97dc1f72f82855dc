"""Files that visitors give: size first, then content."""

from pathlib import Path
from typing import Annotated, Any

from gradio_client.utils import is_file_obj_with_meta
from pydantic import AfterValidator

from mmsteer.errors import SteerError
from mmsteer.recipes.formats.parameters import Parameters
from mmsteer.recipes.formats.png import read_file

LARGEST_FILE = 5 * 2**20  # bytes


def _uploaded(file: dict[str, Any]) -> dict[str, Any]:
    if not is_file_obj_with_meta(file):
        raise ValueError("be an uploaded file")
    return file


Uploaded = Annotated[dict[str, Any], AfterValidator(_uploaded)]
"""A file that gradio has seen arrive as an upload: it lets no other path through."""


def read_bytes(path: str) -> bytes:
    """The bytes of an uploaded file; SteerError if it is larger than `LARGEST_FILE`, or deleted by now."""
    file = Path(path)
    if not file.is_file():
        raise SteerError("the file is no longer here, since uploads are deleted after a while: give it again")
    if file.stat().st_size > LARGEST_FILE:
        raise SteerError(
            f"the file has {file.stat().st_size:,} bytes; {LARGEST_FILE:,} are allowed: give a smaller one"
        )
    return file.read_bytes()


def read_recipe(path: str) -> Parameters:
    """The recipe in a PNG's text or in a JSON file, with what was not understood; SteerError for anything else."""
    return read_file(read_bytes(path))
