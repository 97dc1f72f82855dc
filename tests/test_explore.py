"""The tab "Explore": what the browser may ask, and the tab in a real browser, on the tiny pipeline."""

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from served import free_port, whole_words

from mmsteer import Edit, FeatureBank, Recipe, Steerer, SteerError
from mmsteer.ui.explore import effect
from mmsteer.ui.explore.effect import PROMPT, SEEDS, STRENGTHS, Effects
from mmsteer.ui.explore.questions import SHOWN, Questions
from mmsteer.ui.explore.tab import rules
from mmsteer.ui.page import build_demo
from mmsteer.ui.server.launch import launch
from mmsteer.ui.shared.loading import Loading

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)
EVIL = "<img src=x onerror=window.pwned=1>"


# ---- what the browser may ask --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bank(tiny_bank: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureBank:
    """The hand-made bank with example pictures of two features, and a name that is markup."""
    folder = tmp_path_factory.mktemp("explore") / "bank"
    shutil.copytree(tiny_bank, folder)
    (folder / "examples").mkdir()
    for number in (1, 2):
        Image.new("RGB", (56 * 9, 56), (10, 20, 200)).save(folder / "examples" / f"{number}.webp")
    loaded = FeatureBank.load(folder)
    loaded.rename("vignette", EVIL)
    return loaded


@pytest.fixture
def ask(bank: FeatureBank, tiny: Steerer) -> dict:
    return {question.__name__: question for question in Questions(bank, Loading(lambda: tiny), Effects()).all}


@pytest.mark.parametrize("bad", [None, "1", 1.0, True, [], {}, 10**9, -1, "../bank"])
def test_a_number_that_is_no_feature_gets_a_sentence(ask: dict, bad):
    assert set(ask["card"](bad)) == {"error"}
    assert set(ask["sheets"]([bad])) == {"error"}


@pytest.mark.parametrize("bad", [None, 3, {}, [], "", "x" * 10_000])
def test_meaning_of_what_is_no_text_gets_a_sentence(ask: dict, bad):
    assert set(ask["meaning"](bad)) == {"error"}


def test_sheets_are_given_for_so_many_and_null_where_there_are_none(ask: dict, tiny_bank: Path, tiny: Steerer):
    sheets = ask["sheets"]([0, 1])
    assert sheets["0"] is None
    assert sheets["1"].startswith("data:image/webp;base64,")
    assert set(ask["sheets"]([1] * (SHOWN + 1))) == {"error"}
    assert set(ask["sheets"]("12")) == {"error"}
    without = {q.__name__: q for q in Questions(FeatureBank.load(tiny_bank), Loading(lambda: tiny), Effects()).all}
    assert without["sheets"]([0, 1]) == {"0": None, "1": None}


def test_both_rules_by_hand(bank: FeatureBank):
    scores = [f.mds for f in bank.features]
    mean = sum(scores) / len(scores)
    spread = (sum((s - mean) ** 2 for s in scores) / len(scores)) ** 0.5
    assert rules(bank)["absolute"] == [0.2, 0.8]
    assert rules(bank)["paper"] == pytest.approx([mean - spread, mean + spread])


def test_an_effect_is_drawn_once_and_the_oldest_goes(tiny: Steerer, monkeypatch: pytest.MonkeyPatch):
    drawn: list[Recipe] = []
    picture = tiny.picture
    monkeypatch.setattr(tiny, "picture", lambda recipe: drawn.append(recipe) or picture(recipe))
    monkeypatch.setattr(effect, "_CACHED", 1)
    effects, (night, cat) = Effects(), (tiny.bank.get("night"), tiny.bank.get("cat"))
    steps = list(effects.draw(tiny, night))
    assert [len(columns) for columns in steps] == [1, 2, 3, 4]
    assert [column.strength for column in steps[-1]] == list(STRENGTHS)
    first = [(seed, ()) for seed in SEEDS] + [(SEEDS[0], (Edit(night.id, strength=-1.0),))]
    assert [(r.seed, r.edits) for r in drawn[:4]] == first
    assert list(effects.draw(tiny, night)) == [steps[-1]]
    assert len(drawn) == len(STRENGTHS) * len(SEEDS)
    list(effects.draw(tiny, cat))
    assert effects.cached(night) == []
    assert len(effects.cached(cat)) == 4


