"""Edits and recipes: every form of them says the same, and nonsense gets one clear error."""

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmsteer.edit import Edit
from mmsteer.errors import SteerError
from mmsteer.recipe import Recipe, Sampler

edits = st.builds(
    Edit,
    feature=st.sampled_from(["warm light", "cat", 7]),
    mode=st.sampled_from(["add", "set", "remove"]),
    strength=st.integers(-32, 32).map(lambda n: n / 4),
    words=st.sampled_from([(), ("cat",), ("big", "cat")]),
    start=st.sampled_from([0.0, 0.25]),
    end=st.sampled_from([0.5, 1.0]),
)
recipes = st.builds(
    Recipe,
    prompt=st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=50).filter(str.strip),
    seed=st.integers(0, 2**31 - 1),
    sampler=st.builds(Sampler, steps=st.integers(1, 50), guidance=st.sampled_from([0.0, 1.0, 3.0, 7.5])),
    edits=st.lists(edits, max_size=4).map(tuple),
)


@given(recipes)
@settings(max_examples=80, deadline=None)
def test_json_and_link_and_png_give_the_recipe_back(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_query(recipe.to_query()) == recipe
    file = io.BytesIO()
    recipe.save_png(Image.new("RGB", (4, 4)), file)
    assert Recipe.from_png(io.BytesIO(file.getvalue())) == recipe


@given(edits)
@settings(max_examples=60, deadline=None)
def test_an_edit_reads_its_own_text(edit):
    assert Edit.parse(str(edit)) == edit


@pytest.mark.parametrize("text", ["\u00b2", "9" * 5000])  # digits to str.isdigit, no number to int
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
    ['{"prompt": "a", "seed": -1}', '{"prompt": "a", "sampler": {"steps": 999}}', '{"prompt": "a", "edits": [{}]}', "[]",
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
