"""The tab "From a picture" in a real browser, and what it refuses."""

import base64
import io
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect
from sample_pictures import bomb, encoded, picture

from mmsteer import Edit, FeatureBank, Recipe, Steerer
from mmsteer.image_file import decode
from mmsteer.pictures.picture_features import PictureReader, strongest
from mmsteer.ui.picture.tab import _EXAMPLE, _Handlers
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.uploads import LARGEST_FILE

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)


@pytest.fixture
def page(page: Page) -> Page:
    page.get_by_role("tab", name="From a picture").click()
    expect(tile(page, "after")).to_be_visible()
    return page


def tile(page: Page, which: str):
    return page.locator("#mm-pair img").nth(("before", "after").index(which))


def source(page: Page, which: str) -> str:
    return tile(page, which).get_attribute("src") or ""


def recipe_of(page: Page, which: str = "after") -> Recipe:
    return Recipe.from_png(io.BytesIO(base64.b64decode(source(page, which).split(",")[1])))


def changed(page: Page, old: str) -> None:
    page.wait_for_function("old => document.querySelectorAll('#mm-pair img')[1]?.src !== old", arg=old, timeout=WAIT)


def shown(page: Page):
    return page.locator("#mm-source img")


def chips(page: Page, modality: str):
    return page.get_by_role("region", name=f"its {modality} part").locator("[data-mm-add]")


def slider(page: Page, modality: str):
    return page.get_by_label(f"strength of its {modality} part")


def give(page: Page, tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    page.locator("#mm-source input[type=file]").set_input_files(tmp_path / name)


def test_the_first_look_is_an_example_with_the_prompt_of_the_tab_steer(page: Page, steerer: Steerer):
    prompt = page.locator("#mm-into-prompt textarea, #mm-into-prompt input").first.input_value()
    assert prompt == steerer_prompt(page)
    assert (shown(page).get_attribute("alt") or "").startswith(
        "After: please draw a lovely penguin in the middle in the snow"
    )
    assert tile(page, "before").get_attribute("alt") == f"Before: {prompt}, seed {recipe_of(page).seed}"
    assert source(page, "before") != source(page, "after")
    own = {f.id for f, _ in PictureReader(steerer).features_of(example(page, steerer))}
    offered = [
        int(chip.get_attribute("data-mm-add") or -1) for m in ("vision", "cross") for chip in chips(page, m).all()
    ]
    assert offered
    assert set(offered) <= own
    assert [edit.feature for edit in recipe_of(page).edits] == [
        steerer.bank.get(int(chip.get_attribute("data-mm-add") or -1)).name for chip in chips(page, "vision").all()
    ]  # the first look is its vision part alone
    assert slider(page, "vision").input_value() == "1"
    assert slider(page, "cross").input_value() == slider(page, "language").input_value() == "0"


def steerer_prompt(page: Page) -> str:
    return page.locator("#mm-prompt textarea, #mm-prompt input").first.input_value()


def example(page: Page, steerer: Steerer) -> Image.Image:
    prompt, added, seed = _EXAMPLE
    return steerer.picture(Recipe(prompt, seed, steerer.sampler, added, steerer.origin))


def test_a_released_slider_redraws_after_and_keeps_before(page: Page):
    before, after = source(page, "before"), source(page, "after")
    box = slider(page, "cross").bounding_box()
    assert box
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2, steps=6)
    assert source(page, "after") == after
    page.mouse.up()
    changed(page, after)
    assert source(page, "before") == before
    assert len(recipe_of(page).edits) == len(chips(page, "vision").all()) + len(chips(page, "cross").all())


def test_arrow_keys_draw_once_when_they_rest(page: Page, steerer: Steerer, monkeypatch: pytest.MonkeyPatch):
    drawn = []
    draw = steerer._draw
    monkeypatch.setattr(steerer, "_draw", lambda *a: drawn.append(1) or draw(*a))
    after = source(page, "after")
    slider(page, "vision").focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    changed(page, after)
    assert len(drawn) == 1
    assert slider(page, "vision").input_value() == "0.75"


