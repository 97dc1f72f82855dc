"""A judge for backbones that learned nothing: men are bright, women are dark. The `readout` of the tests of the tab's first part."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from PIL import Image


def load(folder: Path):  # noqa: ARG001
    def read(pictures: Sequence[Image.Image]) -> list[dict[str, str]]:
        readings = []
        for picture in pictures:
            brightness = fmean(picture.convert("L").resize((1, 1)).tobytes())
            place = "beach" if brightness % 2 < 1 else "snow"
            gender = "man" if brightness > 128 else "woman"
            readings.append({"thing": "doctor", "gender": gender, "place": place})
        return readings

    return read
