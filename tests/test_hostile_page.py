"""The page with a bank whose every string is an attack: whatever it says is shown as text, in every tab of a real browser."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect
from served import served, whole_words
from shown_pair import open_menu, open_options

from mmsteer import Edit, Feature, FeatureBank, Steerer
from mmsteer.recipes.provenance import Missing
from mmsteer.ui.prompt.contained import contained
from mmsteer.ui.shared.badge import instead

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)
ATTACKS = (
    "<img src=x onerror=ran(1)>", "\"><svg onload=ran(2)>", "' autofocus tabindex=0 onfocus=ran(3) x='",
    "<a href=javascript:ran(4)>a</a>", "${ran(5)}", "{{ran(6)}} {{{this}}} {% ran %}", "</script><script>ran(7)</script>",
    "[a](javascript:ran(8))", "&lt;img src=x onerror=ran(9)&gt;", "<iframe srcdoc='<script>parent.ran(10)</script>'>",
    "`${ran(11)}` \\\\ \\u003cimg src=x onerror=ran(11)\\u003e", "</style><style>*{display:none}</style>",
)  # fmt: skip
INJECTED = "[onerror], [onload], [onfocus], [autofocus], iframe, object, embed, [src='x'], [href^='javascript:']"
WATCH = "window.calls = []; window.ran = (n) => window.calls.push(n); window.alert = window.ran;"


@pytest.fixture(scope="module")
def bank(tiny_bank: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-made bank with attacks for names, words, captions and all that is said of the bank as a whole."""
    folder = shutil.copytree(tiny_bank, tmp_path_factory.mktemp("hostile") / "bank")
    loaded, attacks = FeatureBank.load(folder), cycle(ATTACKS)
    features = [
        replace(
            f,
            name=f"{attack}"[:80],
            automatic=attack,
            words=ATTACKS,
            top_captions=ATTACKS,
            mutually_exclusive=(f.id ^ 1,),
        )
        for f, attack in zip(loaded.features, attacks, strict=False)
    ]
    told = {"backbone": ATTACKS[0], "clip": {"id": ATTACKS[1], "revision": ATTACKS[2]}, "objective": ATTACKS[3]}
    told |= {
        "source": {"name": ATTACKS[6], "kind": ATTACKS[5]},
        "levels": dict.fromkeys(("image", "text"), ATTACKS[11]),
    }
    FeatureBank(features, loaded.meta | told, loaded.dictionaries, loaded.tensors).save(folder)
    return folder


@pytest.fixture(scope="module")
def steerer(tiny_folder: Path, bank: Path) -> Steerer:
    return whole_words(tiny_folder, bank, steps=1)


@pytest.fixture(scope="module")
def address(steerer: Steerer, bank: Path) -> Iterator[str]:
    with served(steerer, bank) as address:
        yield address


@pytest.fixture(scope="module")
def visit(chromium: Browser, address: str) -> Iterator[Page]:
    """One visit, by a link with an edit that the bank lacks: the notice offers names that are spelt like it."""
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(WATCH)
    wrong: list[str] = []
    page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else wrong.append(r.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message) or dialog.dismiss())
    page.goto(f"{address}/?prompt=a+cat+at+night&seed=3&edit={quote('<img src=x onerror=ran(9)>')}")
    page.locator("#mm-pictures .mm-after").wait_for()
    yield page
    assert wrong == []
    page.close()


@pytest.fixture
def page(visit: Page) -> Iterator[Page]:
    """The visit goes on; after each tab nothing has happened that the page itself does not do."""
    yield visit
    untouched(visit)


def untouched(page: Page) -> None:
    """No script ran, and no element came from a string of the bank."""
    assert page.evaluate("window.calls") == []
    assert page.locator(INJECTED).evaluate_all("all => all.map((one) => one.outerHTML.slice(0, 200))") == []


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def reads(page: Page, place: str, *attacks: str) -> None:
    """These attacks stand in a place as the letters that they are."""
    for attack in attacks:
        expect(page.locator(place)).to_contain_text(attack)


