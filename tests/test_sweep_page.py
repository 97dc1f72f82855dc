"""The sweep panel and the third picture: what a browser may send, and the page in a real browser."""

import base64
import re
import threading
from dataclasses import replace
from io import BytesIO

import av
import gradio as gr
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from shown_pair import open_menu, open_options, open_row

from mmsteer import Edit, Origin, Recipe, Sampler, Steerer
from mmsteer.recipes.presets import PRESETS
from mmsteer.recipes.sweep_files import FILES
from mmsteer.ui.shared.loading import Loading
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.steer.image import image_of
from mmsteer.ui.steer.rack import edits_of, rows
from mmsteer.ui.steer.reading import Reading
from mmsteer.ui.steer.words import by_words
from mmsteer.ui.sweep.panel import Sweeps

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)
FAST = Sampler(3, 3.0)
RECIPE = Recipe("a big cat in a meadow", 5, FAST, (Edit("penguin", strength=0.7), Edit("night"), Edit("vignette")))


def pixels(source: str) -> bytes:
    """Of a picture as the page has it, a data address."""
    return Image.open(BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB").tobytes()


# -- what a browser may send


@pytest.fixture(scope="module")
def answers(tiny: Steerer) -> Sweeps:
    return Sweeps(PageState(tiny.bank, lambda: tiny))


SHELF = {"rows": [], "silent": []}


@pytest.mark.parametrize(
    "asked",
    [
        None, [], "x", {}, {"kind": "over"}, {"kind": "over", "features": ["x"]}, {"kind": "over", "features": [999]},
        {"kind": "evil", "features": [1]}, {"kind": "against", "features": [1]}, {"kind": "over", "features": [1, 0]},
        {"kind": "over", "features": 3},
    ],
)  # fmt: skip
def test_a_sweep_that_no_panel_asks_for_is_refused(answers: Sweeps, tiny: Steerer, asked):
    shelf = rows(tiny.bank, [Edit("night"), Edit("penguin")])
    answer = answers.lay("a cat", 3, shelf, None, "", image_of(None), None, asked)
    assert set(answer) == {"error", "run"}
    assert "log" not in answer["error"]  # a sentence of ours, not a surprise


@pytest.mark.parametrize(
    "shelf", [None, [], {"rows": 3}, {"rows": [{"id": 1, "strength": {}}], "silent": []}, {"rows": [3], "silent": []}]
)
def test_a_rack_that_cannot_be_read_is_refused(answers: Sweeps, shelf):
    answer = answers.lay("a cat", 3, shelf, None, "", None, None, {"kind": "over", "features": [1]})
    assert "the rack cannot be read" in answer["error"] or "add it first" in answer["error"]


def say(kind: str, edits: tuple[Edit, ...]) -> dict[str, str]:
    return {"kind": kind, "recipe": RECIPE.to_json(), "swept": replace(RECIPE, edits=edits).to_json()}


NIGHT = say("over", (Edit("night"),))


@pytest.mark.parametrize(
    "again",
    [
        None, {}, [], NIGHT | {"kind": "evil"}, NIGHT | {"kind": {}}, NIGHT | {"recipe": 3}, NIGHT | {"swept": "{"},
        NIGHT | {"recipe": '{"prompt": "cat", "seed": -1}'}, say("over", ()), say("against", (Edit("night"),)),
        say("over", (Edit("unicorn"),)), say("over", (Edit("night"), Edit("snow"))), say("against", (Edit("night"), Edit("night"))),
    ],
)  # fmt: skip
def test_a_picture_that_no_sweep_has_is_refused(answers: Sweeps, again):
    for answer in (
        answers.draw({"again": again, "cell": 0}),
        *(answers.file({"again": again, "file": f}) for f in FILES),
    ):
        assert set(answer) == {"error", "run"}
        assert "log" not in answer["error"]


def test_whatever_origin_a_browser_says_a_picture_says_what_drew_it(answers: Sweeps, tiny: Steerer):
    forged = replace(RECIPE, origin=Origin("sd15", bank="0123456789abcdef")).to_json()
    answer = answers.draw({"again": NIGHT | {"recipe": forged}, "cell": 0})
    data = base64.b64decode(answer["drawn"]["picture"].split(",")[1])
    assert Recipe.from_png(BytesIO(data)).origin == tiny.origin


def test_an_animation_has_the_type_of_its_file_and_is_of_one_feature(answers: Sweeps):
    for kind in ("gif", "mp4"):
        answer = answers.file({"again": NIGHT, "file": kind})["file"]
        assert answer["name"] == f"sweep.{kind}"
        assert answer["data"].startswith(f"data:{FILES[kind].mime};base64,")
        grid = answers.file({"again": say("against", (Edit("night"), Edit("snow"))), "file": kind})
        assert "save a grid or several seeds as PNG" in grid["error"]


def test_a_cell_a_file_or_a_seed_that_is_not_there_is_refused(answers: Sweeps):
    for cell in (-1, 9, "0", None, 1.5):
        assert "error" in answers.draw({"again": NIGHT, "cell": cell})
    for kind in ("exe", None, "../x", {}):
        assert "error" in answers.file({"again": NIGHT, "file": kind})
    for seed in (-1, "3", None, 2**32, {}):
        assert answers.pick({"seed": seed}) == gr.skip()
    assert answers.pick({"seed": 3}) == 3


def test_what_is_laid_out_is_what_the_rack_gives_with_that_strength(answers: Sweeps, tiny: Steerer):
    shelf = rows(tiny.bank, [Edit("penguin", strength=0.5), Edit("night", "remove", 0.5), Edit("warm light")])
    shelf["rows"][1]["on"] = False
    laid = answers.lay("a cat", 3, shelf, FAST, "", None, None, {"kind": "over", "features": [1], "run": 7})
    assert laid["run"] == 7
    for k, cell in enumerate(laid["laid"]["cells"]):
        ((feature, strength),) = cell["puts"]
        assert feature == 1
        moved = [row | {"on": True, "strength": strength} if row["id"] == 1 else row for row in shelf["rows"]]
        put = tiny.steer("a cat", edits_of(tiny.bank, shelf | {"rows": moved}), 3, FAST).after
        answer = answers.draw({"again": laid["laid"]["again"], "cell": k})
        assert pixels(answer["drawn"]["picture"]) == put.tobytes()
    silent = answers.lay(
        "a cat", 3, shelf | {"silent": ["cross"]}, None, "", None, None, {"kind": "over", "features": [1]}
    )
    assert "cross features are silent" in silent["error"]


@pytest.mark.parametrize(
    "asked",
    [
        None,
        {},
        {"query": 3},
        {"query": "prompt="},
        {"query": "x" * 30_000},
        {"query": "prompt=night&edit=night:remove"},
    ],
)
def test_a_hostile_third_picture_gets_a_sentence(tiny: Steerer, asked):
    answer = by_words(tiny.bank, Loading(lambda: tiny), Reading(), asked)
    assert set(answer) == {"query", "error"}
    assert "log" not in answer["error"]


# -- the page


def swept(page: Page, kind: str, count: int) -> None:
    page.locator(f"#mm-sweep [data-kind={kind}]").click()
    expect(page.locator(".mm-cell")).to_have_count(count)
    expect(page.locator(".mm-cell img")).to_have_count(count)


def shown(page: Page) -> Recipe:
    source = page.locator("#mm-pictures .mm-after").get_attribute("src") or ""
    return Recipe.from_png(BytesIO(base64.b64decode(source.split(",")[1])))


def drawn(page: Page, wanted: str) -> None:
    """Wait for a pair whose link says this."""
    page.wait_for_function(
        "wanted => document.querySelector('#mm-pictures figure[data-query]')?.dataset.query.includes(wanted)",
        arg=wanted,
        timeout=WAIT,
    )


def test_a_sweep_is_scrubbed_without_the_server_and_put_into_the_rack(page: Page, steerer: Steerer):
    swept(page, "over", 9)
    sources = [page.locator(".mm-cell img").nth(k).get_attribute("src") or "" for k in range(9)]
    for k in range(9):  # the prompt has no night to be taken out: from zero on
        recipe = Recipe.from_png(BytesIO(base64.b64decode(sources[k].split(",")[1])))
        assert [(e.mode, e.strength) for e in recipe.edits] == ([("add", k / 4)] if k else [])
        assert pixels(sources[k]) == steerer.picture(recipe).tobytes()
    requests: list[str] = []
    page.on("request", lambda request: None if request.url.startswith("data:") else requests.append(request.url))
    scrub = page.get_by_label("scrub: night")
    scrub.focus()
    page.keyboard.press("Home")
    for k in range(9):  # the picture is there as the key comes up, not later
        assert page.evaluate("document.querySelector('.mm-stage-picture').src") == sources[k]
        expect(page.locator(".mm-stage figcaption")).to_have_text(f"night {k / 4:g}")
        assert page.locator(".mm-stage-picture").get_attribute("alt") == f"{PRESETS[0].prompt}: night {k / 4:g}"
        page.keyboard.press("ArrowRight")
    box = scrub.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    assert page.evaluate("document.querySelector('.mm-stage-picture').src") == sources[0]
    assert requests == []
    page.locator(".mm-cell").nth(6).click()
    expect(page.get_by_label("strength of night", exact=True)).to_have_value("1.5")
    drawn(page, "edit=night%3A1.5")
    assert page.locator("#mm-pictures .mm-after").get_attribute("src") == sources[6]
    expect(page.locator(".mm-cell img")).to_have_count(9)  # and the sweep stands


def test_a_slider_moved_meanwhile_waits_for_one_picture_at_most(
    page: Page, steerer: Steerer, monkeypatch: pytest.MonkeyPatch
):
    gate, draw, begun = threading.Event(), steerer._draw, []

    def gated(plan, recipe, *more):
        begun.append([(edit.mode, edit.strength) for edit in recipe.edits])
        if begun[-1] == [("add", 1.0)]:
            assert gate.wait(60)
        return draw(plan, recipe, *more)

    open_options(page)
    page.locator("#mm-seed input").fill("4711")  # a seed nobody has drawn
    monkeypatch.setattr(steerer, "_draw", gated)
    page.locator("#mm-sweep [data-kind=over]").click()
    expect(page.locator(".mm-cell img")).to_have_count(2)  # 0 and 2; the third, 1, is being drawn
    open_row(page)
    page.get_by_label("strength of night, as a number").fill("0.35")
    page.keyboard.press("Enter")
    expect(page.locator(".mm-sweep-status")).to_contain_text("The features have changed: stopped at 2 of 9.")
    gate.set()
    drawn(page, "edit=night%3A0.35")
    expect(page.locator(".mm-cell img")).to_have_count(
        2
    )  # the picture that had begun gives way, and no other was asked for
    assert begun[-2:] == [[("add", 1.0)], [("add", 0.35)]]
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".mm-cell img")).to_have_count(9)
    expect(page.get_by_role("button", name="Go on")).to_be_hidden()


