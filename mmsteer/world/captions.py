"""Writes captions for scenes, in several wordings. A caption never mentions a vision factor and never invents a cross one.

Knows the wordings of every value; knows nothing of pixels or tokens.
"""

from collections.abc import Callable

import numpy as np

from mmsteer.world.factors import FACTORS, INDEX

_THING_WORDS = {
    "cat": ("cat", "cat", "kitten", "kitty"), "dog": ("dog", "dog", "puppy", "hound"),
    "panda": ("panda",), "penguin": ("penguin",),
    "fox": ("fox",), "lion": ("lion",), "pig": ("pig", "pig", "piglet"), "frog": ("frog", "frog", "toad"),
    "rabbit": ("rabbit", "rabbit", "bunny", "hare"),
    "owl": ("owl",), "fish": ("fish",), "whale": ("whale",), "butterfly": ("butterfly",), "bee": ("bee", "bee", "honeybee"),
    "turtle": ("turtle", "turtle", "tortoise"),
    "elephant": ("elephant",), "octopus": ("octopus",), "dinosaur": ("dinosaur", "dinosaur", "dino"),
    "strawberry": ("strawberry",), "banana": ("banana",), "apple": ("apple",), "watermelon": ("watermelon", "watermelon", "melon"),
    "pineapple": ("pineapple",), "burger": ("burger", "hamburger"), "pizza": ("pizza",), "cake": ("cake",),
    "car": ("car", "car", "automobile"), "bus": ("bus",), "rocket": ("rocket", "rocket", "spaceship"),
    "sailboat": ("sailboat", "boat", "ship"), "bicycle": ("bicycle", "bike"), "sunflower": ("sunflower", "sunflower", "flower"),
    "cactus": ("cactus",), "tree": ("tree",), "mushroom": ("mushroom", "mushroom", "toadstool"),
    "house": ("house", "house", "home"), "guitar": ("guitar",),
    "umbrella": ("umbrella",), "robot": ("robot",), "snowman": ("snowman",),
    "farmer": ("farmer",), "cook": ("cook", "chef"), "astronaut": ("astronaut",),
    "firefighter": ("firefighter",), "artist": ("artist", "painter"), "doctor": ("doctor",),
}  # fmt: skip
_GENDER_WORDS: dict[str, tuple[str, ...]] = {"man": ("man", "male"), "woman": ("woman", "female")}
_SIZE_WORDS: dict[str, tuple[str, ...]] = {"small": ("small", "little", "tiny"), "big": ("big", "large", "huge")}
_POSITION_WORDS = {
    "left": ("on the left", "at the left", "to the left", "left side"),
    "middle": ("in the middle", "in the center", "middle"),
    "right": ("on the right", "at the right", "to the right", "right side"),
}
_PLACE_WORDS = {
    "meadow": ("in a meadow", "in the meadow", "on the grass", "in a field", "meadow"),
    "beach": ("on the beach", "at the beach", "on a sandy beach", "by the shore", "beach"),
    "night": ("at night", "in the night", "under the stars", "by moonlight", "night"),
    "snow": ("in the snow", "on the snow", "in winter", "snow"),
    "desert": ("in the desert", "in a desert", "on the dunes", "desert"),
    "sunset": ("at sunset", "in the evening", "at dusk", "sunset"),
    "ocean": ("in the ocean", "under water", "underwater", "in the sea", "ocean"),
    "forest": ("in the forest", "in a forest", "in the woods", "among the trees", "forest"),
}
# Words that describe nothing drawn but that a visitor may well type: the tokenizer knows them, and they mean nothing.
_FILLERS = ("picture", "of", "photo", "drawing", "with", "and", "very", "nice", "cute", "there", "is", "an")


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def caption(rng: np.random.Generator, values: np.ndarray, mentioned: np.ndarray) -> str:
    """Write one caption, for example "please draw a big cat at night".

    Args:
        rng: Chooses among wordings.
        values: The scene's factors, `int64 [n_factors]`.
        mentioned: Which of them the caption mentions, `bool [n_factors]`.
    """

    def value(name: str) -> str | None:
        i = INDEX[name]
        word = FACTORS[i].values[int(values[i])]
        return word if mentioned[i] and word not in ("none", "nobody") else None

    words = _noun_phrase(rng, value)
    if rng.random() < 0.1:
        words = _pick(rng, ("picture of ", "photo of ", "drawing of ", "there is ")) + words
    words, location = _place(rng, value, words)
    if rng.random() < 0.06:
        words = f"{_pick(rng, ('very', 'nice', 'cute', 'with', 'and'))} {words}"
    return " ".join(part for part in (value("opening"), words, *location, value("closing")) if part)


