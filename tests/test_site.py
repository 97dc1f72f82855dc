"""The static edition: what is drawn and written, and the folder in a real browser, from a disk and without a network."""

import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from mmsteer import Edit, FeatureBank, Steerer
from mmsteer.__main__ import main
from mmsteer.assets import ASSETS
from mmsteer.recipes.presets import PRESETS
from mmsteer.recipes.recipe import Recipe
from mmsteer.site.plan import MOST_FEATURES, STRENGTHS, plan

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
PROMPTS = ("a cat in the snow", PRESETS[0].prompt)


@pytest.fixture(scope="module")
def home(tiny_folder: Path, drawn_bank: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bank that has pictures, and with the edition made of it."""
    home = tmp_path_factory.mktemp("edition")
    shutil.copytree(drawn_bank, home / "bank")
    assert main(export(home, tiny_folder)) == 0
    return home


def export(home: Path, backbone: Path, *more: str) -> list[str]:
    prompts = [word for prompt in PROMPTS for word in ("--prompt", prompt)]
    names = ["--bank", str(home / "bank"), "--backbone", str(backbone), "--device", "cpu", "--features", "8"]
    return ["export", "site", "--out", str(home / "out"), *names, *prompts, *more]


@pytest.fixture
def site(chromium: Browser, home: Path) -> Iterator[Page]:
    """The edition, opened from the disk, without a network; nothing but its own files is asked for, and no script fails."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, offline=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("request", lambda r: None if r.url.startswith((home.as_uri(), "data:")) else wrong.append(r.url))
    page.on("requestfailed", lambda r: wrong.append(r.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    open_at(page, home)
    yield page
    context.close()
    assert wrong == []


def open_at(page: Page, home: Path, keys: str = "") -> None:
    page.goto("about:blank")
    page.goto(f"{(home / 'out' / 'index.html').as_uri()}{keys}")
    expect(page.locator("#view-steer .mm-after")).to_have_count(1)


def view(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="views").get_by_role("button", name=name).click()


def position(page: Page, which: str) -> str:
    return str(page.locator(f"#view-steer .mm-{which}").evaluate("(picture) => picture.style.objectPosition"))


def test_features_of_the_presets_come_first_then_the_surest_of_each_modality():
    bank = FeatureBank.load(ASSETS / "banks" / "mini")
    chosen = plan(bank, image_only=True, prompts=[])
    names = {feature.name for feature in chosen.features}
    assert names >= {edit.feature for preset in PRESETS for edit in preset.edits}
    assert len(chosen.features) == MOST_FEATURES
    assert {feature.modality for feature in chosen.features} == {"vision", "language", "cross"}
    assert chosen.pictures == 8 * (1 + 48 * 6)
    few = plan(bank, image_only=True, prompts=["a cat"], features=6)
    assert ({f.name for f in few.features} <= names, few.pictures) == (True, 1 + 6 * 6)


def test_a_strip_holds_the_pictures_of_their_recipes_by_rising_strength(home: Path, tiny_folder: Path):
    import numpy as np

    steerer = Steerer.load(str(tiny_folder), home / "bank")
    night = steerer.bank.get("night")
    strip = Image.open(home / "out" / "strips" / f"1-{night.id}.webp").convert("RGB")
    side = strip.height
    assert strip.width == len(STRENGTHS) * side
    for k, strength in enumerate(STRENGTHS):
        edits = (Edit(night.id, strength=strength),) if strength else ()
        alone = steerer.picture(Recipe(PROMPTS[1], 0, steerer.sampler, edits))
        shown = strip.crop((k * side, 0, (k + 1) * side, side))
        assert np.abs(np.asarray(shown, dtype=float) - np.asarray(alone, dtype=float)).mean() < 25, strength


def test_the_folder_appears_whole_and_replaces_nothing_but_an_edition(
    home: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    assert sorted(path.name for path in home.iterdir()) == ["bank", "out"]
    other = tmp_path / "out"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    command = export(home, tiny_folder)
    command[command.index("--out") + 1] = str(other)
    assert main(command) == 2
    assert "is no static edition" in capsys.readouterr().err
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]

    before = (home / "out" / "data.js").read_bytes()

    def stop(*_: object) -> Iterator[int]:
        raise KeyboardInterrupt

    monkeypatch.setattr("mmsteer.site.write.draw_strips", stop)
    assert main(export(home, tiny_folder)) == 130
    assert (home / "out" / "data.js").read_bytes() == before
    assert sorted(path.name for path in home.iterdir()) == ["bank", "out"]


@pytest.mark.parametrize("options", [["--features", "0"], ["--prompt", ""], ["--prompt", "x"] * 9])
def test_what_cannot_be_drawn_is_one_sentence(home: Path, tiny_folder: Path, options: list[str], capsys):
    assert main(export(home, tiny_folder, *options)) == 2
    assert capsys.readouterr().err.startswith("mmsteer: ")


def test_scrubbing_prompts_features_and_the_address(site: Page, home: Path):
    expect(site.locator("#mm-feature")).to_contain_text("night")
    assert (position(site, "before"), position(site, "after")) == ("33.3333% 0px", "66.6667% 0px")
    slider = site.locator("#mm-strength")
    slider.focus()
    for _ in range(2):
        site.keyboard.press("ArrowRight")
    assert position(site, "after") == "100% 0px"
    expect(site.locator("#view-steer .mm-after")).to_have_attribute("alt", f"After: {PROMPTS[0]}, night 2")
    site.get_by_label("Prompt").select_option(PROMPTS[1])
    site.get_by_label("search features").first.fill("frame")
    expect(site.locator("#view-steer .mms-groups button")).to_have_count(1)
    site.locator("#view-steer .mms-groups button").click()
    shown = site.locator("#view-steer .mm-after")
    expect(shown).to_have_attribute("src", re.compile(r"^strips/1-\d+\.webp$"))
    assert shown.evaluate("(picture) => picture.decode().then(() => picture.naturalWidth > picture.naturalHeight)")
    assert site.url.endswith("#tab=steer&feature=white+frame&prompt=2&strength=2")

    open_at(site, home, "#feature=penguin&prompt=2&strength=-1")
    expect(site.locator("#mm-feature")).to_contain_text("penguin")
    assert position(site, "after") == "0% 0px"
    expect(site.get_by_label("Prompt")).to_have_value(PROMPTS[1])
    open_at(site, home, "#feature=no+such&prompt=99&strength=NaN")
    expect(site.get_by_label("Prompt")).to_have_value(PROMPTS[1])
    site.evaluate("location.hash = 'feature=lovely&prompt=1&strength=0.5'")
    expect(site.locator("#mm-feature")).to_contain_text("lovely")


def test_before_and_after_by_border_and_by_blinking(site: Page):
    border = site.get_by_label("Border between before and after, percent")
    border.fill("20")
    assert site.locator("#view-steer figure").evaluate("(f) => f.style.getPropertyValue('--cut')") == "20%"
    blink = site.locator("#mm-blink")
    blink.click()
    expect(blink).to_have_attribute("aria-pressed", "true")
    figure = site.locator("#view-steer figure")
    expect(figure).to_have_class(re.compile("mms-covered"))
    expect(figure).not_to_have_class(re.compile("mms-covered"))
    blink.click()
    expect(border).to_be_visible()


def test_cards_map_and_what_goes_from_a_card_to_the_picture(site: Page):
    site.locator("#mm-to-card").click()
    card = site.locator(".mm-card")
    expect(card.locator("h2")).to_have_text("night")
    expect(card.locator(".mm-effect img")).to_have_count(12)
    expect(site.locator(".mm-dot")).to_have_count(12)
    expect(site.locator("#mm-draw-effect")).to_have_count(0)
    site.locator(".mm-item", has_text="warm light").click()
    expect(card.locator("h2")).to_have_text("warm light")
    card.get_by_role("button", name="Add to the picture").click()
    expect(site.locator("#mm-feature")).to_contain_text("warm light")
    expect(site.locator("#view-explore")).to_be_hidden()


def test_the_tour_with_the_keys_of_talk_mode(site: Page):
    site.locator("#mm-talk-open").click()
    stage = site.get_by_role("dialog", name="Talk mode")
    count = stage.locator(".mm-talk-count")
    expect(count).to_have_text("1 of 5")
    assert stage.locator(".mm-after").evaluate("(picture) => picture.decode().then(() => picture.naturalWidth)") > 0
    for key, step in (("ArrowRight", 2), (" ", 3), ("Backspace", 2), ("End", 5), ("1", 1), ("PageDown", 2)):
        site.keyboard.press(key)
        expect(count).to_have_text(f"{step} of 5")
    site.keyboard.press("ArrowUp")
    expect(stage.get_by_label(re.compile("^Border"))).to_have_value("55")
    site.keyboard.press("b")
    expect(stage.get_by_label("blank screen")).to_be_visible()
    site.keyboard.press("ArrowRight")
    expect(stage.get_by_label("blank screen")).to_have_count(0)
    expect(count).to_have_text("2 of 5")
    site.keyboard.press("Escape")
    expect(stage).to_have_count(0)


def test_a_slider_of_the_tour_shows_what_was_drawn_at_every_strength(site: Page):
    site.locator("#mm-talk-open").click()
    stage = site.get_by_role("dialog", name="Talk mode")
    after, slider = stage.locator(".mm-after"), stage.get_by_label("strength of night: plus and minus keys")
    expect(slider).to_have_value("1")
    expect(after).to_have_attribute("src", "tour/0-after.webp")
    site.keyboard.press("+")
    expect(slider).to_have_value("1.5")
    expect(after).to_have_attribute("src", re.compile(r"^strips/1-\d+\.webp$"))
    assert after.evaluate("(picture) => picture.style.objectPosition") == "83.3333% 0px"
    expect(after).to_have_attribute("alt", f"After: {PROMPTS[1]}, night 1.5")
    expect(stage.locator(".mm-talk-count")).to_have_text("1 of 5")
    site.keyboard.press("ArrowRight")  # its prompt is not among those drawn
    expect(stage.locator(".mm-talk-fader")).to_have_count(0)
    site.keyboard.press("-")
    site.keyboard.press("ArrowLeft")
    expect(after).to_have_attribute("src", "tour/0-after.webp")


def test_a_list_of_features_is_picked_shared_and_opened(site: Page, home: Path):
    open_at(site, home, "?features=night,white%20frame,unicorn")
    expect(site.locator(".mm-item-name")).to_have_count(2)
    picked = site.get_by_label("picked features")
    expect(picked).to_contain_text("2 picked: night, white frame")
    expect(picked).to_contain_text("Not in this bank: unicorn.")
    expect(picked.get_by_role("button", name="Try them")).to_be_hidden()
    picked.get_by_role("button", name="Show all features").click()
    site.get_by_label("pick snow", exact=True).check()
    site.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    picked.get_by_role("button", name="Copy link").click()
    site.wait_for_function(
        "window.copied?.endsWith('/out/index.html?features=night%2Cwhite+frame%2Csnow')", timeout=WAIT
    )


def test_the_proof_is_of_the_embedded_bank_alone(site: Page):
    from mmsteer.site.data import proof_html
    from mmsteer.ui.proof.tab import PROOFS

    html = proof_html()
    assert html.count("<img ") == 2 * len(PROOFS)  # each figure light and dark
    assert html.count("<tr>") > 10
    view(site, "Proof")
    # this bank is another, and has no studies
    expect(site.locator("#view-proof")).to_contain_text("The studies are about the embedded models")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(chromium: Browser, home: Path, scheme: str, width: int):
    page = chromium.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    open_at(page, home)
    assert page.locator("html").evaluate("(html) => html.classList.contains('dark')") is (scheme == "dark")
    for name in ("Steer", "Explore", "Proof"):
        view(page, name)
        page.wait_for_timeout(300)
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    page.close()
