"""Edits and recipes: every form of them says the same, and nonsense gets one clear error."""

import contextlib
import io
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmsteer.errors import SteerError
from mmsteer.models.sampler import Sampler
from mmsteer.recipes.edit import MOST_EDITS, Edit
from mmsteer.recipes.recipe import Origin, Recipe

edits = st.builds(
    Edit,
    feature=st.sampled_from(["warm light", "cat", 7]),
    mode=st.sampled_from(["add", "set", "remove"]),
    strength=st.integers(-32, 32).map(lambda n: n / 4),
    words=st.sampled_from([(), ("cat",), ("big", "cat")]),
    start=st.sampled_from([0.0, 0.25]),
    end=st.sampled_from([0.5, 1.0]),
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
origins = st.builds(
    Origin,
    backbone=st.sampled_from(["", "mini", "owner/name", "owner/name@refs/pr/1", "mein Modell"]),
    model=st.sampled_from(["", "0123456789abcdef", COMMIT]),
    bank=st.sampled_from(["", "fedcba9876543210"]),
    scheduler=st.sampled_from(["", "DPMSolverMultistepScheduler, order 2"]),
)
recipes = st.builds(
    Recipe,
    prompt=st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=50).filter(str.strip),
    seed=st.integers(0, 2**31 - 1),
    sampler=st.builds(Sampler, steps=st.integers(1, 50), guidance=st.sampled_from([0.0, 1.0, 3.0, 7.5])),
    edits=st.lists(edits, max_size=4).map(tuple),
    origin=origins,
)


@given(recipes)
@settings(max_examples=80, deadline=None)
def test_json_and_link_and_png_give_the_recipe_back(recipe):
    file = io.BytesIO()
    recipe.save_png(Image.new("RGB", (4, 4)), file)
    for back in (
        Recipe.from_json(recipe.to_json()),
        Recipe.from_query(recipe.to_query()),
        Recipe.from_png(io.BytesIO(file.getvalue())),
        Recipe.from_file(file.getvalue()),
        Recipe.from_file(recipe.to_json().encode()),
    ):
        assert back == recipe
        assert back.origin == recipe.origin  # which equality leaves out


@given(edits)
@settings(max_examples=60, deadline=None)
def test_an_edit_reads_its_own_text(edit):
    assert Edit.parse(str(edit)) == edit


@pytest.mark.parametrize("text", ["\u00b2", "9" * 900])  # digits to str.isdigit, no number to int
def test_only_a_short_plain_number_is_a_feature_number(text):
    assert Edit.parse(text).feature == text


@pytest.mark.parametrize(
    "text", ["", "cat:1e999", "cat:nan", "cat:fly:1", "cat:99", "cat[0.9-0.1]", "cat:1:2:3", "cat[0.5]", "cat:--3"]
)
def test_an_unreadable_edit_is_refused(text):
    with pytest.raises(SteerError):
        Edit.parse(text)


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_recipe_or_a_clear_error(text):
    for read in (Recipe.from_json, Recipe.from_query, Edit.parse):
        with contextlib.suppress(SteerError):  # anything else fails the test
            read(text)


@pytest.mark.parametrize(
    "text",
    ['{"recipe": 3}', '{"recipe": {"recipe": {"prompt": "a"}}}',
     '{"prompt": "a", "seed": -1}', '{"prompt": "a", "sampler": {"steps": 999}}', '{"prompt": "a", "edits": [{}]}', "[]",
     '{"prompt": "a", "edits": [{"feature": "cat", "strength": NaN}]}', '{"prompt": "a", "x": 1}', "[" * 5000],
)  # fmt: skip
def test_a_hostile_recipe_is_refused(text):
    with pytest.raises(SteerError):
        Recipe.from_json(text)


def test_a_picture_without_a_recipe_says_so():
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, format="PNG")
    with pytest.raises(SteerError, match="carries no recipe"):
        Recipe.from_png(io.BytesIO(file.getvalue()))
    with pytest.raises(SteerError, match="cannot be read"):
        Recipe.from_png(io.BytesIO(b"nonsense"))


def test_recipes_of_before_origins_were_told_still_open():
    told = '{"prompt": "a cat", "seed": 3, "sampler": {"steps": 2, "guidance": 1.0}, "edits": [], "backbone": "sd15"}'
    assert Recipe.from_json(told).origin == Origin("sd15")
    assert Recipe.from_json('{"prompt": "a cat"}').origin == Origin()
    assert Recipe.from_query("prompt=a+cat&seed=3&steps=2&guidance=1&backbone=sd15").origin == Origin("sd15")
    assert Recipe.from_query("prompt=a+cat").origin == Origin()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/home/ann/models/sd", "sd"), ("/home/ann/my models/sd/", "sd"), ("~/sd", "sd"), ("../sd", "sd"), ("./sd", "sd"),
        ("/home/a@b/sd", "sd"), ("models/ann/sd", "sd"), ("C:\\Users\\ann\\sd", "sd"), ("file:///home/ann/sd", "sd"),
        ("sd15", "sd15"), ("owner/name", "owner/name"), ("owner/name@refs/pr/1", "owner/name@refs/pr/1"),
    ],
)  # fmt: skip
def test_an_origin_never_holds_a_path(given, kept):
    """Whoever wrote it: recipes of earlier versions have the folder that a local backbone was loaded from."""
    assert Recipe.from_json(json.dumps({"prompt": "a cat", "backbone": given})).origin.backbone == kept
    assert Recipe.from_query(urlencode({"prompt": "a cat", "backbone": given})).origin.backbone == kept
    assert Origin(given).backbone == kept


