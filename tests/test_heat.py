"""The difference view: a heat map over *before*, in a real browser, against the same numbers in NumPy."""

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from shown_pair import WAIT, changed, open_menu, pixels, source

from mmsteer.pictures.change import changed_share, in_percent

expect.set_options(timeout=WAIT)


def picture(page: Page, which: str) -> Image.Image:
    side = page.evaluate("document.querySelector('.mm-before').naturalWidth")
    return Image.frombytes("RGB", (side, side), pixels(page, which))


def heat(page: Page) -> np.ndarray:
    """The map's red, green, blue and opacity."""
    data = page.evaluate("document.querySelector('.mm-heat').toDataURL().split(',')[1]")
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGBA")).astype(int)


def choose(page: Page, view: str) -> None:
    open_menu(page)
    page.locator(f"[data-view='{view}']").click()


def test_the_map_shows_where_and_how_strongly_a_pair_differs(page: Page):
    choose(page, "difference")
    legend = page.locator(".mm-heat-legend")
    for key in ("", "End"):  # the map follows the next pair
        if key:
            old = source(page, "after")
            page.get_by_label("strength of", exact=False).first.press(key)
            changed(page, old)
            page.wait_for_function(
                "document.querySelector('.mm-after').src.startsWith('data:image/png')"
            )  # no live frame
        first, second = picture(page, "before"), picture(page, "after")
        change = np.abs(np.asarray(first).astype(int) - np.asarray(second)).max(-1)
        end = max(32, change.max())
        expect(legend).to_contain_text(f"{in_percent(changed_share(first, second))} of the picture changed")
        expect(legend).to_contain_text(f"{end} of 255")
        drawn = heat(page)
        assert (drawn[change == 0, 3] == 0).all()  # there *before* shows alone
        assert (drawn[change > 32, 3] > 200).all()
        seen = change > 16
        brightness = drawn[seen, :3] @ np.array([0.2126, 0.7152, 0.0722])
        order = np.corrcoef(change[seen], brightness)[0, 1]  # brighter where it changes more: it reads without colour
        assert change[seen].std() == 0 or order > 0.9
    choose(page, "slide")
    expect(legend).to_be_hidden()
    expect(page.locator(".mm-after")).to_be_visible()


@pytest.mark.parametrize("colour", ["red-blind", "green-blind", "none"])
def test_its_colours_keep_their_order_for_every_eye(page: Page, colour: str):
    """By the brightness that is left (Viénot et al. 1999 project red-green blindness; grey has none)."""
    choose(page, "difference")
    bar = page.locator(".mm-heat-legend i").evaluate("node => getComputedStyle(node).backgroundImage")
    stops = np.array([[int(part) for part in rgb.split(",")] for rgb in re.findall(r"rgb\(([^)]*)\)", bar)]) / 255
    linear = stops**2.2
    see = {
        "red-blind": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
        "green-blind": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
        "none": [[0.2126, 0.7152, 0.0722]] * 3,
    }[colour]
    brightness = linear @ np.array(see).T @ np.array([0.2126, 0.7152, 0.0722])
    assert len(stops) == 10
    assert (np.diff(brightness) > 0).all()
