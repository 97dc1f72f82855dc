"""The page in a real browser, on the tiny pipeline: what a visitor does, and what a visitor must never see."""

import json
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser
from playwright.sync_api import Page, expect

from mmsteer import FeatureBank, Recipe, Steerer
from mmsteer.ui.page import build_demo, launch_settings
from mmsteer.ui.presets import PRESETS
from mmsteer.ui.proof import FIGURES, PROOFS, proofs

FIRST = PRESETS[0]
WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)


@pytest.fixture(scope="module")
def steerer(tiny_folder: Path, tiny_bank: Path) -> Steerer:
    from mmsteer.backbone import BACKBONES, Spec

    BACKBONES["whole"] = Spec(tiny_folder, steps=3, whole_words=True)
    loaded = Steerer.load("whole", tiny_bank)
    del BACKBONES["whole"]
    return loaded


@pytest.fixture(scope="module")
def address(steerer: Steerer, tiny_bank: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    demo = build_demo(FeatureBank.load(tiny_bank), lambda: steerer)
    demo.queue(max_size=64).launch(server_port=port, prevent_thread_lock=True, quiet=True, **launch_settings())
    yield f"http://127.0.0.1:{port}"
    demo.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    with browser() as found:
        if found is None:
            pytest.skip("no Chromium is installed and none can be installed by this user")
        yield found


@pytest.fixture
def page(chromium, address: str) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    outside: list[str] = []
    page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else outside.append(r.url))
    page.goto(address)
    expect(page.locator(".mm-after")).to_be_visible()
    yield page
    page.close()
    assert outside == []  # the page asks nobody but its own server


def source(page: Page, which: str) -> str:
    return page.locator(f".mm-{which}").get_attribute("src") or ""


def pixels(page: Page, which: str) -> bytes:
    import base64
    from io import BytesIO

    from PIL import Image

    return Image.open(BytesIO(base64.b64decode(source(page, which).split(",")[1]))).convert("RGB").tobytes()


def changed(page: Page, old: str) -> None:
    page.wait_for_function("old => document.querySelector('.mm-after')?.src !== old", arg=old, timeout=WAIT)


def test_the_first_screen_is_a_pair_with_alternative_texts(page: Page):
    assert page.locator(".mm-before").get_attribute("alt") == f"Before: {FIRST.prompt}, seed {FIRST.seed}"
    assert f"After: {FIRST.prompt}, seed {FIRST.seed}" in (page.locator(".mm-after").get_attribute("alt") or "")
    assert pixels(page, "before") != pixels(page, "after")
    expect(page.locator("#mm-row-0")).to_contain_text("night")
    expect(page.locator("#mm-row-0 .mm-badge")).to_contain_text(re.compile(r"cross\s+0\.60"))
    expect(page.locator(".mm-seconds")).to_have_text(re.compile(r"\d+\.\d\d s"))


def test_a_released_slider_draws_after_anew_and_keeps_before(page: Page):
    before, after = source(page, "before"), source(page, "after")
    box = page.locator("#mm-slider-0 input[type=range]").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    changed(page, after)
    assert source(page, "before") == before


def test_arrow_keys_draw_once_when_they_rest(page: Page, steerer: Steerer, monkeypatch: pytest.MonkeyPatch):
    drawn = []
    draw = steerer._draw
    monkeypatch.setattr(steerer, "_draw", lambda *a: drawn.append(1) or draw(*a))
    after = source(page, "after")
    page.locator("#mm-slider-0 input[type=range]").focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    changed(page, after)
    assert len(drawn) == 1
    expect(page.locator("#mm-slider-0 input[type=number]")).to_have_value("0.75")


def test_a_number_typed_and_entered_draws(page: Page):
    after = source(page, "after")
    page.locator("#mm-slider-0 input[type=number]").fill("-1.5")
    page.keyboard.press("Enter")
    changed(page, after)


def test_reset_gives_exactly_before(page: Page):
    after = source(page, "after")
    page.locator("#mm-reset").click()
    changed(page, after)
    assert pixels(page, "before") == pixels(page, "after")


def test_the_border_moves_by_keyboard_and_stays_for_the_next_pair(page: Page):
    border = page.get_by_label("Border between before and after, percent")
    border.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    cut = "document.querySelector('.mm-compare').style.getPropertyValue('--cut')"
    assert page.evaluate(cut) == "40%"
    after = source(page, "after")
    page.locator("#mm-reset").click()
    changed(page, after)
    page.wait_for_function(f"{cut} === '40%'", timeout=WAIT)


