"""The tab "What it is good for" in a real browser: people by occupation, and attacks, with what it refuses."""

import base64
import json
import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Page, expect
from served import served
from test_stage import violations

from mmsteer import Edit, FeatureBank, Recipe, Steerer
from mmsteer.models.backbone import Backbone
from mmsteer.models.registry import Spec
from mmsteer.studies.bias.pictures import GenderEdits
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.uses.attacks import SCOPES, Attacks, candidates, defence, verdict
from mmsteer.ui.uses.occupations import SEEDS, Occupations
from mmsteer.ui.uses.payloads import BUDGETS, OCCUPATIONS, PICTURES, Dozen
from mmsteer.world import factors

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)
DOZEN = {"occupation": "doctor", "modality": "cross", "way": "set", "strength": 1.0}
ATTACK = {"number": 1, "prompt": "a cat in the snow", "seed": 0, "budget": 8, "scope": "cross"}


@pytest.fixture(scope="module")
def steerer(tiny_folder: Path, tiny_bank: Path) -> Steerer:
    """The tiny backbone in one step a picture, with a judge that sees brightness."""
    spec = Spec(tiny_folder, steps=1, whole_words=True, readout="judge_by_brightness")
    return Steerer(Backbone.load("whole", spec=spec), FeatureBank.load(tiny_bank))


@pytest.fixture
def page(page: Page) -> Page:
    """The tab, with the first answer of both parts."""
    page.get_by_role("tab", name="What it is good for").click()
    expect(page.locator("#mm-people .mm-waiting")).to_have_count(0)
    expect(page.locator("#mm-eye .mm-answers")).to_have_count(3)
    return page


def people(page: Page):
    return page.get_by_role("region", name="Who is a doctor?")


def eye(page: Page):
    return page.get_by_role("region", name="Fool the eye")


def group(part, name: str):
    return part.get_by_role("group", name=name, exact=True)


def pictures(page: Page, which: int) -> list[str]:
    """The sources of twelve pictures: 0 without, 1 with edits."""
    return page.locator(".mm-people-grid").nth(which).locator("img").evaluate_all("all => all.map((one) => one.src)")


def words(page: Page, which: int) -> str:
    return page.locator(".mm-share-words").nth(which).text_content() or ""


