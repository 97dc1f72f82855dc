"""Many visitors at once, and visitors who mean harm: over HTTP without a browser, and in one."""

import base64
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, expect
from shown_pair import open_row

from mmsteer import Edit, Origin, Recipe, Steerer
from mmsteer.bench.page_client import Visitor
from mmsteer.steering.cache import Cache

VISITORS, MOVES = 20, 3
WORDS = ("cat", "penguin", "fox", "frog", "whale")
EVIL = '"><script>window.pwned=1</script><img src=x onerror="window.pwned=1">'
ROW = {"id": 1, "mode": "slide", "strength": 1, "on": True, "locked": False, "words": [], "start": 0, "end": 1}
expect.set_options(timeout=30_000)


def rack(*rows: dict) -> dict:
    return {"rows": [ROW | row for row in rows], "silent": []}


def pair(html: str) -> list[Image.Image]:
    """Before and after out of the page's HTML."""
    sources = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [Image.open(BytesIO(base64.b64decode(data))) for data in sources]


def test_twenty_visitors_at_once_get_their_own_pictures_bit_by_bit(address: str, steerer: Steerer):
    together = threading.Barrier(VISITORS)

    def visit(k: int) -> list[tuple[str, int, Edit, str, str]]:
        visitor, prompt = Visitor(address), f"a {WORDS[k % 5]} at night, visitor {k}"
        together.wait()
        moves = []
        for move in range(MOVES):
            edit = Edit(("night", "warm light", "snow")[(k + move) % 3], strength=0.25 + 0.05 * k)
            id_ = steerer.bank.get(edit.feature).id
            html, status = visitor.draw(prompt, 100 + k // 2, rack({"id": id_, "strength": edit.strength}))
            moves.append((prompt, 100 + k // 2, edit, html, status))
        return moves

    with ThreadPoolExecutor(VISITORS) as pool:
        visits = list(pool.map(visit, range(VISITORS)))
    alone = Steerer(steerer.backbone, steerer.bank)
    for prompt, seed, edit, html, status in (move for visit_ in visits for move in visit_):
        before, after = pair(html)
        twin = alone.steer(prompt, [edit], seed)
        assert Recipe.from_json(after.text["mmsteer"]) == twin.recipe
        assert before.tobytes() == twin.before.tobytes()
        assert after.tobytes() == twin.after.tobytes()
        assert "mm-problem" not in status


def test_what_is_cached_between_visitors_is_bounded(steerer: Steerer):
    cache: Cache[int, str] = Cache(3)
    for k in range(10):
        cache.put(k, str(k))
        cache.get(7)
    assert [cache.get(k) for k in (7, 8, 9)] == ["7", "8", "9"]
    assert len(cache) == 3
    few = Steerer(steerer.backbone, steerer.bank)
    few.befores = Cache(2)
    for seed in range(4):
        few.steer("a cat", [], seed)
    assert len(few.befores) == 2
    assert len(steerer.befores) <= 64


@pytest.mark.parametrize(
    ("prompt", "seed", "value", "message"),
    [
        ("", 1, rack(), "the prompt is empty"),
        ("x" * 10_000, 1, rack(), "10,000 characters; 2,000 are allowed"),
        ({"path": "/etc/passwd"}, 1, rack(), "Something went wrong|prompt"),
        ("a cat", -1, rack(), "seed"),
        ("a cat", 1, {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "the rack cannot be read"),
        ("a cat", 1, rack({"id": 10**9}), "there is no feature"),
        ("a cat", 1, rack({"id": "1; import os"}), "there is no feature"),
        ("a cat", 1, rack({"strength": 1e9}), "allowed is -8 to 8"),
        ("a cat", 1, rack({"words": ["x" * 100_000]}), "characters; 1,000 are allowed"),
        ("a cat", 1, {"rows": [ROW] * 1_000, "silent": []}, "the rack cannot be read"),
    ],
)
def test_what_no_page_sends_gets_a_sentence(address: str, prompt, seed, value, message: str):
    try:
        html, status = Visitor(address).draw(prompt, seed, value)
    except (HTTPError, ConnectionError):
        return  # refused before it reached the page's own code
    assert re.search(message, status)
    assert "<script" not in status
    assert "<img" not in status
    assert "root:" not in str(html) + status


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=app.py",
        "/gradio_api/file=../../etc/passwd",
        "/static/../app.py",
    ],
)
def test_no_file_outside_is_read(address: str, path: str):
    with pytest.raises(HTTPError):
        urlopen(address + path)


def test_no_file_is_read_by_its_name_through_the_upload(address: str):
    """The upload's own handler, called with the path of a file that nobody uploaded."""
    with urlopen(f"{address}/config") as answer:
        config = json.loads(answer.read())
    calls = {component["id"]: component["props"].get("elem_id") for component in config["components"]}
    opens = next(d["id"] for d in config["dependencies"] if any(calls.get(t) == "mm-open" for t, _ in d["targets"]))
    for path in ("/etc/passwd", str(Path(__file__).resolve())):
        data = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}], "fn_index": opens, "session_hash": "x"}
        request = Request(
            f"{address}{config['api_prefix']}/run/predict",
            json.dumps(data).encode(),
            {"content-type": "application/json"},
        )
        with pytest.raises(HTTPError) as refused:
            urlopen(request)
        assert b"root:" not in refused.value.read()