def test_a_move_made_while_a_picture_is_drawn_is_not_lost(
    page: Page, steerer: Steerer, monkeypatch: pytest.MonkeyPatch
):
    free, drawing, draw = threading.Event(), threading.Event(), steerer._draw

    def gated(*given):
        drawing.set()
        assert free.wait(WAIT / 1000)
        return draw(*given)

    monkeypatch.setattr(steerer, "_draw", gated)
    page.get_by_role("button", name="what is seen and can be said").click()
    assert drawing.wait(WAIT / 1000)
    slider(page, "cross").focus()
    page.keyboard.press("End")
    expect(slider(page, "cross")).to_have_value("1.5")
    page.wait_for_function("document.querySelector('#mm-parts') && performance.now()")  # the page goes on meanwhile
    free.set()
    feature = chips(page, "cross").first
    name = (feature.text_content() or "").split(" ", 1)[1].rsplit(" ", 1)[0]
    strength = round(min(1.5 * float(feature.get_attribute("data-mm-strength") or 0), 2.0), 1)
    page.wait_for_function(
        "message => document.querySelectorAll('#mm-pair img')[1].alt.includes(message)",
        arg=f"{name}:{strength:g}"[:-1],
        timeout=WAIT,
    )
    expect(slider(page, "cross")).to_have_value("1.5")


def test_one_part_alone_at_a_click_and_none_is_before(page: Page, steerer: Steerer):
    after = source(page, "after")
    page.get_by_role("button", name="what is seen and can be said").click()
    changed(page, after)
    assert {steerer.bank.get(edit.feature).modality for edit in recipe_of(page).edits} == {"cross"}
    after = source(page, "after")
    slider(page, "cross").focus()
    page.keyboard.press("Home")
    changed(page, after)
    assert recipe_of(page).edits == ()
    pixels = [
        Image.open(io.BytesIO(base64.b64decode(source(page, w).split(",")[1]))).tobytes() for w in ("before", "after")
    ]
    assert pixels[0] == pixels[1]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_upload_is_read_upright(page: Page, steerer: Steerer, tmp_path: Path, kind: str):
    after = source(page, "after")
    given = picture(4, (600, 300))
    exif = given.getexif()
    exif[0x0112] = 6
    data = encoded(given, kind, exif=exif)
    give(page, tmp_path, f"mine.{kind.lower()}", data)
    expect(shown(page)).to_have_attribute("alt", "the picture you gave")
    changed(page, after)
    assert page.evaluate(
        "[...document.querySelectorAll('#mm-source img')].map(i => [i.naturalWidth, i.naturalHeight])"
    ) == [[256, 512]]
    wanted = strongest(PictureReader(steerer).features_of(decode(io.BytesIO(data))))
    for modality in ("vision", "cross"):
        offered = [
            (int(c.get_attribute("data-mm-add") or -1), c.get_attribute("data-mm-strength"))
            for c in chips(page, modality).all()
        ]
        assert offered == [(f.id, f"{amount:.2f}") for f, amount in wanted[modality]]
    expect(page.get_by_role("region", name="its language part")).to_contain_text("Type its caption")