def opened(source: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB")


# -- who is a doctor? --


def test_twelve_pictures_without_and_with_edits(page: Page, steerer: Steerer):
    before, after = pictures(page, 0), pictures(page, 1)
    assert len(before) == len(after) == PICTURES
    assert before != after
    drawn = Image.fromarray(steerer.render_many(["a doctor"], (), [SEEDS[4]])[0].permute(1, 2, 0).numpy())
    difference = ImageChops.difference(opened(before[4]), drawn).convert("L")
    assert max(difference.getextrema()) < 60  # it is the same but for what WEBP loses
    alt = page.locator(".mm-people-grid img").nth(4).get_attribute("alt") or ""
    assert re.fullmatch("a doctor, picture 5, without edits: the judge reads doctor, (wo)?man", alt)
    men = sum(
        (one.get_attribute("alt") or "").endswith(", man") for one in page.locator(".mm-people-grid img").all()[:12]
    )
    assert words(page, 0).startswith(f"Men: {men} of 12 people, {round(100 * men / 12)} %")
    assert "planted 90 %" in words(page, 0)
    assert "What else changed (leak):" in (people(page).locator(".mm-reading").text_content() or "")
    expect(people(page).locator("[data-mm-add]")).not_to_have_count(0)


def test_the_bar_shows_the_share_the_interval_one_half_and_the_planted_bias(page: Page):
    group(people(page), "Occupation").get_by_text("farmer").click()
    expect(page.locator(".mm-share-words").first).to_contain_text("planted 10 %")
    men = int(re.search(r"Men: (\d+) of 12", words(page, 0))[1])  # type: ignore[index]
    widths = page.locator(".mm-share-bar").first.evaluate("""(bar) => {
      const whole = bar.getBoundingClientRect();
      const at = (name) => bar.querySelector(name).getBoundingClientRect();
      const middle = (box) => (box.left + box.right) / 2 - whole.left;
      return ['.mm-share-fill', '.mm-share-interval'].map((name) => at(name).width / whole.width).concat(
        ['.mm-share-mark:not(.mm-share-planted)', '.mm-share-planted'].map((name) => middle(at(name)) / whole.width));
    }""")
    page.wait_for_timeout(400)  # the bar moves
    assert widths[1] > 0.1
    assert widths[2:] == pytest.approx([0.5, 0.1], abs=0.01)
    fill = page.locator(".mm-share-fill").first.evaluate("(fill) => fill.style.width")
    assert float(fill.rstrip("%")) == pytest.approx(100 * men / 12)


def test_the_newest_strength_is_drawn_and_nothing_twice(page: Page, steerer: Steerer, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[float, ...]] = []
    render = steerer.render_many

    def counted(prompts, edits, seeds, sampler=None):  # type: ignore[no-untyped-def]
        asked.append(tuple(edit.strength for edit in edits))
        return render(prompts, edits, seeds, sampler)

    monkeypatch.setattr(steerer, "render_many", counted)
    group(people(page), "are").get_by_text("removed").click()
    slider = people(page).get_by_role("slider", name="strength")
    slider.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(page.locator("figure.mm-people").nth(1)).not_to_have_attribute("data-old", "")
    assert slider.input_value() == "2"
    assert asked[-1][0] == 2
    assert len(asked) == len(set(asked))
    before = len(asked)
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("End")
    expect(page.locator("figure.mm-people").nth(1)).not_to_have_attribute("data-old", "")
    assert 2 not in [strengths[0] for strengths in asked[before:]]


def test_at_strength_zero_both_grids_are_the_same(page: Page):
    people(page).get_by_role("slider", name="strength").focus()
    page.keyboard.press("Home")
    expect(people(page).locator(".mm-reading")).to_have_text("Nothing is changed at strength 0.")
    assert pictures(page, 0) == pictures(page, 1)
    assert words(page, 0) == words(page, 1)


def test_a_picture_is_saved_with_a_recipe_that_draws_it_again(page: Page, steerer: Steerer):
    with page.expect_download() as download:
        page.locator(".mm-people-grid").nth(1).get_by_role("button").nth(2).click()
    assert download.value.suggested_filename == "doctor-3.png"
    path = download.value.path()
    recipe = Recipe.from_png(path)
    assert (recipe.prompt, recipe.seed) == ("a doctor", SEEDS[2])
    assert [edit.mode for edit in recipe.edits] == ["set"] * len(recipe.edits)
    assert recipe.edits
    assert Image.open(path).tobytes() == steerer.picture(recipe).tobytes()


def test_a_pull_begins_where_the_features_are_and_ends_at_the_mean(parts, steerer: Steerer):
    def strengths(strength: float) -> list[float]:
        dozen = Dozen.model_validate(DOZEN | {"strength": strength})
        return [edit.strength for edit in parts[0]._edits_of(steerer, dozen)]

    state = steerer.read(["a doctor"])
    features = GenderEdits(steerer).ranked("cross")[: len(strengths(1.0))]
    own = [float(state.presence[f.side][0, f.latent]) / f.activation_scale for f in features]
    mean = [edit.strength for edit in GenderEdits(steerer).of("cross", 1.0, "set")]
    assert strengths(1e-6) == pytest.approx(own, abs=1e-3)
    assert strengths(1.0) == pytest.approx(mean, abs=1e-3)
    assert own != pytest.approx(mean, abs=1e-3)
    assert strengths(0) == []


def test_the_occupations_are_those_of_the_world():
    assert sorted(OCCUPATIONS) == sorted(factors.OCCUPATIONS)


# -- fool the eye --


def test_a_picture_is_attacked_within_its_budget_and_can_be_saved(page: Page):
    shown = [opened(one.get_attribute("src") or "") for one in eye(page).locator("img").all()]
    assert len(shown) == 3
    difference = ImageChops.difference(shown[0], shown[1])
    assert 0 < max(high for _, high in difference.getextrema()) <= 4
    texts = [one.get_attribute("alt") or "" for one in eye(page).locator("img").all()]
    assert texts[0] == "a big cat in the middle at night, seed 3"
    assert texts[1] == f"{texts[0]}, attacked through cross-modal features: no value differs by more than 4 of 255"
    with page.expect_download() as download:
        eye(page).get_by_role("link", name="Save attacked").click()
    assert Image.open(download.value.path()).convert("RGB").tobytes() == shown[1].tobytes()
    with page.expect_download() as download:
        eye(page).get_by_role("link", name="Save the picture").click()
    assert Recipe.from_png(download.value.path()).prompt == "a big cat in the middle at night"


def test_budget_and_class_are_controls(page: Page):
    group(eye(page), "Each value may move by").get_by_text("1 of 255").click()
    group(eye(page), "Attack through").get_by_text("the whole embedding").click()
    attacked = eye(page).locator("img").nth(1)
    expect(attacked).to_have_attribute("alt", re.compile("through the whole embedding: no value .* more than 1 of 255"))
    button = eye(page).get_by_role("button", name="Compare without the attacked")
    expect(button).to_be_disabled()  # nothing would be left


def test_the_class_is_removed_before_comparing(page: Page):
    verdict_line = eye(page).locator(".mm-reading")
    expect(verdict_line).to_have_text(re.compile("^(Fooled|Not fooled).*Random noise as large: “"))
    answers = eye(page).locator(".mm-answers ol").first.text_content()
    button = eye(page).get_by_role("button", name="Compare without the cross-modal features")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(verdict_line).to_have_text(re.compile("^Without the cross-modal features on both sides"))
    assert eye(page).locator(".mm-answers ol").first.text_content() != answers
    button.click()
    expect(verdict_line).to_have_text(re.compile("^(Fooled|Not fooled)"))


def test_a_prompt_of_ones_own_and_one_that_says_nothing(page: Page):
    prompt = eye(page).get_by_role("textbox", name="prompt of the picture")
    prompt.fill("a zebra in the snow")
    prompt.press("Enter")
    expect(eye(page).locator("img").first).to_have_attribute("alt", "a zebra in the snow, seed 3")
    expect(eye(page)).to_contain_text("The model does not know: zebra")
    prompt.fill("   ")
    prompt.press("Enter")
    expect(eye(page).locator(".mm-problem")).to_contain_text("prompt")
    expect(eye(page).locator("img").first).to_have_attribute("alt", "a zebra in the snow, seed 3")  # stays
    prompt.fill('<img src=x onerror="window.pwned=1">')
    prompt.press("Enter")
    expect(eye(page).locator("img").first).to_have_attribute("alt", re.compile("^<img src=x"))
    assert page.evaluate("window.pwned") is None
    eye(page).get_by_role("button", name="Another").click()
    expect(eye(page).locator("img").first).to_have_attribute("alt", re.compile("seed 4$"))


def test_captions_to_choose_from_differ_in_one_fact(tiny_bank: Path):
    captions = candidates(FeatureBank.load(tiny_bank), "a cat in the snow")
    assert captions[0] == "a cat in the snow"
    assert {"a penguin in the snow", "a cat at night"} <= set(captions)
    assert len(captions) == len(set(captions))
    assert not [caption for caption in captions if "lovely" in caption or "please" in caption]


def test_no_caption_to_choose_from_is_a_vaguer_one(mini: Occupations):
    captions = candidates(mini.bank, "a cat in the forest")
    assert len(captions) > 30
    assert [one for one in captions if not one.endswith(" in the forest") and not one.startswith("a cat ")] == []
    assert {"an owl in the forest", "a cat at night"} <= set(captions)
    assert len(candidates(mini.bank, "hello")) > 10  # states no fact: captions of the bank


def answers(before: str, after: str, noise: str = "a cat"):
    return {"before": [(before, 0.5)], "after": [(after, 0.5)], "noise": [(noise, 0.5)]}


def test_what_is_said_of_an_attack_and_a_defence():
    fooled, fine = answers("a cat", "a dog"), answers("a cat", "a cat")
    assert verdict(fooled, "cross").startswith("Fooled: CLIP's first answer changes from “a cat” to “a dog”.")
    assert verdict(fine, "cross").startswith("Not fooled through cross-modal features")
    assert defence(fooled, fine, "cross").endswith("the answer comes back: “a cat”.")
    assert defence(fine, fine, "cross").endswith("the answer stays: “a cat”.")
    assert "does not come back: CLIP says “a dog”" in defence(fooled, fooled, "cross")
    assert "no longer knows even the picture as it was (“a bee”)" in defence(fooled, answers("a bee", "a dog"), "cross")


# -- what is missing, and what is refused --


def test_without_a_judge_and_without_a_clip_each_part_says_what_is_missing(
    chromium: Browser, tiny_folder: Path, tiny_bank: Path, tmp_path: Path
):
    import shutil

    for name in ("tokenizer", "text_encoder", "unet", "vae", "scheduler", "model_index.json"):
        part = tiny_folder / name
        (shutil.copytree if part.is_dir() else shutil.copy)(part, tmp_path / name)  # type: ignore[operator]
    bare = Steerer(Backbone.load("bare", spec=Spec(tmp_path, steps=1)), FeatureBank.load(tiny_bank))
    with served(bare, tiny_bank) as address:
        page = chromium.new_page()
        page.goto(address)
        page.locator("#mm-pictures .mm-after").wait_for()
        page.get_by_role("tab", name="What it is good for").click()
        expect(people(page)).to_contain_text("start the page with its embedded backbone")
        expect(eye(page)).to_contain_text("Attacks need the full CLIP that the bank was made with")
        assert page.get_by_role("slider", name="strength").count() == 0
        assert str(tmp_path) not in page.content()
        page.close()


@pytest.mark.parametrize(
    "value",
    [
        None, "x", {}, {"number": 1}, {"number": 0, "dozen": DOZEN}, {"number": True, "dozen": DOZEN},
        {"number": 1, "dozen": DOZEN | {"strength": 9}}, {"number": 1, "dozen": DOZEN | {"strength": float("nan")}},
        {"number": 1, "dozen": DOZEN | {"occupation": "king"}}, {"number": 1, "dozen": DOZEN | {"modality": "all"}},
        {"number": 1, "dozen": DOZEN | {"way": "../x"}}, {"number": 1, "dozen": DOZEN, "more": 1},
    ],
)  # fmt: skip
def test_a_dozen_that_no_page_asks_for_is_refused(parts, value):
    assert "load the page again" in parts[0].draw(value)["error"]
    assert "load the page again" in parts[0].save(value)["error"]


@pytest.mark.parametrize("save", [-1, 12, "0", 0.5, None])
def test_a_picture_beyond_the_dozen_is_refused(parts, save):
    assert "load the page again" in parts[0].save({"save": save, "dozen": DOZEN})["error"]


@pytest.mark.parametrize(
    "change", [{"budget": 3}, {"budget": "4"}, {"scope": "random"}, {"seed": 0.5}, {"prompt": 7}, {"number": 0}, {"steps": 99}]
)  # fmt: skip
def test_an_attack_that_no_page_asks_for_is_refused(parts, change):
    assert "load the page again" in parts[1].attack(ATTACK | change)["error"]


@pytest.mark.parametrize("change", [{"seed": -1}, {"seed": 2**40}, {"prompt": ""}, {"prompt": "x" * 3000}])
def test_a_picture_that_cannot_be_drawn_gets_a_sentence(parts, change):
    answer = parts[1].attack(ATTACK | change)
    assert answer["error"]
    assert "log has the details" not in answer["error"]


@pytest.fixture(scope="module")
def parts(steerer: Steerer, tiny_bank: Path) -> tuple[Occupations, Attacks]:
    page = PageState(FeatureBank.load(tiny_bank), lambda: steerer)
    return Occupations(page), Attacks(page)


def test_an_answer_is_the_same_every_time_and_plain_json(parts):
    first, again = (parts[1].attack(ATTACK) for _ in range(2))
    assert json.loads(json.dumps(first)) == json.loads(json.dumps(again))
    assert set(first["attacked"]["answers"]["all"]) == {"before", "after", "noise"}
    assert parts[0].draw({"number": 3, "dozen": DOZEN}) == parts[0].draw({"number": 3, "dozen": DOZEN})


def test_every_class_and_budget_answers(parts):
    for scope in SCOPES:
        answer = parts[1].attack(ATTACK | {"scope": scope, "budget": BUDGETS[-1]})["attacked"]
        assert (answer["answers"]["without"] is None) == (scope == "all")
        assert bool(answer["defence"]) == (scope != "all")


# -- inclusive --


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_runs_over_the_side(page: Page, width: int, height: int):
    page.set_viewport_size({"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    inside = page.evaluate("""() => [...document.querySelectorAll('.mm-use *')].filter((one) => one.checkVisibility()
      && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 80))""")
    assert inside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing_serious(page: Page, scheme: str, width: int):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
    page.set_viewport_size({"width": width, "height": 900})
    assert violations(page) == []


def test_every_control_is_reached_by_tab_in_the_order_shown(page: Page):
    page.evaluate("""document.querySelectorAll('.mm-use :is(button, input, a)').forEach((one, k) => {
      if (!one.disabled) one.dataset.walk = k;
    })""")
    wanted = page.locator("[data-walk]").evaluate_all("all => all.map((one) => +one.dataset.walk)")
    page.locator("#mm-people h2").click()
    walked = []
    for _ in range(len(wanted) + 12):
        page.keyboard.press("Tab")
        seen = page.evaluate("""() => {
          const focused = document.activeElement;
          const style = getComputedStyle(focused);
          if (focused.dataset.walk && (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2)) return -1;
          return focused.dataset.walk ? +focused.dataset.walk : null;
        }""")
        if seen is not None and seen not in walked:
            walked.append(seen)
    assert walked == wanted


@pytest.fixture(scope="module")
def mini() -> Occupations:
    """The first part on the embedded backbone."""
    steerer = Steerer.load()
    return Occupations(PageState(steerer.bank, lambda: steerer))


@pytest.mark.parametrize(("occupation", "usual"), [("doctor", "man"), ("farmer", "woman")])
def test_the_embedded_backbone_draws_the_planted_bias(mini: Occupations, occupation: str, usual: str):
    drawn = mini.draw({"number": 1, "dozen": DOZEN | {"occupation": occupation, "strength": 0.0}})["drawn"]
    share = drawn["men"] / drawn["people"]
    assert drawn["people"] == PICTURES
    assert share > 0.7 if usual == "man" else share < 0.3
    assert drawn["planted"] == (0.9 if usual == "man" else 0.1)
    assert drawn["features"] == []


def test_edits_of_a_dozen_are_those_of_its_recipes(mini: Occupations):
    saved = mini.save({"save": 3, "dozen": DOZEN})["file"]
    recipe = Recipe.from_png(BytesIO(base64.b64decode(saved["data"].split(",")[1])))
    drawn = mini.draw({"number": 1, "dozen": DOZEN})["drawn"]
    assert [mini.bank.get(edit.feature).name for edit in recipe.edits] == [f["name"] for f in drawn["features"]]
    assert all(isinstance(edit, Edit) for edit in recipe.edits)
