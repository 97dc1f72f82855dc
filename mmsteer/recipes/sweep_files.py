"""Files that show all pictures of a sweep: an animation as GIF or MP4, a contact sheet as PNG."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.errors import SteerError
from mmsteer.recipes.sweep import Sweep

if TYPE_CHECKING:
    from PIL import Image

ANIMATIONS = ("gif", "mp4")
NO_ANIMATION = "an animation goes over the strengths of one feature: save a grid or several seeds as PNG"
_LARGEST = 256  # pixels a side of a picture in a sheet or a GIF
_LARGEST_MP4 = 512  # likewise; video packs better
_FRAME_MS, _END_MS = 160, 640  # how long a frame is shown, and one of the two ends
_RATE = 25  # frames a second of a video: whole numbers of them make up both times
_BT_601 = 6  # standard for colour, as FFmpeg numbers it; a player would guess one by the size
_STRIP, _FONT = 26, 15  # pixels of the strip under a picture of 256, and of its letters


def save_gif(sweep: Sweep, pictures: "Sequence[Image.Image]", target: Any) -> None:
    """Write the pictures of one feature's sweep as an animation there and back, its recipe in the GIF's comment, to a path
    or an open file. A strip under the picture names feature and strength.
    """
    frames, durations = zip(*_there_and_back(sweep, pictures, _LARGEST), strict=True)
    frames[0].save(
        target, format="GIF", save_all=True, append_images=frames[1:], duration=list(durations), loop=0,
        comment=sweep.recipe.to_json().encode(),
    )  # fmt: skip


def save_mp4(sweep: Sweep, pictures: "Sequence[Image.Image]", target: Any) -> None:
    """Write the same as a video that browsers and slides play, its recipe in the tag `comment`: H.264, yuv420p, sides even."""
    import av
    import numpy as np

    shown = list(_there_and_back(sweep, pictures, _LARGEST_MP4))
    with av.open(target, "w", format="mp4") as video:
        video.metadata["comment"] = sweep.recipe.to_json()
        stream = video.add_stream("libx264", _RATE, {"crf": "18"})
        stream.width, stream.height = shown[0][0].size
        stream.pix_fmt = "yuv420p"
        coding = stream.codec_context
        coding.colorspace = coding.color_primaries = coding.color_trc = _BT_601  # what frames are converted by
        for picture, duration in shown:
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            for _ in range(duration * _RATE // 1000):
                video.mux(stream.encode(frame))
        video.mux(stream.encode(None))


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


def _there_and_back(
    sweep: Sweep, pictures: "Sequence[Image.Image]", largest: int
) -> "Iterator[tuple[Image.Image, int]]":
    """The frames of an animation of one feature's sweep, with how many milliseconds each is shown; SteerError for any other sweep."""
    if len(sweep.rows) > 1:
        raise SteerError(NO_ANIMATION)
    frames = [_captioned(picture, cell.label, largest) for picture, cell in zip(pictures, sweep.cells, strict=True)]
    for number in [*range(len(frames)), *range(len(frames) - 2, 0, -1)]:
        yield frames[number], _END_MS if number in (0, len(frames) - 1) else _FRAME_MS


def _captioned(picture: "Image.Image", label: str, largest: int) -> "Image.Image":
    """A picture scaled to `largest` pixels on its long side, with a line of text under it; both sides even, as video needs them."""
    from PIL import Image, ImageDraw

    scale, unit = largest / max(picture.size), largest / _LARGEST
    width, height = (max(2, 2 * round(side * scale / 2)) for side in picture.size)
    frame = Image.new("RGB", (width, height + round(_STRIP * unit)), "white")
    frame.paste(picture.resize((width, height), Image.Resampling.BICUBIC), (0, 0))
    ImageDraw.Draw(frame).text((8 * unit, height + 4 * unit), label, "black", _font(round(_FONT * unit)))
    return frame


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


class _Kind(NamedTuple):
    save: "Callable[[Sweep, Sequence[Image.Image], Any], None]"
    """Writes a sweep and its pictures to a path or an open file."""
    mime: str


FILES = {
    "png": _Kind(save_sheet, "image/png"), "gif": _Kind(save_gif, "image/gif"), "mp4": _Kind(save_mp4, "video/mp4"),
}  # fmt: skip
"""Kinds of files, by their endings."""
