"""A real browser for the page's tests: an installed one, or one that can be installed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
# the first has no window of its own to draw, and takes half the time
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def _installed() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _install() -> str | None:
    """Debian's where this user may install packages; else nothing."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600"]  # another worker may be at it
        subprocess.run([*apt, "update"], check=False)
        for package in NAMES[:2]:
            if not _installed():
                subprocess.run([*apt, "install", "-y", "--no-install-recommends", package], check=False)
    return _installed()


@contextmanager
def browser() -> Iterator[Browser | None]:
    """Yield a Chromium: an installed one, playwright's own, or Debian's installed now; None if there is no way to get one."""
    with sync_playwright() as playwright:
        path = _installed()
        if path is None:
            try:
                chromium = playwright.chromium.launch(args=QUIET)
            except Error:
                subprocess.run(["playwright", "install", "chromium"], check=False)
                try:
                    chromium = playwright.chromium.launch(args=QUIET)
                except Error:
                    path = _install()
                    chromium = playwright.chromium.launch(executable_path=path, args=QUIET) if path else None
        else:
            chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield chromium
        if chromium is not None:
            chromium.close()


@contextmanager
def required() -> Iterator[Browser]:
    """Yield a Chromium. Without one the test is skipped, and fails where the variable CI is set: there all tests must run."""
    with browser() as chromium:
        if chromium is None:
            sentence = "no Chromium is installed and this user cannot install one: install chromium"
            if os.environ.get("CI"):
                pytest.fail(f"{sentence}; with CI set, browser tests are not skipped")
            pytest.skip(sentence)
        yield chromium
