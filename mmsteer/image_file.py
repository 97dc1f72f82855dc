"""Encoded pictures from anybody: the header is checked before a pixel is decoded. Knows nothing of what pictures are for."""

from typing import TYPE_CHECKING, Any

from mmsteer.errors import SteerError, first_line

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 16_000_000
"""A picture of more is not decoded: 20 kB of PNG can hold 170 megapixels."""
FORMATS = ("PNG", "JPEG", "WEBP")
_TOO_MANY = f"more than {MOST_PIXELS // 10**6} megapixels"
_LONGEST = 32  # times as long as wide: resized by its short side, one of 1x16,000,000 pixels would fill any memory


def header(source: Any, formats: tuple[str, ...] = FORMATS) -> "Image.Image":
    """Open a picture and read its header alone; the caller closes it.

    Args:
        source: a path or an open file.
        formats: those allowed, as Pillow calls them.

    Raises:
        SteerError: it is of another format, or too large to be decoded.
    """
    from PIL import Image

    try:
        picture = Image.open(source, formats=formats)
    except Image.DecompressionBombError:
        raise SteerError(f"the picture has {_TOO_MANY}: give a smaller one") from None
    except Exception:  # Pillow raises many kinds for a damaged file
        raise SteerError(
            f"the picture cannot be read: it is damaged, or no {' or '.join(formats)}; give another"
        ) from None
    width, height = picture.size
    why = ""
    if width * height > MOST_PIXELS:
        why = f"{_TOO_MANY}: give a smaller one"
    elif max(width, height) > _LONGEST * min(width, height):
        why = f"a side more than {_LONGEST} times as long as the other: cut it"
    if why:
        picture.close()
        raise SteerError(f"the picture has {width}x{height} pixels, {why}")
    return picture


def decode(source: Any, formats: tuple[str, ...] = FORMATS) -> "Image.Image":
    """Decode a picture into RGB, turned as its EXIF says; the first frame of several.

    Args:
        source: a path or an open file.
        formats: those allowed, as Pillow calls them.

    Raises:
        SteerError: as `header`, and for a file that breaks off.
    """
    from PIL import ImageOps

    with header(source, formats) as picture:
        try:
            return ImageOps.exif_transpose(picture).convert("RGB")
        except Exception as error:
            raise SteerError(f"the picture cannot be read to its end ({first_line(error)}): give another") from None
