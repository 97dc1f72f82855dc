"""Calls of other programs: answers, errors as one sentence, and the files that they upload."""

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr
from gradio_client.utils import is_file_obj_with_meta

from mmsteer.errors import SteerError
from mmsteer.image_file import decode
from mmsteer.ui.shared.loading import attempt
from mmsteer.ui.shared.uploads import read_bytes

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")


def answer(do: Callable[[], T]) -> T:
    """What `do` returns; `gr.Error` with one sentence if something goes wrong."""
    result, error = attempt(do)
    if result is None:
        raise gr.Error(error, print_exception=False)
    return result


def uploaded(file: Any) -> bytes:
    """The bytes of a file that a caller has uploaded."""
    if not is_file_obj_with_meta(file):  # gradio has seen the others arrive as uploads
        raise SteerError(
            "the picture is not an uploaded file: pass `handle_file(path)` of gradio_client, or upload it first"
        )
    return read_bytes(file["path"])


def decoded(picture: Any) -> "Image.Image":
    """A picture that a caller has uploaded."""
    return decode(BytesIO(uploaded(picture)))
