"""The pair of pictures that a page shows: its sources, pixels and recipe."""

import base64
from io import BytesIO

from PIL import Image
from playwright.sync_api import Page

from mmsteer import Recipe

WAIT = 30_000  # milliseconds: a slow machine is not a failure


def source(page: Page, which: str) -> str:
    return page.locator(f".mm-{which}").get_attribute("src") or ""


def pixels(page: Page, which: str) -> bytes:
    return Image.open(BytesIO(base64.b64decode(source(page, which).split(",")[1]))).convert("RGB").tobytes()


def recipe_shown(page: Page) -> Recipe:
    return Recipe.from_png(BytesIO(base64.b64decode(source(page, "after").split(",")[1])))


def changed(page: Page, old: str) -> None:
    """Wait for another pair; live frames and previews, which are JPEGs, are none."""
    another = "old => ![old, undefined].includes(src()) && !src().startsWith('data:image/jpeg')"
    page.wait_for_function(another.replace("src()", "document.querySelector('.mm-after')?.src"), arg=old, timeout=WAIT)


def open_row(page: Page, feature: str = "night") -> None:
    """Open the options of a row of the rack, where its strength stands as a number."""
    button = page.get_by_label(f"{feature}: options", exact=True)
    if button.get_attribute("aria-expanded") == "false":
        button.click()


def open_menu(page: Page) -> None:
    """Open the menu of the pair: ways to compare, saving, talk mode."""
    page.locator("#mm-pictures .mm-menu summary").click()


def open_options(page: Page) -> None:
    """Open the options of the page, unless they are open."""
    if not page.locator("#mm-all").is_visible():
        page.locator("#mm-options > button").click()
    page.locator("#mm-reset").wait_for()