# ---- the tab -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def steerer(tiny_folder: Path, bank: FeatureBank) -> Steerer:
    assert bank.folder
    return whole_words(tiny_folder, bank.folder, steps=2)


def serve(bank: FeatureBank, load) -> Iterator[str]:
    port = free_port()
    demo = build_demo(bank, load)
    launch(demo, port=port, prevent_thread_lock=True, quiet=True)
    yield f"http://127.0.0.1:{port}"
    demo.close()


@pytest.fixture(scope="module")
def address(steerer: Steerer, bank: FeatureBank) -> Iterator[str]:
    yield from serve(bank, lambda: steerer)


def opened(chromium, address: str) -> Page:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator(".mm-dot").first).to_be_visible()
    expect(page.locator(".mm-card li").first).to_be_visible()
    return page


@pytest.fixture
def page(chromium, address: str) -> Iterator[Page]:
    page = opened(chromium, address)
    outside: list[str] = []
    page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else outside.append(r.url))
    yield page
    assert page.evaluate("window.pwned") is None
    page.close()
    assert outside == []


def names(page: Page):
    return page.locator(".mm-item-name")


def title(page: Page):
    return page.locator(".mm-card h2")


def search(page: Page):
    return page.get_by_label("search features")


def dots(page: Page):
    return page.locator(".mm-dot[role=button]")


def test_the_first_look_needs_no_typing(page: Page):
    expect(page.locator(".mm-count")).to_have_text("12 of 12 features")
    expect(names(page)).to_have_count(12)
    shown = [names(page).nth(k).inner_text() for k in range(3)]
    assert [text[0] for text in shown] == ["◉", "❝", "⇄"]  # some of each
    expect(title(page)).to_have_text("warm light")
    expect(dots(page)).to_have_count(12)
    shapes = {
        m: page.locator(f".mm-dot.mm-ink-{m} path").first.get_attribute("d") for m in ("vision", "language", "cross")
    }
    colours = {
        m: page.evaluate(f"getComputedStyle(document.querySelector('.mm-dot.mm-ink-{m}')).color") for m in shapes
    }
    assert len(set(shapes.values())) == len(set(colours.values())) == 3


def test_the_card_shows_all_there_is(page: Page):
    search(page).fill("night")
    expect(title(page)).to_have_text("night")
    card = page.locator(".mm-card")
    for message in (
        "seen and said", "name confidence 0.90", "0.60, 95 % from 0.58 to 0.62", "they never do",
        "cross (absolute rule), cross (the paper's)",
        "10 % of pictures, 10 % of captions", "3.0 times as often as by chance", "0.50", "−2 to +2 activation scales", "a night",
        "found in 3 of 3 builds",
    ):  # fmt: skip
        expect(card).to_contain_text(message)
    pictures = card.get_by_role("img", name="the nine pictures on which night fires most")
    expect(pictures.locator("span")).to_have_count(9)
    expect(pictures.locator("span").last).to_have_css("background-image", re.compile("data:image/webp"))
    search(page).fill("snow")
    expect(title(page)).to_have_text("snow")
    expect(card).to_contain_text("This bank has no example pictures.")
    expect(card).not_to_contain_text("builds")


def test_words_filter_list_map_and_histogram_alike(page: Page):
    search(page).fill("ca")
    expect(names(page)).to_have_count(1)
    expect(names(page)).to_contain_text("cat")
    expect(dots(page)).to_have_count(1)
    assert page.locator(".mm-stack").count() == 1
    expect(title(page)).to_have_text("cat")
    search(page).fill("zzz")
    expect(page.locator(".mm-count")).to_have_text("No feature fits “zzz”.")
    expect(names(page)).to_have_count(0)