@pytest.mark.parametrize(
    "origin",
    [
        {"backbone": 3}, {"backbone": None}, {"backbone": "x" * 301}, {"backbone": "a\nb"}, {"backbone": "\ud800"},
        {"model": "/home/ann"}, {"model": "abc"}, {"model": "0" * 65}, {"model": "0123456789ABCDEF"}, {"model": 7},
        {"bank": "0123456\n"}, {"bank": ["0123456789abcdef"]}, {"bank": None}, {"scheduler": "DDIMScheduler"},
        {"scheduler": "<b>, order 1"}, {"scheduler": "x" * 81 + ", order 1"}, {"scheduler": "DDIMScheduler, order \u0661"},
        {"evil": 1}, [], "mini", None,
    ],
)  # fmt: skip
def test_a_hostile_origin_is_refused_in_a_sentence(origin):
    with pytest.raises(SteerError, match=r"`(backbone|model|bank|scheduler)` is |origin (is a|has unknown keys)"):
        Recipe.from_json(json.dumps({"prompt": "a cat", "origin": origin}))
    with pytest.raises(SteerError, match="`bank` is"):
        Recipe.from_query("prompt=a+cat&bank=../mine")


def test_a_recipe_without_edits_keeps_its_origin_and_equals_one_of_unknown_origin():
    """So a *before* that is kept serves both."""
    known = Recipe("a cat", 3, origin=Origin("mini", COMMIT))
    assert known.plain.origin == Origin("mini", COMMIT)
    assert {known.plain: 1}[Recipe("a cat", 3)] == 1
    with pytest.raises(SteerError, match="`origin` is 'mini'"):
        Recipe("a cat", 3, Sampler(), (), "mini")


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "read",
    [
        lambda: Edit.parse(LONG), lambda: Edit.parse(f"cat:{LONG}"), lambda: Edit(LONG), lambda: Edit("cat", LONG),
        lambda: Edit("cat", strength=LONG), lambda: Edit("cat", strength=10**5000), lambda: Edit(10**5000),
        lambda: Edit("cat", words=(LONG,)), lambda: Edit("cat", words=(LONG, " ")), lambda: Edit("cat", words=("cat",) * 78),
        lambda: Recipe("a cat", seed=LONG), lambda: Recipe("a cat", seed=10**5000), lambda: Recipe("a cat", origin=LONG),
        lambda: Sampler(LONG), lambda: Sampler(4, 10**400), lambda: Origin(LONG), lambda: Origin(model=LONG),
        lambda: Recipe.from_json(json.dumps({"prompt": "a", LONG[:5000]: 1})), lambda: Recipe.from_query(f"prompt=a&seed={LONG[:5000]}"),
        lambda: Recipe.from_json(json.dumps({"prompt": "a", "edits": [{"feature": "a", "words": LONG[:5000]}]})),
    ],
)  # fmt: skip
def test_a_message_repeats_little_of_what_was_given(read):
    with pytest.raises(SteerError) as refused:
        read()
    assert len(str(refused.value)) < 350


def test_too_many_edits_are_refused_before_any_is_read():
    unreadable = ["cat:fly"] * (MOST_EDITS + 1)
    for read in (
        lambda: Recipe.from_query(urlencode([("prompt", "a"), *(("edit", text) for text in unreadable)])),
        lambda: Recipe.from_json(json.dumps({"prompt": "a", "edits": unreadable})),
    ):
        with pytest.raises(SteerError, match="33 edits at once; 32 are allowed"):
            read()


def test_every_recipe_that_is_allowed_can_be_opened_again():
    """The longest: letters that take most characters in a link, controls that take most in JSON."""
    for letter in ("\N{GRINNING FACE}", "\x01"):
        long = Edit("cat", words=tuple(letter * 11 for _ in range(77)))
        recipe = Recipe(letter * 500, 2**32 - 1, Sampler(50, 19.99), (long, long, long, long))
        assert Recipe.from_query(recipe.to_query()) == recipe
        assert Recipe.from_json(recipe.to_json()) == recipe
        with pytest.raises(SteerError, match="the edits together have 4,6.. characters; 4,000 are allowed"):
            Recipe("a cat", edits=(long,) * 5)
