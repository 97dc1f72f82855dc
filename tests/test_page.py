"""The page in a real browser, on the tiny pipeline: what a visitor does, and what a visitor must never see."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from shown_pair import WAIT, changed, open_menu, open_options, open_row, pixels, recipe_shown, source

from mmsteer import Edit, FeatureBank, Steerer, SteerError
from mmsteer.recipes.presets import PRESETS
from mmsteer.ui.page import build_demo
from mmsteer.ui.proof.tab import FIGURES, PROOFS, proofs
from mmsteer.ui.server.launch import launch
from mmsteer.ui.steer.rack import edits_of

FIRST = PRESETS[0]
expect.set_options(timeout=WAIT)


def rows(page: Page):
    return page.locator(".mm-row")


def offers(page: Page):
    return page.locator("#mm-rack .mm-chips button")


def test_the_page_is_imported_without_the_model_libraries():
    """They take seconds, and are loaded behind the page that is already served."""
    heavy = "{'torch', 'diffusers', 'transformers'}"
    code = f"import sys, mmsteer.ui.page; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_first_screen_is_a_pair_with_alternative_texts(page: Page):
    assert page.locator(".mm-before").get_attribute("alt") == f"Before: {FIRST.prompt}, seed {FIRST.seed}"
    assert f"After: {FIRST.prompt}, seed {FIRST.seed}" in (page.locator(".mm-after").get_attribute("alt") or "")
    assert pixels(page, "before") != pixels(page, "after")
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text("night")
    expect(rows(page).first.locator(".mm-badge")).to_contain_text("seen and said")
    expect(rows(page).first.locator(".mm-badge")).to_have_attribute(
        "title", re.compile("Modality Dominance Score 0.60")
    )
    expect(page.locator(".mm-seconds")).to_have_text(re.compile(r"\d+\.\d\d s"))


def test_a_released_slider_redraws_after_and_keeps_before(page: Page):
    before, after = source(page, "before"), source(page, "after")
    box = rows(page).first.locator(".mm-track input").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    changed(page, after)
    expect(page.locator(".mm-thumb")).to_have_count(2)
    assert source(page, "before") == before


def test_arrow_keys_draw_a_pair_once_when_they_rest(page: Page):
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.post_data or "") if "/queue/join" in r.url else None)
    rows(page).first.locator(".mm-track input").focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#mm-pictures figure")).to_have_attribute("data-query", re.compile("edit=night%3A0.75$"))
    assert len([data for data in asked if '"number"' not in data]) == 1  # the others are frames on the way
    expect(rows(page).first.locator("output")).to_have_text("0.75")


def test_a_number_typed_and_entered_draws(page: Page):
    after = source(page, "after")
    open_row(page)
    rows(page).first.locator("input[type=number]").fill("1.5")
    page.keyboard.press("Enter")
    changed(page, after)


def test_reset_gives_exactly_before(page: Page):
    after = source(page, "after")
    open_options(page)
    page.locator("#mm-reset").click()
    changed(page, after)
    assert pixels(page, "before") == pixels(page, "after")


def test_the_border_moves_by_keyboard_and_stays_for_the_next_pair(page: Page):
    border = page.get_by_label("Border between before and after, percent")
    border.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    cut = "getComputedStyle(document.querySelector('.mm-compare')).getPropertyValue('--cut')"
    assert page.evaluate(cut) == "40%"
    after = source(page, "after")
    open_options(page)
    page.locator("#mm-reset").click()
    changed(page, after)
    page.wait_for_function(f"{cut} === '40%'", timeout=WAIT)


def test_search_filter_and_add_to_the_rack(page: Page):
    search = page.get_by_label("add a feature")
    search.fill("wh")
    expect(offers(page)).to_have_count(1)
    after = source(page, "after")
    offers(page).first.click()
    expect(rows(page).nth(1)).to_contain_text("white frame")
    expect(rows(page).nth(1).locator(".mm-badge")).to_contain_text("only seen")
    changed(page, after)
    search.fill("")
    page.get_by_role("group", name="show features of").get_by_text("only said").click()
    expect(offers(page)).to_have_count(3)
    after = source(page, "after")
    page.get_by_label("take night out").click()
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text("white frame")
    changed(page, after)
    search.fill("zzz")
    expect(page.locator("#mm-rack")).to_contain_text("No feature is called zzz")


def test_a_row_switched_off_keeps_its_value_and_draws_before(page: Page):
    after = source(page, "after")
    open_row(page)
    page.get_by_label("night: on", exact=True).click()
    changed(page, after)
    assert pixels(page, "before") == pixels(page, "after")
    expect(rows(page).first.locator("input[type=number]")).to_have_value("1")
    off = source(page, "after")
    page.get_by_label("night: on", exact=True).click()
    changed(page, off)
    assert source(page, "after") == after


def test_a_modality_is_silenced_at_one_click(page: Page):
    after = source(page, "after")
    open_options(page)
    page.get_by_label("features that are seen and said").click()
    changed(page, after)
    assert pixels(page, "before") == pixels(page, "after")
    expect(page.get_by_label("features that are seen and said")).to_have_attribute("aria-pressed", "false")


def test_words_are_offered_one_by_one_where_no_space_stands_between_them(page: Page):
    page.locator("#mm-prompt textarea, #mm-prompt input").first.fill("夜の猫 at “night”, mid-day… at")
    open_row(page)
    words = page.get_by_role("group", name="words that night applies to").get_by_role("button")
    assert words.all_text_contents() == [
        "夜", "の", "猫", "at", "at#1", "at#2", "night", "mid-day"
    ]  # fmt: skip


def test_a_feature_is_bound_to_a_word_and_a_part_of_the_run(page: Page):
    open_row(page)
    after = source(page, "after")
    page.get_by_role("group", name="words that night applies to").get_by_text("fox", exact=True).click()
    changed(page, after)
    after = source(page, "after")
    page.get_by_label("night: from, percent of the steps").fill("50")
    changed(page, after)
    assert recipe_shown(page).edits == (Edit("night", words=("fox",), start=0.5),)


def test_of_a_word_that_the_prompt_has_twice_one_can_be_chosen(page: Page):
    after = source(page, "after")
    page.locator("#mm-prompt textarea, #mm-prompt input").first.fill("a fox and a fox")
    open_row(page)
    page.get_by_role("group", name="words that night applies to").get_by_text("fox#2", exact=True).click()
    changed(page, after)
    assert recipe_shown(page).edits == (Edit("night", words=("fox#2",)),)


def test_a_feature_of_the_prompt_goes_into_the_rack_to_be_weakened(page: Page):
    open_options(page)
    chips = page.locator("#mm-active .mm-chip")
    expect(chips.first).to_be_visible()
    name = (chips.first.text_content() or "").split(" ", 1)[1].rsplit(" ", 1)[0]
    chips.first.click()
    expect(rows(page).last).to_contain_text(name)
    expect(rows(page).last.locator("output")).to_have_text("-1.00")


def test_a_surprise_keeps_what_is_locked_and_comes_again_from_the_same_seed(page: Page):
    open_row(page)
    page.get_by_label("night: locked", exact=True).click()
    open_options(page)
    after = source(page, "after")
    page.locator("#mm-surprise").click()
    changed(page, after)
    expect(rows(page).first).to_contain_text("night")
    first = [rows(page).nth(k).get_attribute("data-id") for k in range(rows(page).count())]
    assert len(first) >= 3
    page.reload()
    expect(page.locator(".mm-after")).to_be_visible()
    open_row(page)
    page.get_by_label("night: locked", exact=True).click()
    open_options(page)
    page.locator("#mm-surprise").click()
    expect(rows(page)).to_have_count(len(first))
    assert [rows(page).nth(k).get_attribute("data-id") for k in range(rows(page).count())] == first


def test_ten_features_fit_into_the_rack(page: Page):
    page.get_by_label("add a feature").focus()
    for _ in range(9):
        offers(page).first.click()
    expect(rows(page)).to_have_count(10)
    parts = "() => document.querySelector('.mm-after').alt.split(', ').length === 12"  # prompt, seed, ten edits
    page.wait_for_function(parts, timeout=WAIT)
    assert len(recipe_shown(page).edits) == 10


def test_before_and_after_are_compared_in_three_ways(page: Page):
    views = page.get_by_role("group", name="how to compare")
    open_menu(page)
    views.get_by_text("side by side").click()
    before, after = (page.locator(f".mm-{which}").bounding_box() for which in ("before", "after"))
    assert before
    assert after
    assert after["x"] >= before["x"] + before["width"]
    open_menu(page)
    views.get_by_text("difference").click()
    expect(page.locator(".mm-heat")).to_be_visible()
    expect(page.locator(".mm-after")).to_be_hidden()
    open_menu(page)
    views.get_by_text("slide").click()
    expect(page.locator(".mm-heat")).to_be_hidden()
    expect(page.locator(".mm-after")).to_be_visible()


def test_the_menu_stays_open_when_a_new_pair_comes(page: Page):
    open_menu(page)
    old = source(page, "after")
    page.locator("#mm-prompt textarea, #mm-prompt input").first.focus()
    page.keyboard.type("in the snow ")
    page.keyboard.press("Enter")
    changed(page, old)
    expect(page.locator("#mm-by-words")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#mm-by-words")).to_be_hidden()
    expect(page.locator(".mm-menu summary")).to_be_focused()


ROW = {"id": 1, "mode": "add", "strength": 1, "on": True, "locked": False, "words": [], "start": 0, "end": 1}
BAD_ROWS = [{"id": 1}, *(ROW | bad for bad in (
    {"id": 999}, {"strength": "NaN"}, {"words": [{}]}, {"start": 2}, {"mode": "x"}, {"evil": 1}
))]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "x",
        {"rows": [], "silent": ["everything"]},
        {"rows": [ROW] * 17, "silent": []},
        *({"rows": [bad], "silent": []} for bad in BAD_ROWS),
    ],
)
def test_a_rack_that_no_page_makes_is_refused(tiny_bank: Path, value):
    with pytest.raises(SteerError):
        edits_of(FeatureBank.load(tiny_bank), value)


def test_a_preset_sets_everything(page: Page):
    preset = next(p for p in PRESETS if p.title == "Warm light")
    after = source(page, "after")
    page.get_by_role("button", name=preset.title, exact=True).click()
    changed(page, after)
    expect(page.locator("#mm-prompt textarea, #mm-prompt input").first).to_have_value(preset.prompt)
    expect(rows(page).first).to_contain_text("warm light")
    assert f"{preset.prompt}, seed {preset.seed}" in (page.locator(".mm-after").get_attribute("alt") or "")


def test_a_new_picture_has_another_seed(page: Page):
    open_options(page)
    seed = page.locator("#mm-seed input")
    after = source(page, "after")
    expect(seed).to_have_value(str(FIRST.seed))
    page.locator("#mm-dice").click()
    changed(page, after)
    assert seed.input_value() != str(FIRST.seed)


def test_the_picture_shown_carries_its_recipe_and_is_the_one_the_api_draws(page: Page, steerer: Steerer):
    recipe = recipe_shown(page)
    assert recipe.prompt == FIRST.prompt
    assert pixels(page, "after") == steerer.picture(recipe).tobytes()


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "the prompt is empty"),
        ("x" * 10_000, "10,000 characters; 2,000 are allowed"),
    ],
)
def test_bad_prompts_get_a_sentence_and_the_page_goes_on(page: Page, prompt: str, message: str):
    after = source(page, "after")
    field = page.locator("#mm-prompt textarea, #mm-prompt input").first
    field.fill(prompt)
    page.locator("#mm-draw").click()
    expect(page.locator(".mm-problem")).to_contain_text(message)
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
    page.set_viewport_size({"width": width, "height": height})  # gradio then fits the bar of tabs, a moment later
    page.wait_for_function("w => document.documentElement.scrollWidth <= w", arg=width, timeout=WAIT)
    assert page.locator("#mm-dice").is_visible()


def test_a_model_that_cannot_load_gives_a_sentence(chromium, tiny_bank: Path):
    def broken() -> Steerer:
        raise SteerError("unet/diffusion_pytorch_model.safetensors is damaged: restore it")

    demo = build_demo(FeatureBank.load(tiny_bank), broken)
    launch(demo, prevent_thread_lock=True, quiet=True)
    page = chromium.new_page()
    page.goto(demo.local_url)
    expect(page.locator(".mm-problem")).to_have_text("unet/diffusion_pytorch_model.safetensors is damaged: restore it")
    page.close()
    demo.close()


def test_the_second_tab_shows_the_proofs_with_their_commands(page: Page):
    page.get_by_role("tab", name="Proof").click()
    shown, other = page.locator(".mm-proof .mm-on-light"), page.locator(".mm-proof .mm-on-dark")
    expect(shown).to_have_count(len(PROOFS))
    for k, proof in enumerate(PROOFS):
        expect(page.locator(".mm-proof .mm-bars").nth(k)).to_be_visible()
        expect(shown.nth(k)).to_be_hidden()
        page.locator(".mm-proof summary").nth(k).click()
        expect(shown.nth(k)).to_be_visible()
        expect(other.nth(k)).to_be_hidden()
        assert shown.nth(k).evaluate("picture => picture.naturalWidth") > 600
        expect(page.locator(".mm-command").nth(k)).to_contain_text(f"study {proof.study}")
    page.evaluate("document.body.classList.add('dark')")  # as gradio does it
    expect(other.first).to_be_visible()
    expect(shown.first).to_be_hidden()
    page.evaluate("document.body.classList.remove('dark')")
    page.get_by_role("tab", name="Steer").click()
    expect(page.locator(".mm-after")).to_be_visible()


def test_a_study_that_was_not_run_is_left_out(tmp_path):
    shutil.copy(FIGURES / "removal.json", tmp_path)
    for version in ("removal.png", "removal-dark.png"):
        shutil.copy(FIGURES / version, tmp_path)
    html = proofs(tmp_path)
    assert html.count("<section>") == 1
    assert json.loads((tmp_path / "removal.json").read_text())["text"].split(".")[0] in html