def test_search_by_meaning_ranks_as_the_text_encoder_does(page: Page, steerer: Steerer):
    search(page).fill("a cat at night")
    page.get_by_role("button", name="Search by meaning instead").click()
    expect(names(page)).to_have_count(12)
    expected = steerer.search("a cat at night")
    items = page.locator(".mm-item")
    expect(items.first).to_contain_text(expected[0][0].name)
    for k, (feature, cosine) in enumerate(expected):
        expect(items.nth(k)).to_contain_text(feature.name)
        assert float(items.nth(k).locator("small").inner_text()) == pytest.approx(cosine, abs=0.006)
    expect(title(page)).to_have_text(expected[0][0].name)
    search(page).fill("a zebra")
    expect(page.locator(".mm-explore .mm-note")).to_contain_text("the model does not know zebra")
    expect(names(page)).to_have_count(0)
    page.get_by_role("button", name="by word").click()
    expect(page.locator(".mm-explore .mm-note")).to_have_count(0)


def test_filters_by_modality_name_confidence_and_frequency(page: Page):
    kinds = page.get_by_role("group", name="modality", exact=True)
    kinds.get_by_text("only said").click()
    expect(names(page)).to_have_count(3)
    expect(dots(page)).to_have_count(3)
    expect(title(page)).to_have_text("please draw")
    kinds.get_by_text("all").click()
    expect(names(page)).to_have_count(12)
    page.get_by_label("name confidence").select_option("name confidence above 0.8")
    expect(names(page)).to_have_count(11)  # the one a person renamed has no score
    page.get_by_label("name confidence").select_option("name confidence above 0.95")
    expect(names(page)).to_have_count(0)
    page.get_by_label("name confidence").select_option("any name")
    page.get_by_label("how often it fires").select_option("rare: below 2 %")
    expect(names(page)).to_have_count(0)
    page.get_by_label("how often it fires").select_option("2 to 20 %")
    expect(names(page)).to_have_count(12)