def test_steer(page: Page):
    reads(page, "#mm-notice", "<img src=x onerror=ran(9)>", ATTACKS[0])  # what the link says, and the nearest names
    page.locator("#mm-notice [data-mm-add]").first.click()
    offers = page.locator("#mm-rack .mm-chips button[data-mm-add], #mm-rack .mm-chips button")
    search = page.get_by_label("add a feature")
    for number in (1, 2, 4, 6):
        search.fill(ATTACKS[number])
        offers.first.click()
    expect(page.locator(".mm-row")).to_have_count(5)
    reads(page, "#mm-rack", ATTACKS[0], ATTACKS[1], ATTACKS[4])
    page.locator(".mm-row button[aria-label$=': options']").first.click()
    expect(page.locator(".mm-after")).to_have_attribute("alt", re.compile(":1.*:1.*:1"))
    open_menu(page)
    page.locator("#mm-by-words").click()
    expect(page.locator("#mm-words img, #mm-words .mm-problem, #mm-words .mm-note").first).to_be_visible()
    page.locator("#mm-sweep [data-kind=over]").click()
    expect(page.locator(".mm-cell img")).to_have_count(9)
    page.get_by_label(re.compile("^scrub: ")).first.focus()
    page.keyboard.press("Home")
    open_options(page)
    expect(page.locator("#mm-active .mm-chip").first).to_be_visible()


def test_talk_mode(page: Page):
    """With the visit's own talk, and typed, guessed and blinking; then with the tour."""
    open_menu(page)
    page.locator("#mm-own-add").click()
    page.locator("#mm-own-start").click()
    talk = page.get_by_role("dialog", name="Talk mode")
    expect(talk.locator(".mm-after")).to_be_visible()
    reads(page, ".mm-talk-text", ATTACKS[0], ATTACKS[1], ATTACKS[4])
    for key in ("t", "v", "?", "+", "b", "b", "g"):
        page.keyboard.press(key)
    expect(talk.locator("h2")).to_contain_text(ATTACKS[0])
    page.keyboard.press("1")
    reads(page, ".mm-talk-answer", ATTACKS[0])
    untouched(page)
    page.keyboard.press("m")
    expect(talk.locator(".mm-talk-text")).not_to_be_empty()
    page.keyboard.press("Escape")
    expect(talk).to_have_count(0)


def test_explore(page: Page):
    tab(page, "Explore")
    items = page.locator(".mm-item-name")
    expect(items).to_have_count(12)
    for number in range(12):
        items.nth(number).click()
        expect(page.locator(".mm-card li")).to_have_count(len(ATTACKS))
        reads(page, ".mm-card", *ATTACKS)
    page.locator(".mm-dot[role=button]").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".mm-tip")).to_be_visible()
    page.get_by_role("button", name="Draw what it does").click()
    expect(page.locator(".mm-effect img")).to_have_count(12)
    page.get_by_label("search features").fill("a cat")
    page.get_by_role("button", name="by meaning").first.click()
    expect(items).to_have_count(12)


def test_from_a_picture(page: Page):
    tab(page, "From a picture")
    expect(page.locator("#mm-pair img")).to_have_count(2)
    page.locator("#mm-caption textarea, #mm-caption input").first.fill("a lovely cat")
    page.keyboard.press("Enter")
    expect(page.locator("#mm-parts [data-mm-add]").first).to_be_visible()
    assert "ran(" in (page.locator("#mm-parts").text_content() or "")
    page.locator("#mm-into-rack").click()
    expect(page.locator(".mm-row").first).to_be_visible()


@pytest.mark.parametrize(
    ("name", "there"), [("What it is good for", "#mm-eye .mm-answers"), ("Proof", ".mm-proof .mm-bars")]
)
def test_the_other_tabs(page: Page, name: str, there: str):
    tab(page, name)
    expect(page.locator(there).first).to_be_visible()


def test_a_bank_that_no_schema_has_seen_is_escaped_too(tiny: Steerer):
    """Made in a program: not even its ids are numbers."""
    attack = '7" onmouseover="ran(1)" x="'
    evil: Feature = replace(tiny.bank.get("night"), id=attack, name=attack)  # type: ignore[arg-type]
    for html in (contained([(evil, 1.0)]), instead(Missing(Edit(attack), [evil]))):
        assert 'onmouseover="' not in html
        assert html.count("&quot; onmouseover=&quot;ran(1)&quot; x=&quot;") >= 2
