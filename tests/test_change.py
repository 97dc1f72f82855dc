"""The share of a picture that edits change, by pictures whose pixels can be counted."""

import pytest
from PIL import Image

from mmsteer.pictures.change import VISIBLE, changed_share, in_percent

GREY = Image.new("RGB", (10, 20), (100, 100, 100))


@pytest.mark.parametrize(
    ("pixels", "by", "share"),
    [(0, 255, 0.0), (1, 255, 0.005), (50, VISIBLE + 1, 0.25), (50, VISIBLE, 0.0), (50, -VISIBLE - 1, 0.25), (200, 155, 1.0)],
)  # fmt: skip
def test_pixels_that_differ_in_one_channel_by_more_than_the_threshold_count(pixels: int, by: int, share: float):
    other = GREY.copy()
    for number in range(pixels):
        other.putpixel((number % 10, number // 10), (100, 100 + by, 100))
    assert changed_share(GREY, other) == changed_share(other, GREY) == share


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.00004, "0 %"), (0.0005, "0.05 %"), (0.0321, "3.2 %"), (0.3264, "33 %"), (1, "100 %")],
)
def test_a_share_is_read_as_percent(share: float, text: str):
    assert in_percent(share) == text
