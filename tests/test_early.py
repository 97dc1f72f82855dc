"""The first seconds: a picture from the first on, examples, talk mode and cards before the model is there, and the live pair after it."""

import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from threading import Event

import pytest
from playwright.sync_api import Browser, expect
from served import free_port, served
from shown_pair import WAIT, open_menu, recipe_shown, source

from mmsteer import FeatureBank, Steerer
from mmsteer.ahead.drawn import DrawnAhead, read_drawn
from mmsteer.ui.server.early import early_page

expect.set_options(timeout=WAIT)


@pytest.fixture(scope="module")
def drawn(drawn_bank: Path, tiny_folder: Path) -> DrawnAhead:
    """The tiny bank's pictures."""
    found = read_drawn(FeatureBank.load(drawn_bank), str(tiny_folder))
    assert found is not None
    return found


def ask(port: int, method: str = "GET", path: str = "/") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    return refused.value.code, refused.value.read().decode()


def test_the_first_example_is_served_until_the_page_is_there(drawn: DrawnAhead):
    port = free_port()
    with early_page(drawn, "127.0.0.1", port):
        status, page = ask(port)
        assert status == 503  # programs go on waiting
        assert page.count('src="data:image/webp;base64,') == 2
        assert drawn.recipes[0].prompt in page
        assert "mm-menu" not in page.split("</style>")[1]  # its scripts are not there
        assert ask(port, path="/?prompt=x") == (503, page)
        assert ask(port, "HEAD") == (503, "")
        assert ask(port, "POST")[0] == 501
    with socket.create_server(("127.0.0.1", port)):  # the port is free for the page
        pass


def test_a_silent_crowd_does_not_keep_the_page_from_starting(drawn: DrawnAhead):
    port = free_port()
    crowd = []
    with early_page(drawn, "127.0.0.1", port):
        crowd = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(60)]
    with socket.create_server(("127.0.0.1", port)):
        pass
    for one in crowd:
        one.close()


def test_without_pictures_or_with_a_taken_port_nothing_is_served(drawn: DrawnAhead):
    port = free_port()
    with (
        early_page(None, "127.0.0.1", port),
        socket.create_server(("127.0.0.1", port)),
        early_page(drawn, "127.0.0.1", port),  # gradio will say that the port is taken
    ):
        pass


def test_pictures_come_before_the_model_and_the_live_pair_after_it(
    chromium: Browser, steerer: Steerer, drawn: DrawnAhead
):
    assert drawn.bank.folder is not None
    ready = Event()
    with served(steerer, drawn.bank.folder, ready, drawn) as address:
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        figure = page.locator("#mm-pictures figure")
        expect(figure).to_have_attribute("data-ahead", "")
        expect(figure).to_contain_text("The model is loading")
        page.get_by_label("Border between before and after, percent").fill("80")
        page.locator("#mm-preset-1").click()
        page.locator("#mm-preset-2").click()
        expect(figure).to_have_attribute("data-ahead", "")
        alt = re.compile(f"^After: {drawn.recipes[2].prompt}, ")
        expect(page.locator("#mm-pictures .mm-after")).to_have_attribute("alt", alt)
        assert source(page, "after").startswith("data:image/webp;base64,")

        open_menu(page)
        expect(page.locator("[data-save=after]")).to_be_hidden()
        page.locator("#mm-talk-open").click()
        expect(page.locator(".mm-talk .mm-after")).to_be_visible()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".mm-talk-count")).to_have_text("4 of 5")  # talk mode begins with the example that is shown
        expect(page.locator(".mm-talk .mm-after")).to_be_visible()
        page.keyboard.press("Escape")

        page.get_by_role("tab", name="Explore").last.click()
        expect(page.locator(".mm-effect img")).to_have_count(12)
        page.get_by_role("tab", name="Steer").last.click()

        box = figure.bounding_box()
        ready.set()
        expect(page.locator("#mm-pictures figure[data-query]")).to_be_visible()
        assert page.locator("#mm-pictures figure").bounding_box() == box  # nothing jumps
        recipe = recipe_shown(page)  # a PNG that carries it
        assert (recipe.prompt, recipe.edits) == (drawn.recipes[2].prompt, drawn.recipes[2].edits)
        expect(page.locator(".mm-thumb")).to_have_count(1)  # of the example chosen before it nothing was drawn
        page.goto(f"{address}/?prompt=a+cat")
        expect(page.locator("#mm-pictures figure[data-query]")).to_be_visible()
        assert recipe_shown(page).prompt == "a cat"
        assert wrong == []
        page.close()


def test_a_bank_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from app import main

    with pytest.raises(SystemExit) as ended:
        main(["--bank", str(tmp_path / "none")])
    assert ended.value.code == 2
    assert f"there is no bank in {tmp_path / 'none'}" in capsys.readouterr().err.splitlines()[-1]


def test_the_first_picture_waits_for_neither_gradio_nor_torch():
    code = "import sys, app, mmsteer.ahead.drawn, mmsteer.ui.server.early; sys.exit('gradio' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1]).returncode == 0
