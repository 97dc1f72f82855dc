"""Files that show all pictures of a sweep: an animated GIF, a contact sheet."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmsteer.errors import SteerError
from mmsteer.recipes.sweep import Sweep

if TYPE_CHECKING:
    from PIL import Image

NO_GIF = "an animation goes over the strengths of one feature: save a grid or several seeds as PNG"
_LARGEST = 256  # pixels a side of a picture in a file
_FRAME_MS, _END_MS = 160, 640  # how long a frame is shown, and one of the two ends


def save_gif(sweep: Sweep, pictures: "Sequence[Image.Image]", target: Any) -> None:
    """Write the pictures of one feature's sweep as an animation there and back, its recipe in the GIF's comment, to a path
    or an open file. A strip under the picture names feature and strength.
    """
    if len(sweep.rows) > 1:
        raise SteerError(NO_GIF)
    frames = [_captioned(picture, cell.label) for picture, cell in zip(pictures, sweep.cells, strict=True)]
    loop = frames + frames[-2:0:-1]
    durations = [_END_MS if k in (0, len(frames) - 1) else _FRAME_MS for k in range(len(loop))]
    loop[0].save(
        target, format="GIF", save_all=True, append_images=loop[1:], duration=durations, loop=0,
        comment=sweep.recipe.to_json().encode(),
    )  # fmt: skip


def save_sheet(sweep: Sweep, pictures: "Sequence[Image.Image]", target: Any) -> None:
    """Write all pictures on one sheet, rows and columns named, as a PNG that carries the recipe it was laid out from."""
    from PIL import Image, ImageDraw

    small = [_fitted(picture) for picture in pictures]
    width, height = small[0].size
    font, gap, top = _font(13), 6, 44
    left = gap + max(round(font.getlength(label)) for label in sweep.rows) + gap * any(sweep.rows)
    size = (left + len(sweep.columns) * (width + gap), top + len(sweep.rows) * (height + gap))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((left, 4), sweep.title, "black", font)
    for column, label in enumerate(sweep.columns):
        pen.text((left + column * (width + gap), top - 18), label, "black", font)
    for row, label in enumerate(sweep.rows):
        pen.text((gap, top + row * (height + gap) + height // 2 - 8), label, "black", font)
    for number, picture in enumerate(small):
        row, column = divmod(number, len(sweep.columns))
        sheet.paste(picture, (left + column * (width + gap), top + row * (height + gap)))
    sweep.recipe.save_png(sheet, target, pictures[0].size)


def _fitted(picture: "Image.Image") -> "Image.Image":
    """A picture as it is, or smaller where it is too large for a file of many."""
    small = picture.copy()
    small.thumbnail((_LARGEST, _LARGEST))
    return small


def _captioned(picture: "Image.Image", label: str) -> "Image.Image":
    """A picture of the animation's size, with a line of text under it."""
    from PIL import Image, ImageDraw

    scale = _LARGEST / max(picture.size)
    width, height = (round(side * scale) for side in picture.size)
    frame = Image.new("RGB", (width, height + 26), "white")
    frame.paste(picture.resize((width, height), Image.Resampling.BICUBIC), (0, 0))
    ImageDraw.Draw(frame).text((8, height + 4), label, "black", _font(15))
    return frame


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