def test_a_sweep_is_saved_as_a_gif_a_video_and_a_sheet(page: Page):
    swept(page, "over", 9)
    for name, kind in (("Save as GIF", "GIF"), ("Save as a sheet", "PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        with Image.open(download.value.path()) as picture:
            assert picture.format == kind
            text = picture.info["comment"].decode() if kind == "GIF" else picture.text["mmsteer"]
        recipe = Recipe.from_json(text)
        assert (recipe.prompt, [e.strength for e in recipe.edits]) == (PRESETS[0].prompt, [1.0])
        assert download.value.suggested_filename == f"sweep.{kind.lower()}"
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as MP4").click()
    assert download.value.suggested_filename == "sweep.mp4"
    with av.open(str(download.value.path())) as video:
        assert Recipe.from_json(video.metadata["comment"]) == recipe


def test_two_features_make_a_grid_and_a_cell_puts_both(page: Page):
    expect(page.locator("#mm-sweep [data-kind=against]")).to_be_disabled()
    page.get_by_label("add a feature").fill("snow")
    page.locator("#mm-rack .mm-chips button").first.click()
    expect(page.get_by_label("feature to sweep", exact=True)).to_have_value("8")  # the row last changed
    swept(page, "against", 25)
    page.get_by_label("scrub: snow").focus()
    page.keyboard.press("End")
    page.get_by_label("scrub: night").focus()
    page.keyboard.press("Home")
    expect(page.locator(".mm-stage figcaption")).to_have_text("snow 2, night 0")
    page.keyboard.press("End")
    expect(page.locator(".mm-stage figcaption")).to_have_text("snow 2, night 2")
    current = page.locator(".mm-cell[aria-current=true]")
    expect(current).to_have_count(1)
    current.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("strength of night", exact=True)).to_have_value("2")
    expect(page.get_by_label("strength of snow", exact=True)).to_have_value("2")
    page.wait_for_function(
        "document.querySelector('#mm-pictures .mm-after').alt.includes('night:2, snow:2')", timeout=WAIT
    )
    assert [(edit.mode, edit.strength) for edit in shown(page).edits] == [("add", 2.0)] * 2


def test_several_seeds_before_and_after_and_one_is_picked(page: Page, steerer: Steerer):
    open_options(page)
    swept(page, "seeds", 12)
    page.get_by_label("before or after").focus()
    page.keyboard.press("End")
    page.get_by_label("scrub: seed").focus()
    page.keyboard.press("End")
    expect(page.locator(".mm-stage figcaption")).to_have_text(f"after, seed {PRESETS[0].seed + 5}")
    page.locator(".mm-cell").last.click()
    drawn(page, f"seed={PRESETS[0].seed + 5}")
    expect(page.locator("#mm-seed input")).to_have_value(str(PRESETS[0].seed + 5))
    stage = page.locator(".mm-stage-picture").get_attribute("src") or ""
    assert pixels(stage) == steerer.picture(shown(page)).tobytes()


def test_an_empty_prompt_or_rack_gets_a_sentence(page: Page):
    page.locator("#mm-prompt textarea, #mm-prompt input").first.fill("")
    page.locator("#mm-sweep [data-kind=over]").click()
    expect(page.locator(".mm-sweep-status")).to_contain_text("the prompt is empty")
    page.get_by_label("take night out").click()
    expect(page.locator("#mm-sweep [data-kind=over]")).to_be_disabled()


def test_the_same_thing_by_prompt_stands_beside_the_pair_and_follows_it(page: Page, steerer: Steerer):
    third = page.locator(".mm-third img")
    open_menu(page)
    page.locator("#mm-by-words").click()
    expect(third).to_have_attribute("alt", f"By prompt: {PRESETS[0].prompt} night")
    wanted = steerer.picture(Recipe(f"{PRESETS[0].prompt} night", PRESETS[0].seed, steerer.sampler, (), steerer.origin))
    assert pixels(third.get_attribute("src") or "") == wanted.tobytes()
    pair, beside = (page.locator(where).bounding_box() for where in ("#mm-pictures .mm-compare", ".mm-third img"))
    assert pair
    assert beside
    assert beside["x"] >= pair["x"] + pair["width"]
    assert abs(beside["y"] - pair["y"]) < 4
    expect(page.locator(".mm-third")).not_to_contain_text("No caption")
    warm = next(p for p in PRESETS if p.title == "Warm light")
    page.get_by_role("button", name=warm.title, exact=True).click()
    expect(third).to_have_attribute("alt", f"By prompt: {warm.prompt} warm light")
    expect(page.locator(".mm-third .mm-note")).to_contain_text("No caption mentions warm light")
    open_menu(page)
    page.locator("#mm-by-words").click()
    expect(third).to_have_count(0)


def test_numbers_by_clip_stand_beside_the_pair(page: Page):
    expect(page.locator("#mm-status .mm-similarity")).to_have_text(
        re.compile(r"CLIP similarity: the prompt -?\d\.\d\d → -?\d\.\d\d, night -?\d\.\d\d → -?\d\.\d\d$")
    )
    open_options(page)
    page.locator("#mm-reset").click()  # nothing is edited: nothing to compare
    expect(page.locator("#mm-status .mm-similarity")).to_have_count(0)


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_nothing_runs_over_the_side_with_everything_open(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 844})
    open_menu(page)
    page.locator("#mm-by-words").click()
    expect(page.locator(".mm-third img")).to_be_visible()
    swept(page, "seeds", 12)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outer = page.locator(".mm-sweep").bounding_box()
    inner = page.locator(".mm-sweep-side").bounding_box()
    assert outer
    assert inner
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]


def test_markup_in_a_prompt_is_text_here_too(page: Page):
    evil = '<img src=x onerror="window.pwned=1">'
    page.locator("#mm-prompt textarea, #mm-prompt input").first.fill(evil)
    page.locator("#mm-draw").click()
    open_menu(page)
    page.locator("#mm-by-words").click()
    swept(page, "over", 9)
    expect(page.locator(".mm-sweep-title")).to_contain_text(evil)
    expect(page.locator(".mm-third img")).to_have_attribute("alt", f"By prompt: {evil} night")
    assert page.evaluate("window.pwned") is None
