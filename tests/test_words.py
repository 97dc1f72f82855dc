"""Words of a prompt are found whatever punctuation, script or typing is around them, and as often as they occur."""

import pytest

from mmsteer import Edit, Recipe, Steerer, SteerError
from mmsteer.models.prompt import encode
from mmsteer.models.text.words import absence, composed, occurrences, spans


@pytest.fixture(scope="module")
def mini() -> Steerer:
    return Steerer.load("mini")


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("a “cat” at night", "cat"), ("a cat’s dream", "cat"), ("a cat's dream", "cat"), ("a cat at night…", "night"),
        ("a cat—sleeping", "cat"), ("red/cat", "cat"), ("a [cat]", "cat"), ("a cat\u200b at night", "cat"), ("a (cat:1.2)", "cat"),
        ("«cat», night", "cat"), ("¿cat?", "cat"), ("a cat/night", "night"), ("夜cat", "cat"), ("a Cat", "cAT"),
    ],
)  # fmt: skip
def test_punctuation_does_not_stick_to_a_word(mini, prompt, word):
    encoded = encode(mini.backbone, [prompt, word])
    (row,) = encoded.rows(0, word)
    ids = mini.backbone.pipeline.tokenizer([prompt, word]).input_ids
    assert ids[0][row] == ids[1][1]  # the token of the word alone
    assert word.lower() not in encoded.unknown[0]


def test_a_letter_and_its_mark_are_one_however_they_were_typed(mini):
    apart, together = "a cafe\u0301 at night", "a caf\u00e9 at night"
    encoded = encode(mini.backbone, [apart, together])
    assert encoded.rows(0, "cafe\u0301") == encoded.rows(0, "caf\u00e9") == encoded.rows(1, "cafe\u0301") != ()
    assert encoded.unknown[0] == ("café",)  # the world has no café, but has "night"
    assert (encoded.hidden[0] == encoded.hidden[1]).all()


@pytest.mark.parametrize(
    ("text", "word", "starts"),
    [
        ("a cat and a cat", "cat", [2, 12]), ("a cat and a cat", "cat#1", [2]), ("a cat and a cat", "CAT#2", [12]),
        ("a cat and a cat", "cat#3", []), ("concatenate a cat", "cat", [14]), ("a big cat", "big cat", [2]), ("a c# book", "c#", [2]),
        ("c# and c#", "c##2", [7]), ("a room#2, a room and a room", "room#2", [2]), ("a room, a room", "room#2", [10]),
        ("#2 pencil", "#2", [0]), ("猫和猫", "猫", [0, 2]), ("猫和猫", "猫#2", [2]), ("mid-day and day", "day", [4, 12]),
        ("mid-day", "mid-day", [0]), ("a cat’s ear", "cat's", [2]), ("a cat", "“cat”", [2]), ("a 🦓", "🦓", [2]), ("a cat", "#", []),
        ("2 cats", "2", [0]), ("12 cats", "2", []),
    ],
)  # fmt: skip
def test_where_a_word_stands(text, word, starts):
    assert [start for start, _ in occurrences(text, word)] == starts


def test_words_of_a_text():
    text = composed("“Cat’s” 2 re\u0301d/blue—a 🦓 x_y…")
    assert [text[start:stop] for start, stop in spans(text)] == ["Cat", "s", "2", "réd", "blue", "a", "🦓", "x", "y"]


def test_an_edit_acts_on_every_occurrence_or_on_one(mini):
    state = mini.read(["a cat and a cat"])

    def moved(word: str) -> list[int]:
        (move,) = mini.schedule(state, Recipe.from_query(f"prompt=a&edit=night@{word.replace('#', '%23')}").edits).moves
        return move.dh[0].any(1).nonzero()[:, 0].tolist()

    assert moved("cat") == [2, 5]
    assert moved("cat#1") == [2]
    assert moved("cat#2") == [5]
    assert str(Edit.parse("night@cat#2,c#[0.5-1]")) == "night:1@cat#2,c#[0.5-1]"
    with pytest.raises(
        SteerError, match="has the word 'cat' 2 times, so there is no 'cat#3': give #1 to #2, or the word alone for all"
    ):
        moved("cat#3")
    with pytest.raises(SteerError, match="has the word 'and' once, so there is no 'and#2': give the word alone"):
        moved("and#2")
    with pytest.raises(SteerError, match="the word 'dog#2' is not in the prompt; its words are a, cat, and$"):
        moved("dog#2")


def test_a_long_prompt_is_not_listed_whole():
    listed = absence(" ".join(f"w{k}" for k in range(100)), "y" * 500)
    assert listed.endswith("w10, w11 and 88 more")
    assert len(listed) < 250
