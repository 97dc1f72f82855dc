"""A real browser for the page's tests: the one that is installed, or the one that can be installed here."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, sync_playwright

QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]


def _installed() -> str | None:
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


def _install() -> str | None:
    """Debian's chromium where this user may install packages; else nothing."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], check=False)
    return _installed()


@contextmanager
def browser() -> Iterator[Browser | None]:
    """Yield a Chromium: an installed one, playwright's own, or Debian's installed now; None where none can be had."""
    with sync_playwright() as playwright:
        found = _installed()
        if found is None:
            try:
                chromium = playwright.chromium.launch(args=QUIET)
            except Error:
                subprocess.run(["playwright", "install", "chromium"], check=False)
                try:
                    chromium = playwright.chromium.launch(args=QUIET)
                except Error:
                    found = _install()
                    chromium = playwright.chromium.launch(executable_path=found, args=QUIET) if found else None
        else:
            chromium = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield chromium
        if chromium is not None:
            chromium.close()