def test_search_filter_and_add_to_the_rack(page: Page):
    page.locator("#mm-search textarea, #mm-search input").first.fill("wh")
    expect(page.locator("#mm-found button:visible")).to_have_count(1)
    after = source(page, "after")
    page.locator("#mm-found button:visible").first.click()
    expect(page.locator("#mm-row-1")).to_contain_text("white frame")
    expect(page.locator("#mm-row-1 .mm-badge")).to_contain_text("vision")
    changed(page, after)
    page.locator("#mm-search textarea, #mm-search input").first.fill("")
    page.locator("#mm-modality").get_by_text("language").click()
    expect(page.locator("#mm-found button:visible")).to_have_count(3)
    after = source(page, "after")
    page.locator("#mm-out-0").click()
    expect(page.locator("#mm-row-0")).to_contain_text("white frame")
    expect(page.locator("#mm-row-1")).to_be_hidden()
    changed(page, after)


def test_a_preset_sets_everything(page: Page):
    preset = next(p for p in PRESETS if p.title == "Warm light")
    after = source(page, "after")
    page.get_by_role("button", name=preset.title, exact=True).click()
    changed(page, after)
    expect(page.locator("#mm-prompt textarea, #mm-prompt input").first).to_have_value(preset.prompt)
    expect(page.locator("#mm-row-0")).to_contain_text("warm light")
    assert f"{preset.prompt}, seed {preset.seed}" in (page.locator(".mm-after").get_attribute("alt") or "")


def test_dice_and_lock(page: Page):
    seed = page.locator("#mm-seed input")
    after = source(page, "after")
    page.locator("#mm-draw").click()  # locked: the same picture, so nothing to wait for but the handler's end
    expect(seed).to_have_value(str(FIRST.seed))
    page.locator("#mm-dice").click()
    changed(page, after)
    assert seed.input_value() != str(FIRST.seed)


def test_the_picture_shown_carries_its_recipe_and_is_the_one_the_api_draws(page: Page, steerer: Steerer):
    import base64
    from io import BytesIO

    recipe = Recipe.from_png(BytesIO(base64.b64decode(source(page, "after").split(",")[1])))
    assert recipe.prompt == FIRST.prompt
    assert pixels(page, "after") == steerer.picture(recipe).tobytes()


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("", "the prompt is empty"),
        ("x" * 10_000, "10,000 characters; 500 are allowed"),
    ],
)
def test_bad_prompts_get_a_sentence_and_the_page_goes_on(page: Page, prompt: str, told: str):
    after = source(page, "after")
    field = page.locator("#mm-prompt textarea, #mm-prompt input").first
    field.fill(prompt)
    page.locator("#mm-draw").click()
    expect(page.locator(".mm-problem")).to_contain_text(told)
    assert source(page, "after") == after
    field.fill("a zebra at night")
    page.locator("#mm-draw").click()
    changed(page, after)
    expect(page.locator(".mm-note")).to_have_text("The model does not know: zebra.")


def test_markup_in_a_prompt_is_text(page: Page):
    after = source(page, "after")
    evil = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
    page.locator("#mm-prompt textarea, #mm-prompt input").first.fill(evil)
    page.locator("#mm-draw").click()
    changed(page, after)
    expect(page.locator(".mm-note").first).to_be_visible()
    assert evil in (page.locator(".mm-after").get_attribute("alt") or "")
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_runs_over_the_side(page: Page, width: int, height: int):
    page.set_viewport_size({"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#mm-draw").is_visible()


def test_a_model_that_cannot_load_gives_a_sentence(chromium, tiny_bank: Path):
    from mmsteer.errors import SteerError

    def broken() -> Steerer:
        raise SteerError("unet/diffusion_pytorch_model.safetensors is damaged: restore it")

    demo = build_demo(FeatureBank.load(tiny_bank), broken)
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **launch_settings())
    page = chromium.new_page()
    page.goto(url)
    expect(page.locator(".mm-problem")).to_have_text("unet/diffusion_pytorch_model.safetensors is damaged: restore it")
    page.close()
    demo.close()


def test_the_second_tab_shows_the_proofs_with_their_commands(page: Page):
    page.get_by_role("tab", name="Are the labels right?").click()
    shown = page.locator(".mm-proof img")
    expect(shown).to_have_count(len(PROOFS))
    for k, proof in enumerate(PROOFS):
        expect(shown.nth(k)).to_be_visible()
        assert page.evaluate("k => document.querySelectorAll('.mm-proof img')[k].naturalWidth", k) > 600
        expect(page.locator(".mm-source").nth(k)).to_contain_text(f"study {proof.study}")
    page.get_by_role("tab", name="Steer").click()
    expect(page.locator(".mm-after")).to_be_visible()


def test_a_study_that_was_not_run_is_left_out(tmp_path):
    shutil.copy(FIGURES / "removal.json", tmp_path)
    shutil.copy(FIGURES / "removal.png", tmp_path)
    html = proofs(tmp_path)
    assert html.count("<section>") == 1
    assert json.loads((tmp_path / "removal.json").read_text())["text"].split(".")[0] in html