def test_a_page_that_is_asked_to_run_scripts_runs_none(chromium: Browser, address: str, tmp_path: Path):
    """Through the prompt of a link, its words, its backbone; through the text of a PNG; and by a link of 30,000 characters."""
    recipe = Recipe(f"a cat {EVIL}", 3, edits=(Edit("night"),), origin=Origin(EVIL))
    info = PngInfo()
    info.add_itxt("mmsteer", json.dumps({**json.loads(recipe.to_json()), "prompt": EVIL, EVIL: EVIL}))
    Image.new("RGB", (4, 4)).save(tmp_path / "keys.png", pnginfo=info)
    recipe.save_png(Image.new("RGB", (4, 4)), tmp_path / "prompt.png")
    page = chromium.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.goto(f"{address}/?{recipe.to_query()}")
    expect(page.locator(".mm-after")).to_have_attribute("alt", f"After: a cat {EVIL}, seed 3, night:1")
    page.locator(".mm-thumb").first.wait_for()
    open_row(page)  # chips of the prompt's words
    for name, message in (("keys.png", "unknown keys"), ("prompt.png", "made for the backbone")):
        page.locator("#mm-under input[type=file]").set_input_files(tmp_path / name)
        expect(page.locator("#mm-notice")).to_contain_text(message)
    for query in (f"prompt=a+cat&edit=night%40{EVIL}", f"prompt=a+cat&edit={EVIL}", "prompt=" + "x" * 30_000):
        page.goto(f"{address}/?{query}")
        expect(page.locator(".mm-problem, .mm-note").first).to_be_visible()
        expect(page.locator(".mm-compare")).to_be_visible()
    assert page.evaluate("window.pwned") is None
    assert dialogs == []


def test_of_a_visitors_moves_the_newest_wins(
    chromium: Browser, address: str, steerer: Steerer, monkeypatch: pytest.MonkeyPatch
):
    drawn: list[float] = []
    begun, released, draw = threading.Event(), threading.Event(), steerer._draw

    def slow(plan, recipe, *more):  # type: ignore[no-untyped-def]
        if recipe.edits:
            drawn.append(recipe.edits[0].strength)
            begun.set()
            released.wait(30)
        return draw(plan, recipe, *more)

    page = chromium.new_page()
    page.goto(address)
    expect(page.locator(".mm-after")).to_be_visible()
    monkeypatch.setattr(steerer, "_draw", slow)
    open_row(page)
    number = page.locator(".mm-row input[type=number]").first
    for strength in ("0.5", "0.6", "0.7", "0.8"):  # while the first of them is being drawn
        number.fill(strength)
        page.keyboard.press("Enter")
        assert begun.wait(30)
    released.set()
    expect(page.locator(".mm-after")).to_have_attribute("alt", re.compile("night:0.8$"))
    assert drawn == [0.5, 0.8]


def test_who_waits_sees_their_place_in_the_queue(
    chromium: Browser, address: str, steerer: Steerer, monkeypatch: pytest.MonkeyPatch
):
    released, begun, draw = threading.Event(), threading.Event(), steerer._draw

    def waiting(*a):
        begun.set()
        released.wait(30)
        return draw(*a)

    with ThreadPoolExecutor(2) as pool:
        page = chromium.new_page()
        page.goto(address)
        expect(page.locator(".mm-after")).to_be_visible()
        box = page.locator(".mm-compare").bounding_box()
        monkeypatch.setattr(steerer, "_draw", waiting)
        try:
            others = [pool.submit(Visitor(address).draw, "a fox", 900 + k, rack({})) for k in range(2)]
            assert begun.wait(30)
            page.locator("#mm-dice").click()
            expect(page.locator("#mm-pictures .progress-text")).to_contain_text(re.compile(r"queue: \d/\d"))
            assert page.locator(".mm-compare").bounding_box() == box  # nothing jumps
        finally:
            released.set()
        assert all(pair(other.result()[0]) for other in others)
        expect(page.locator("#mm-pictures .progress-text")).to_have_count(0)
