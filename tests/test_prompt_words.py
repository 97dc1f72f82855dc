"""What the page says of a prompt: its features, words without one, words that the model does not know, targets it has lost."""

import re

import pytest
from playwright.sync_api import Page, expect
from shown_pair import WAIT, changed, open_options, open_row, recipe_shown, source

from mmsteer import Edit, Steerer
from mmsteer.ui.prompt.contained import contained, left, words_without
from mmsteer.ui.prompt.known_words import vocabulary
from mmsteer.ui.prompt.word_targets import forgotten, within

expect.set_options(timeout=WAIT)


def typed(page: Page, prompt: str) -> None:
    page.locator("#mm-prompt textarea").fill(prompt)


def test_words_without_a_feature_are_named_and_function_words_are_not(tiny: Steerer):
    cat, snow = tiny.bank.get("cat"), tiny.bank.get("snow")
    assert words_without("a Unicorn, a cat and a unicorn in the snow", [cat, snow]) == ["unicorn"]
    assert words_without("a cat in the snow", [snow]) == ["cat"]
    html = contained([(snow, 1.0), (cat, 0.4)], prompt="a cat in the snow")
    assert re.findall(r'data-mm-add="(\d+)"', html) == [str(snow.id)]  # 0.4 is less than half as strong as usual
    assert '<span class="mm-no-feature">cat</span>' in html
    assert "contains no feature" in contained([(cat, 0.4)])
    assert "<b>" not in contained([], prompt="<b>x</b>")


@pytest.mark.parametrize(
    ("edit", "remains"),
    [
        (Edit("snow", "remove"), 0.0), (Edit("snow", "remove", 0.25), 0.9), (Edit("snow", "set", 0.3), 0.3), (Edit("snow"), 2.2),
        (Edit("snow", strength=-1.0), 0.2), (Edit("cat", "remove"), 1.2),
    ],
)  # fmt: skip
def test_what_is_taken_out_is_struck_through(tiny: Steerer, edit: Edit, remains: float):
    snow, edited = tiny.bank.get("snow"), [(edit, tiny.bank.get(edit.feature))]
    assert left(snow, 1.2, edited) == pytest.approx(remains)
    assert ("mm-gone" in contained([(snow, 1.2)], edited)) == (remains < 0.5)


def test_words_that_a_prompt_has_lost_are_dropped_from_edits(tiny: Steerer):
    edits = [
        Edit("night", words=("fox",)),
        Edit("snow", words=("cat", "fox#2")),
        Edit("cat", words=("Cat",)),
        Edit("small"),
    ]
    kept, lost = within("a cat and a fox", edits)
    assert kept == [edits[0], Edit("snow", words=("cat",)), *edits[2:]]
    assert [one.words for one in lost] == [("fox#2",)]
    assert lost[0].note(tiny.bank) == "The prompt has no 'fox#2': snow acts on the other words it was set to now."
    kept, lost = within("a cat", edits[:1])
    assert kept == [Edit("night")]
    assert lost[0].note(tiny.bank) == "The prompt has no 'fox': night acts on all words now."
    assert forgotten(tiny.bank, lost) == [{"id": tiny.bank.get("night").id, "words": ["fox"]}]


def test_the_vocabulary_is_given_where_words_are_whole(steerer: Steerer, tiny: Steerer):
    known = vocabulary(steerer.backbone, steerer.bank)
    assert {"cat", "night", "penguin"} <= set(known["words"])
    assert "unicorn" not in known["words"]
    assert known["drawn"] == [
        "cat",
        "left",
        "night",
        "penguin",
        "small",
        "snow",
    ]  # what is only seen or only said is not there
    assert vocabulary(tiny.backbone, tiny.bank) == {"words": None, "drawn": []}


def test_unknown_words_are_marked_while_typing_and_a_click_replaces_them(page: Page):
    line = page.locator("#mm-known p")
    expect(line).to_be_hidden()
    typed(page, "a pengin and a unicorn at night")
    expect(line.locator("mark")).to_have_text(["pengin", "unicorn"])
    page.get_by_role("button", name="penguin in place of pengin").click()
    expect(page.locator("#mm-prompt textarea")).to_have_value("a penguin and a unicorn at night")
    expect(line.locator("mark")).to_have_text(["unicorn"])
    page.get_by_role("button", name="What can be drawn").click()
    page.locator("#mm-known").get_by_role("button", name="snow", exact=True).click()
    expect(page.locator("#mm-prompt textarea")).to_have_value("a penguin and a unicorn at night snow")
    after = source(page, "after")
    page.locator("#mm-draw").click()
    changed(page, after)
    assert recipe_shown(page).prompt == "a penguin and a unicorn at night snow"


def test_a_target_that_the_new_prompt_lacks_is_dropped_with_a_notice(page: Page):
    open_row(page)
    after = source(page, "after")
    page.locator(".mm-details").get_by_role("button", name="fox", exact=True).click()
    changed(page, after)
    settings = page.locator(".mm-row .mm-settings")
    expect(settings).to_have_text("on: fox")
    typed(page, "a cat in the snow")
    after = source(page, "after")
    page.locator("#mm-draw").click()
    changed(page, after)
    expect(page.locator("#mm-status")).to_contain_text("The prompt has no 'fox': night acts on all words now.")
    expect(settings).to_have_count(0)
    assert recipe_shown(page).edits == (Edit("night"),)
    open_options(page)
    page.locator("#mm-list-words").click()
    expect(page.locator("#mm-known button", has_text="penguin")).to_be_visible()