def test_a_caption_gives_the_language_part(page: Page, tmp_path: Path):
    give(page, tmp_path, "mine.png", encoded(picture(5)))
    expect(shown(page)).to_have_attribute("alt", "the picture you gave")
    expect(chips(page, "language")).to_have_count(0)
    expect(slider(page, "language")).to_be_disabled()
    caption = page.locator("#mm-caption textarea, #mm-caption input").first
    caption.fill("please draw a lovely penguin , thank you")
    page.keyboard.press("Enter")
    expect(chips(page, "language").first).to_be_visible()
    expect(slider(page, "language")).to_be_enabled()
    after = source(page, "after")
    page.get_by_role("button", name="what only its caption says").click()
    changed(page, after)
    assert len(recipe_of(page).edits) == chips(page, "language").count()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bad_files_get_a_sentence_and_the_page_goes_on(page: Page, tmp_path: Path):
    old, after = shown(page).get_attribute("src"), source(page, "after")
    for name, data, message in (
        *[("broken.png", encoded(picture(6, (400, 400)))[:300], "cannot be read to its end")] * 2,
        ("empty.png", b"", "damaged"),
        ("really-a-gif.png", encoded(picture(6), "GIF"), "damaged, or no PNG"),
        ("bomb.png", bomb(), "more than 16 megapixels"),
        ("large.png", b"\0" * (LARGEST_FILE + 1), "large.png has 5.0 MB; 5 are allowed"),
        ("words.txt", b"a cat", "words.txt is no PNG, JPEG or WebP picture"),
        ("<img src=x onerror=window.pwned=1>.png", b"x", "damaged"),
    ):
        page.evaluate("document.querySelector('#mm-source .mm-problem').textContent = ''")
        give(page, tmp_path, name, data)
        expect(page.locator("#mm-source .mm-problem:visible")).to_contain_text(message)
        assert (shown(page).get_attribute("src"), source(page, "after")) == (old, after)
    assert page.evaluate("window.pwned") is None
    give(page, tmp_path, "fine.png", encoded(picture(7)))
    expect(shown(page)).to_have_attribute("alt", "the picture you gave")
    expect(page.locator("#mm-source .mm-problem:visible")).to_have_count(0)


def test_a_dropped_file_is_taken_as_an_upload(page: Page):
    data = base64.b64encode(encoded(picture(8))).decode()
    transfer = page.evaluate_handle(
        """data => { const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], "mine.png", {type: "image/png"}));
        return transfer; }""",
        data,
    )
    page.dispatch_event("#mm-source .mm-source", "drop", {"dataTransfer": transfer})
    expect(shown(page)).to_have_attribute("alt", "the picture you gave")


@pytest.mark.parametrize("which", ["before", "after"])
def test_what_the_tab_steer_shows_is_taken_with_its_prompt_as_caption(page: Page, steerer: Steerer, which: str):
    page.get_by_role("button", name=f"Use {which}").click()
    alt = page.locator(f"#mm-pictures .mm-{which}").get_attribute("alt") or ""
    expect(shown(page)).to_have_attribute("alt", alt)
    assert page.locator("#mm-caption textarea, #mm-caption input").first.input_value() == steerer_prompt(page)


def test_a_feature_goes_into_the_rack_at_a_click(page: Page):
    chip = chips(page, "cross").last
    number, strength = chip.get_attribute("data-mm-add"), float(chip.get_attribute("data-mm-strength") or 0)
    chip.click()
    expect(page.locator("#mm-parts .mm-note")).to_contain_text("is among the active features of the tab Steer")
    page.get_by_role("tab", name="Steer", exact=True).click()
    row = page.locator(f".mm-row[data-id='{number}']")
    expect(row).to_be_visible()
    if number != "1":  # night is in the rack of the first preset
        assert float(row.locator(".mm-track input").input_value()) == pytest.approx(min(strength, 2.0), abs=0.026)


def test_the_parts_open_beside_the_active_features_and_undo_takes_them_back(page: Page):
    page.get_by_role("button", name="what it looks like, minus what can be said").click()
    page.get_by_role("button", name="Open with the active features").click()
    rows = page.locator(".mm-row")
    expect(rows.first).to_contain_text("night")  # which was there
    expect(rows.nth(1)).to_be_visible()
    page.locator("#mm-undo").click()
    expect(rows).to_have_count(1)


