"""Recipes in the text of PNGs, and in files that people open."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from mmsteer.errors import SteerError
from mmsteer.image_file import header
from mmsteer.recipes.formats import parameters
from mmsteer.recipes.formats.parameters import Parameters
from mmsteer.recipes.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image

PNG_KEY = "mmsteer"


def save(recipe: Recipe, picture: "Image.Image", target: Any, size: tuple[int, int] | None = None) -> None:
    """Write a picture as PNG, to a path or an open file, with its recipe in its text: all of it, and what other programs read.

    Args:
        recipe: of the picture.
        picture: one picture, or several side by side.
        target: the path or file.
        size: of one picture, in pixels; None if it is `picture`.
    """
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt(PNG_KEY, recipe.to_json())
    info.add_text(parameters.PNG_KEY, parameters.written(recipe, size or picture.size))
    picture.save(target, format="PNG", pnginfo=info)


def read(source: Any) -> Parameters:
    """The recipe in a PNG: mmsteer's own or, without one, that of AUTOMATIC1111's `parameters`, with what was not understood.

    Raises:
        SteerError: it is no PNG, is damaged, or carries neither.
    """
    try:
        with header(source, ("PNG",)) as picture:
            texts = dict(getattr(picture, "text", {}))  # decodes the whole picture: texts may stand at its end
    except SteerError:
        raise
    except Exception:  # Pillow raises many kinds for a damaged file
        raise SteerError("the picture cannot be read to its end: give a PNG that mmsteer wrote") from None
    if PNG_KEY in texts:
        return Parameters(Recipe.from_json(str(texts[PNG_KEY])), [])
    if parameters.PNG_KEY in texts:
        return parameters.read(str(texts[parameters.PNG_KEY]))
    raise SteerError(
        "the picture carries no recipe: give a PNG that mmsteer wrote, or one with the `parameters` of a web UI for Stable Diffusion"
    )


def read_file(data: bytes) -> Parameters:
    """What a PNG or JSON file holds, with what was not understood; SteerError for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return read(BytesIO(data))
    try:
        return Parameters(Recipe.from_json(data.decode("utf-8-sig")), [])
    except UnicodeDecodeError:
        raise SteerError("the file is neither a PNG nor JSON: give one that mmsteer wrote") from None
