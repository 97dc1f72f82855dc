"""Files and pictures as `data:` URLs, so that an answer of the server carries its pictures with it."""

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.recipes.recipe import Recipe


def data_url(data: bytes, mime: str) -> str:
    """Bytes as a data URL of this MIME type."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def picture_url(picture: "Image.Image", kind: str, **options: Any) -> str:
    """A picture as a data URL.

    Args:
        picture: any Pillow picture.
        kind: a format of Pillow: "PNG", "JPEG" or "WEBP".
        options: what `Image.save` takes for that format, for example `quality=90`.
    """
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return data_url(buffer.getvalue(), f"image/{kind.lower()}")


def thumbnail_url(picture: "Image.Image", side: int, kind: str, **options: Any) -> str:
    """The same of a picture no larger than it is shown, `side` pixels."""
    small = picture.copy()
    small.thumbnail((side, side))
    return picture_url(small, kind, **options)


def recipe_url(picture: "Image.Image", recipe: "Recipe") -> str:
    """A picture as a PNG data URL that carries its recipe: saved from the page, it can be drawn again."""
    buffer = BytesIO()
    recipe.save_png(picture, buffer)
    return data_url(buffer.getvalue(), "image/png")
