"""Pictures of the whole page, to be looked at: `python -m tests.screenshots FOLDER`.

Starts the embedded page and writes every tab, and talk mode, at three sizes, light and dark.
"""

import argparse
import re
from pathlib import Path

from playwright.sync_api import Browser, Page

from mmsteer import Steerer
from mmsteer.assets import ASSETS
from tests.browser import browser
from tests.served import served

SIZES = ((1440, 900), (1024, 768), (390, 844))
UNSETTLED = ".pending, .mm-waiting, .mm-eye-result:empty, .mm-eye-result[aria-busy]"
SETTLED = (
    f"![...document.querySelectorAll('{UNSETTLED}')].some((part) => part.checkVisibility())"
    " && [...document.images].every((picture) => picture.complete)"
)
WAIT = 120_000  # milliseconds: the model may still be loading


def settle(page: Page) -> None:
    """Wait until pictures are there and what moves has come to rest."""
    page.wait_for_function(SETTLED, timeout=WAIT)
    page.wait_for_timeout(2500)


def take(chromium: Browser, address: str, folder: Path) -> None:
    """Write `TAB-WIDTHxHEIGHT-SCHEME.png` for every tab, size and scheme."""
    for width, height in SIZES:
        for scheme in ("light", "dark"):
            # wide at first: on a phone some tabs are in a menu
            page = chromium.new_page(viewport={"width": 1440, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
            end = f"{width}x{height}-{scheme}.png"
            page.goto(address)
            page.locator(".mm-after").first.wait_for(timeout=WAIT)
            for tab in page.get_by_role("tab").all():
                page.set_viewport_size({"width": 1440, "height": height})
                tab.wait_for()
                name = re.sub(r"\W+", "-", (tab.text_content() or "").strip().lower()).strip("-")
                tab.click()
                page.set_viewport_size({"width": width, "height": height})
                settle(page)
                page.screenshot(path=folder / f"{name}-{end}", full_page=True)
            page.goto(f"{address}/?talk=1")
            page.locator(".mm-talk .mm-after").wait_for(timeout=WAIT)
            settle(page)
            page.screenshot(path=folder / f"talk-{end}")
            page.close()


def main() -> None:
    """Read the folder, serve, look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with served(Steerer.load(), ASSETS / "banks" / "mini") as address, browser() as chromium:
        if chromium is None:
            raise SystemExit("no Chromium is installed and none can be installed by this user")
        take(chromium, address, folder)
    print(f"wrote {len(list(folder.glob('*.png')))} pictures to {folder}")


if __name__ == "__main__":
    main()