def _noun_phrase(rng: np.random.Generator, value: Callable[[str], str | None]) -> str:
    """Mood, size, gender and thing, mostly with an article: "a lovely big cat"; empty where none of them is mentioned."""
    thing, gender, size = value("thing"), value("gender"), value("size")
    noun = [value("mood") or ""]
    if size:
        noun.append(_pick(rng, _SIZE_WORDS[size]))
    if gender and thing:
        noun.append(_pick(rng, _GENDER_WORDS[gender]))
    if thing:
        noun.append(_pick(rng, _THING_WORDS[thing]))
    elif len("".join(noun)):
        noun.append("one" if rng.random() < 0.5 else "thing")
    words = " ".join(w for w in noun if w)
    if words and rng.random() < 0.7:
        article = _pick(rng, ("a", "a", "the"))
        words = ("an " if article == "a" and words[0] in "aeiou" else article + " ") + words
    return words


def _place(rng: np.random.Generator, value: Callable[[str], str | None], words: str) -> tuple[str, list[str]]:
    """The noun phrase, now and then with the place in front; and what follows it: position and place in either order."""
    position, place = value("position"), value("place")
    location = [_pick(rng, _POSITION_WORDS[position])] if position else []
    if place:
        phrase = _pick(rng, _PLACE_WORDS[place])
        location.insert(int(rng.integers(len(location) + 1)), phrase)
        if rng.random() < 0.15:  # the place first: "at night a cat"
            location.remove(phrase)
            words = f"{phrase}{_pick(rng, (' ', ', '))}{words}"
    return words, location


def captions(rng: np.random.Generator, values: np.ndarray, mentioned: np.ndarray) -> list[str]:
    """Write one caption for each scene: `values`, `mentioned` `[B, n_factors]` to B captions."""
    return [caption(rng, v, m) for v, m in zip(values, mentioned, strict=True)]


def vocabulary() -> list[str]:
    """Every word a caption can contain, sorted."""
    tables = (_THING_WORDS, _GENDER_WORDS, _SIZE_WORDS, _POSITION_WORDS, _PLACE_WORDS)
    phrases = [phrase for table in tables for phrases in table.values() for phrase in phrases]
    phrases += [v for factor in FACTORS if factor.modality == "language" for v in factor.values[1:]]
    phrases += [*_FILLERS, "a", "the", "one", "thing", ","]
    return sorted({word for phrase in phrases for word in phrase.split()})


def wordings(factor: str, value: str) -> tuple[str, ...]:
    """Every wording of a value in captions, the plainest first; empty for what captions never mention."""
    tables: dict[str, dict[str, tuple[str, ...]]] = {
        "thing": _THING_WORDS, "gender": _GENDER_WORDS, "size": _SIZE_WORDS,
        "position": _POSITION_WORDS, "place": _PLACE_WORDS,
    }  # fmt: skip
    if factor in tables:
        return tables[factor].get(value, ())
    return (value,) if FACTORS[INDEX[factor]].modality == "language" else ()


def caption_word(factor: str, value: str) -> str:
    """The plainest wording of a value, for prompts of studies: `("place", "night")` gives "at night"."""
    return (*wordings(factor, value), value)[0]


def value_prompt(factor: str, value: str) -> str:
    """The prompt that asks for a factor value alone: "a cat", "at night".

    The article is "a" before vowels, too ("a owl"): so the studies `world`, `removal`, `gender` and `adversarial` asked for their
    shipped figures, which another wording would change.
    """
    word = caption_word(factor, value)
    return word if factor in ("place", "position") else f"a {word}"
