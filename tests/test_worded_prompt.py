"""The same thing by prompt: which words are added and left out."""

from dataclasses import replace

import pytest

from mmsteer import Edit, FeatureBank, Steerer
from mmsteer.recipes.worded_prompt import in_words


@pytest.mark.parametrize(
    ("prompt", "edits", "wanted"),
    [
        ("a cat", [Edit("night")], "a cat night"),
        ("a cat at Night", [Edit("night")], "a cat at Night"),  # said already
        ("a knight", [Edit("night")], "a knight night"),  # a word, not a part of one
        ("a big cat at night", [Edit("night", "remove")], "a big cat at"),
        ("a big cat at night", [Edit("night", strength=-1.0)], "a big cat at"),
        ("a cat at night", [Edit("night", "set", 0.0)], "a cat at"),
        ("a cat", [Edit("night", "set", 1.0), Edit("please draw", strength=0.1)], "a cat night please draw"),
        ("a cat", [Edit("night", strength=0.0)], "a cat"),
        ("please draw a cat", [Edit("please draw", "remove")], "a cat"),
        ("night", [Edit("night", "remove")], ""),
    ],
)
def test_words_are_added_and_left_out(tiny: Steerer, prompt: str, edits: list[Edit], wanted: str):
    assert in_words(tiny.bank, prompt, edits).prompt == wanted


def test_a_number_that_tells_namesakes_apart_is_no_word(tiny: Steerer):
    bank = FeatureBank([replace(f, name="cat 2") if f.name == "cat" else f for f in tiny.bank.features], {})
    assert in_words(bank, "a dog", [Edit("cat 2")]).prompt == "a dog cat"
    assert in_words(bank, "a cat", [Edit("cat 2")]).prompt == "a cat"


def test_what_no_caption_says_is_tried_and_told(tiny: Steerer):
    assert in_words(tiny.bank, "a cat", [Edit("warm light"), Edit("night")]) == (
        "a cat warm light night",
        ("warm light",),
    )
    assert in_words(tiny.bank, "a cat", [Edit("warm light", "remove")]).image_only == ()


def test_places_and_times_come_as_captions_say_them(tiny: Steerer):
    said = {
        "night": ("a cat at night", "at night a dog", "night"),
        "snow": ("snow", "a cat", "in the snow"),
        "cat": ("a cat",),
    }
    features = [replace(f, top_captions=said.get(f.name, f.top_captions)) for f in tiny.bank.features]
    bank = FeatureBank(features, {})
    assert in_words(bank, "a fox", [Edit("night")]).prompt == "a fox at night"
    assert in_words(bank, "a big cat at night", [Edit("night", "remove")]).prompt == "a big cat"
    assert in_words(bank, "a fox", [Edit("cat")]).prompt == "a fox cat"