def test_a_bar_of_the_histogram_filters_by_mouse_and_keyboard(page: Page):
    expect(page.locator(".mm-bar-of")).to_have_count(20)
    expect(page.locator(".mm-cut-absolute.mm-cut").first).to_be_attached()
    left = "k => [...document.querySelectorAll('.mm-chart .mm-cut-absolute')][k].style.left"
    assert [page.evaluate(left, k) for k in (0, 1)] == ["20%", "80%"]
    assert page.locator(".mm-chart .mm-cut-paper").count() == 2
    bar = page.get_by_role("button", name="score 0.95 to 1.00: 3 vision")
    bar.click()
    expect(names(page)).to_have_count(3)
    expect(bar).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Home")
    expect(page.locator("[data-bar='0']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(names(page)).to_have_count(3)
    expect(title(page)).to_have_text("please draw")
    expect(page.locator("[data-bar='0']")).to_be_focused()  # drawn again, and the keyboard is where it was
    page.keyboard.press("Enter")
    expect(names(page)).to_have_count(12)
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-bar='1']")).to_be_focused()


def test_a_dot_is_chosen_by_mouse_and_keyboard(page: Page):
    dot = page.locator(".mm-dot[aria-label='snow, seen and said']")
    box = dot.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(title(page)).to_have_text("snow")
    dot.focus()
    old = page.evaluate("document.activeElement.dataset.dot")
    for key in ("ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
        if page.evaluate("document.activeElement.dataset.dot") != old:
            break
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label != "snow, seen and said"
    expect(page.locator(".mm-tip")).to_be_visible()
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text(label.rsplit(", ", 1)[0])
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == label
    assert page.locator(".mm-dot[tabindex='0']").count() == 1


def test_neighbours_lead_from_card_to_card(page: Page, bank: FeatureBank):
    search(page).fill("night")
    expect(title(page)).to_have_text("night")
    near = page.locator(".mm-card-part", has_text="Nearest features").locator(".mm-chip")
    expect(near).to_have_count(6)
    row = bank.directions[1]
    expected = max((f for f in bank.features if f.id != 1), key=lambda f: float(bank.directions[f.id] @ row))
    assert near.first.inner_text()[2:] == expected.name
    near.first.focus()
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text(expected.name)
    expect(title(page)).to_be_focused()


def test_an_effect_is_drawn_on_demand_and_cached_for_the_next_visitor(page: Page, chromium, address: str):
    search(page).fill("cat")
    expect(title(page)).to_have_text("cat")
    page.get_by_role("button", name="Draw what it does").click()
    pictures = page.locator(".mm-effect img")
    expect(pictures).to_have_count(12)
    assert pictures.first.get_attribute("alt") == f"{PROMPT}, seed {SEEDS[0]}, without cat"
    assert pictures.last.get_attribute("alt") == f"{PROMPT}, seed {SEEDS[-1]}, +2 cat"
    assert page.evaluate("document.querySelectorAll('.mm-effect img')[11].naturalWidth") > 0
    other = opened(chromium, address)
    search(other).fill("cat")
    expect(other.locator(".mm-effect img")).to_have_count(12)
    expect(other.get_by_role("button", name="Draw what it does")).to_have_count(0)
    other.close()


def test_of_two_effects_asked_for_at_once_both_come(page: Page):
    page.get_by_label("name confidence").select_option("any name")
    for name in ("small", "left"):
        search(page).fill(name)
        expect(title(page)).to_have_text(name)
        page.get_by_role("button", name="Draw what it does").click()
    expect(page.locator(".mm-effect img")).to_have_count(12)
    search(page).fill("small")
    expect(page.locator(".mm-effect img")).to_have_count(12)
    expect(page.locator(".mm-effect img").last).to_have_attribute("alt", re.compile("small$"))


def test_features_go_into_the_rack_from_card_and_list(page: Page):
    search(page).fill("snow")
    expect(title(page)).to_have_text("snow")
    page.get_by_role("button", name="Add to the picture").click()
    expect(page.get_by_role("button", name="✓ Active")).to_be_visible()
    search(page).fill("cat")
    page.get_by_label("add cat to the active features").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("add cat to the active features")).to_have_text("✓")
    expect(page.get_by_label("add cat to the active features")).to_be_focused()
    page.get_by_role("button", name="Steer with it").click()
    expect(page.locator(".mm-row")).to_have_count(3)
    expect(page.locator(".mm-row").nth(1)).to_contain_text("snow")
    expect(page.locator(".mm-row").nth(2)).to_contain_text("cat")
    expect(page.locator(".mm-after")).to_have_attribute("alt", re.compile("snow:1, cat:1"))
    page.get_by_role("tab", name="Explore").click()
    expect(title(page)).to_have_text("cat")


def test_markup_in_a_name_is_text(page: Page):
    search(page).fill("<img")
    expect(title(page)).to_have_text(EVIL)
    expect(names(page)).to_contain_text(EVIL)
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_runs_over_the_side(page: Page, width: int, height: int):
    page.set_viewport_size({"width": width, "height": height})
    expect(search(page)).to_be_visible()
    page.wait_for_function("w => document.documentElement.scrollWidth <= w", arg=width, timeout=WAIT)
    board = page.locator(".mm-board").bounding_box()
    assert board
    page.wait_for_function("w => document.querySelector('.mm-board svg').clientWidth <= w", arg=board["width"])
    for k in range(dots(page).count()):
        box = dots(page).nth(k).bounding_box()
        assert box
        assert board["x"] <= box["x"]
        assert box["x"] + box["width"] <= board["x"] + board["width"]


def test_search_by_word_works_before_the_model_has_loaded_and_by_meaning_waits_for_it(
    chromium, bank: FeatureBank, steerer: Steerer
):
    come = threading.Event()

    def load() -> Steerer:
        come.wait()
        return steerer

    server = serve(bank, load)
    page = opened(chromium, next(server))
    search(page).fill("night")
    expect(names(page)).to_have_count(1)
    page.get_by_role("button", name="by meaning").click()
    expect(page.locator(".mm-count")).to_have_text("asking the text encoder …")
    come.set()
    expect(names(page)).to_have_count(12)
    page.close()
    next(server, None)


def test_a_model_that_cannot_load_gives_a_sentence(chromium, bank: FeatureBank):
    def broken() -> Steerer:
        raise SteerError("unet is damaged: restore it")

    server = serve(bank, broken)
    page = opened(chromium, next(server))
    page.get_by_role("button", name="Draw what it does").click()
    expect(page.locator(".mm-card .mm-problem")).to_have_text("unet is damaged: restore it")
    page.get_by_role("button", name="by meaning").click()
    search(page).fill("night")
    expect(page.locator(".mm-explore .mm-note")).to_have_text("unet is damaged: restore it")
    page.close()
    next(server, None)
