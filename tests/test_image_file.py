"""Picture files of strangers: what is read, and what is refused with a sentence."""

import io
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_pictures import bomb, encoded, picture

import mmsteer
from mmsteer import Recipe, SteerError
from mmsteer.image_file import decode, header, scans, upright_rgb


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_turned_as_its_exif_says(kind: str):
    given = picture(0)
    exif = given.getexif()
    exif[0x0112] = 6  # the camera was held upright
    found = decode(io.BytesIO(encoded(given, kind, exif=exif)))
    assert (found.size, found.mode) == ((40, 48), "RGB")
    assert decode(io.BytesIO(encoded(given.convert("L"), kind))).mode == "RGB"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "damaged, or no PNG or JPEG or WEBP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "damaged, or no PNG"),
        (encoded(picture(0), "GIF"), "damaged, or no PNG"),
        (encoded(picture(0), "TIFF"), "damaged, or no PNG"),
        (encoded(picture(0, (400, 400)))[:300], "cannot be read to its end"),
        (bomb(), "13000x13000 pixels, more than 16 megapixels"),
        (bomb(20_000), "more than 16 megapixels"),
        (encoded(picture(0, (1, 33))), "32 times as long"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_picture_or_too_large_gets_a_sentence(data: bytes, message: str):
    with pytest.raises(SteerError, match=message):
        decode(io.BytesIO(data))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_recipe_is_not_looked_for_in_a_bomb():
    """Pillow decodes the whole of a PNG to come to the texts at its end."""
    with pytest.raises(SteerError, match="more than 16 megapixels"):
        Recipe.from_png(io.BytesIO(bomb()))


def test_a_header_alone_decodes_nothing():
    with header(io.BytesIO(encoded(picture(0, (400, 400)))[:300])) as found:  # the rest is missing
        assert found.size == (400, 400)


def test_no_other_code_decodes_pictures():
    """But for the world's own sprites, which need their transparency."""
    code = {path: path.read_text() for path in Path(mmsteer.__file__).parent.rglob("*.py")}
    decoding = {
        path.name
        for path, text in code.items()
        if re.search(r"Image\.open\(|\.convert\(.RGB.\)|exif_transpose\(", text)
    }
    assert decoding == {"image_file.py", "sprites.py"}


def shades(found: Image.Image) -> list[tuple[int, ...]]:
    """The pixels of its first row."""
    return [found.getpixel((x, 0)) for x in range(found.width)]


def test_grey_of_more_than_8_bits_is_scaled():
    ramp = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)  # 0, 1, 128 and 255 of 255
    expected = [(value,) * 3 for value in (0, 1, 128, 255)]
    assert shades(decode(io.BytesIO(encoded(Image.fromarray(ramp))))) == expected
    assert shades(upright_rgb(Image.fromarray(ramp.astype(np.int32)))) == expected
    assert shades(upright_rgb(Image.fromarray(ramp.astype(np.int32) * 8))) == expected  # by its own largest
    for top in (1, 255, 65535):
        assert shades(upright_rgb(Image.fromarray(ramp.astype(np.float32) / 65535 * top))) == expected
    wild = Image.fromarray(np.array([[np.nan, -3.0, 1.0]], dtype=np.float32))
    assert shades(upright_rgb(wild)) == [(0,) * 3, (0,) * 3, (255,) * 3]


def test_what_is_transparent_is_white():
    red, white, pink = (255, 0, 0), (255, 255, 255), (255, 127, 127)
    clear = Image.new("RGBA", (3, 1))  # black where it is transparent
    for x, alpha in enumerate((255, 0, 128)):
        clear.putpixel((x, 0), (255, 0, 0, alpha) if alpha else (0, 0, 0, 0))
    for kind in ("PNG", "WEBP"):
        assert shades(decode(io.BytesIO(encoded(clear, kind, **({} if kind == "PNG" else {"lossless": True}))))) == [
            red,
            white,
            pink,
        ]
    grey = Image.new("LA", (2, 1))
    grey.putpixel((0, 0), (9, 255))
    assert shades(decode(io.BytesIO(encoded(grey)))) == [(9, 9, 9), white]
    few = Image.new("P", (2, 1))
    few.putpalette([0, 0, 0, 255, 0, 0])
    few.putpixel((1, 0), 1)
    assert shades(decode(io.BytesIO(encoded(few, transparency=0)))) == [white, red]
    assert shades(decode(io.BytesIO(encoded(few, "GIF", transparency=0)), ("GIF",))) == [white, red]
    for mode, black in (("L", 0), ("RGB", (0, 0, 0)), ("1", 0)):
        one = Image.new(mode, (1, 1))
        assert shades(decode(io.BytesIO(encoded(one, transparency=black)))) == [white]
    deep = Image.fromarray(np.array([[7, 65535 // 5]], dtype=np.uint16))
    assert shades(decode(io.BytesIO(encoded(deep, transparency=7)))) == [white, (51, 51, 51)]


def test_print_colours_become_rgb():
    ink = Image.new("CMYK", (1, 1), (0, 255, 255, 0))
    found = decode(io.BytesIO(encoded(ink, "JPEG", quality=100))).getpixel((0, 0))
    assert np.abs(np.array(found) - (255, 0, 0)).max() < 4


def damaged_exif(orientation: int) -> bytes:
    """EXIF with an orientation, and a resolution that is text where a fraction is due."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + struct.pack("<HHI4s", 0x011A, 2, 2, b"72\0\0")
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_damaged_tag_leaves_the_picture_upright(orientation: int):
    """As Pillow's own `exif_transpose` turns the same picture with sound EXIF."""
    from PIL import ImageOps

    given = picture(0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(io.BytesIO(encoded(given, exif=exif))) as sound:
        expected = ImageOps.exif_transpose(sound)
    found = decode(io.BytesIO(encoded(given, exif=damaged_exif(orientation))))
    assert found.tobytes() == expected.tobytes()
    assert upright_rgb(found).tobytes() == found.tobytes()  # it is turned once
    assert (
        decode(io.BytesIO(encoded(given, exif=b"Exif\0\0II*\0\xff\xff"))).tobytes() == given.tobytes()
    )  # and kept if none is readable


def progressive(extra: int) -> bytes:
    """A progressive JPEG with its last scan several times more."""
    data = encoded(picture(0), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * extra + data[-2:]


def test_scans_are_counted_and_many_are_refused():
    own = scans(progressive(0))
    assert own > 1
    assert scans(encoded(picture(0), "JPEG")) == 1
    assert scans(progressive(20)) == own + 20
    assert decode(io.BytesIO(progressive(100 - own))).size == picture(0).size
    with pytest.raises(SteerError, match="a JPEG in more than 100 scans"):
        decode(io.BytesIO(progressive(101 - own)))
    inside = b"\xff\xda" * 500  # bytes of a comment are no markers
    comment = b"\xff\xfe" + (len(inside) + 2).to_bytes(2) + inside
    plain = encoded(picture(0), "JPEG")
    assert scans(plain[:2] + comment + plain[2:]) == 1
    assert scans(plain + inside) == 1  # nor are those behind the end
    assert scans(b"") == scans(b"\xff" * 1000) == scans(b"\xff\xd8\xff\xda") - 1 == 0