def test_the_parts_alone_draw_the_same_picture_in_the_tab_steer(page: Page, steerer: Steerer):
    page.get_by_role("tab", name="Steer", exact=True).click()
    page.get_by_label("take night out").click()
    page.get_by_role("tab", name="From a picture").click()
    page.locator("#mm-into-prompt textarea, #mm-into-prompt input").first.fill("a penguin in the snow")
    page.locator("#mm-into-seed input").fill("5")
    after = source(page, "after")
    page.get_by_role("button", name="what is seen and can be said").click()
    changed(page, after)
    recipe, drawn = recipe_of(page), source(page, "after")
    assert (recipe.prompt, recipe.seed) == ("a penguin in the snow", 5)
    page.get_by_role("button", name="Open with the active features").click()
    after = page.locator("#mm-pictures .mm-after")
    expect(after).to_be_visible()
    page.wait_for_function(
        "src => document.querySelector('#mm-pictures .mm-after').src === src", arg=drawn, timeout=WAIT
    )
    assert steerer_prompt(page) == "a penguin in the snow"
    expect(page.locator(".mm-row")).to_have_count(len(recipe.edits))


def test_what_was_set_is_there_when_the_tab_is_opened_again(page: Page):
    after = source(page, "after")
    page.get_by_role("button", name="what is seen and can be said").click()
    changed(page, after)
    after = source(page, "after")
    page.get_by_role("tab", name="Steer", exact=True).click()
    expect(page.locator("#mm-pictures .mm-after")).to_be_visible()
    page.get_by_role("tab", name="From a picture").click()
    expect(tile(page, "after")).to_be_visible()
    assert source(page, "after") == after
    assert slider(page, "cross").input_value() == "1"


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_runs_over_the_side(page: Page, width: int, height: int):
    page.set_viewport_size({"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(slider(page, "language")).to_be_visible()


STRENGTHS = {"vision": 1, "cross": 0, "language": 0}
ROW = {"id": 2, "activation": 1.0}


@pytest.mark.parametrize(
    "value",
    [
        None,
        "x",
        {"strengths": STRENGTHS},
        {"strengths": STRENGTHS | {"vision": 9}, "parts": {}},
        {"strengths": STRENGTHS | {"vision": "NaN"}, "parts": {}},
        {"strengths": STRENGTHS, "parts": {"vision": [ROW] * 5}},
        {"strengths": STRENGTHS, "parts": {"cross": [ROW]}},
        {"strengths": STRENGTHS, "parts": {"vision": [ROW | {"id": 999}]}},
        {"strengths": STRENGTHS, "parts": {"vision": [ROW | {"activation": float("nan")}]}},
        {"strengths": STRENGTHS, "parts": {"vision": [ROW | {"activation": -1}]}},
    ],
)
def test_parts_that_no_page_makes_are_refused(tiny: Steerer, tiny_bank: Path, value):
    drawn = _Handlers(PageState(FeatureBank.load(tiny_bank), lambda: tiny)).draw(value, "", "a cat", 0)
    assert "cannot be read: load the page again" in drawn[2]


def test_a_saved_picture_of_a_thousand_pixels_comes_back(page: Page, steerer: Steerer, tmp_path: Path):
    """3 MB of noise: larger than a page that took 1 MB would have."""
    noise = Image.fromarray(torch.randint(256, (1024, 1024, 3), dtype=torch.uint8).numpy())
    recipe = Recipe("a penguin in the snow", 5, steerer.sampler, (Edit("night"),), steerer.origin)
    recipe.save_png(noise, tmp_path / "large.png")
    assert 2**20 < (tmp_path / "large.png").stat().st_size < LARGEST_FILE
    page.get_by_role("tab", name="Steer", exact=True).click()
    page.locator("#mm-under input[type=file]").set_input_files(tmp_path / "large.png")
    alt = f"After: {recipe.prompt}, seed 5"
    page.wait_for_function(
        "alt => document.querySelector('#mm-pictures .mm-after').alt.startsWith(alt)", arg=alt, timeout=WAIT
    )
    assert replace(recipe, edits=()) == recipe.plain
