"""Pictures from anybody into upright RGB: the only place that decodes them. What would take long or fill the memory is refused before
a pixel is decoded. Knows nothing of what pictures are for.
"""

import re
from typing import TYPE_CHECKING, Any

from mmsteer.errors import SteerError, first_line

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 16_000_000
"""A picture of more is not decoded: 20 kB of PNG can hold 170 megapixels."""
FORMATS = ("PNG", "JPEG", "WEBP")
_TOO_MANY = f"more than {MOST_PIXELS // 10**6} megapixels"
_ORIENTATION = 0x0112  # tag of EXIF
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # its values: `Image.Transpose` that makes the picture upright
_MOST_SCANS = 100  # of a JPEG: encoders write about ten
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # within a scan 0xff stands before 0, or numbers a restart
_SCAN, _END, _WITHOUT_LENGTH = 0xDA, 0xD9, (0x01, 0xD8)
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
    """Decode a picture into upright RGB (`upright_rgb`); the first frame of several.

    Args:
        source: a path or an open file.
        formats: those allowed, as Pillow calls them.

    Raises:
        SteerError: as `header`, for a JPEG of very many scans, and for a file that breaks off.
    """
    with header(source, formats) as picture:
        if picture.format in ("JPEG", "MPO"):  # MPO: a JPEG with more of them behind it
            _check_scans(picture)
        try:
            return upright_rgb(picture)
        except Exception as error:
            raise SteerError(f"the picture cannot be read to its end ({first_line(error)}): give another") from None


def upright_rgb(picture: "Image.Image") -> "Image.Image":
    """A picture of any mode in RGB, turned as its EXIF says: grey of more than 8 bits scaled, what is transparent on white."""
    from PIL import Image

    orientation, rgb = _orientation(picture), _rgb(picture)
    if orientation in _TURNS:
        rgb = rgb.transpose(Image.Transpose(_TURNS[orientation]))
    rgb.info = {}  # or it would be turned once more by whoever reads its EXIF
    return rgb


def _orientation(picture: "Image.Image") -> int:
    """By its EXIF; 1, upright, where that does not say. Pillow's `exif_transpose` fails on any damaged tag beside it."""
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # Pillow raises many kinds for damaged EXIF; the pixels may be well
        return 1


def _rgb(picture: "Image.Image") -> "Image.Image":
    from PIL import Image

    if picture.mode in ("F", "I") or picture.mode.startswith("I;16"):
        return _scaled(picture).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")


def _scaled(picture: "Image.Image") -> "Image.Image":
    """Grey of 16 or 32 bits as grey of 8: Pillow would cut off what lies above 255."""
    import numpy as np
    from PIL import Image

    values = np.nan_to_num(np.asarray(picture, dtype=np.float32)).clip(0)
    tops = (1.0, 255.0, 65535.0) if picture.mode == "F" else (65535.0,)
    top = next((top for top in tops if values.max() <= top), float(values.max()))
    grey = (values / top * 255).round().astype(np.uint8)
    if (transparent := picture.info.get("transparency")) is not None:
        grey[values == transparent] = 255
    return Image.fromarray(grey)


def _check_scans(picture: Any) -> None:
    """SteerError for a JPEG of more scans than `_MOST_SCANS`: each costs a pass over all pixels, and 50 bytes of file."""
    file = picture.fp
    place = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(place)
    if scans(data) > _MOST_SCANS:
        raise SteerError(
            f"the picture is a JPEG in more than {_MOST_SCANS} scans, which takes very long to decode: save it again"
        )


def scans(jpeg: bytes) -> int:
    """The scans in a JPEG file, counted by its markers (ITU-T T.81, annex B) in one pass; no more than one above `_MOST_SCANS`."""
    count, place = 0, 0
    while count <= _MOST_SCANS and (marker := _MARKER.search(jpeg, place)):
        kind, place = marker[0][1], marker.end()
        if kind == _END:
            break
        if kind not in _WITHOUT_LENGTH:
            place += max(2, int.from_bytes(jpeg[place : place + 2], "big"))
        count += kind == _SCAN
    return count
