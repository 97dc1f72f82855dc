"""Picture files of strangers: what is read, and what is refused with a sentence."""

import io

import pytest
from sample_pictures import bomb, encoded, picture

from mmsteer import Recipe, SteerError
from mmsteer.image_file import decode, header


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
