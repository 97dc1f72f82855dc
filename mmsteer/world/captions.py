"""A scene's factors put into words, in more than one way. Never mentions a vision factor, never invents a cross one.

Knows the wording of every value; knows nothing of pixels or tokens.
"""

import numpy as np

from mmsteer.world.factors import FACTORS, INDEX, THINGS, draw_factors

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
# Never said of anything drawn: words a visitor may well type, so that they are known and mean nothing.
_FILLERS = ("picture", "of", "photo", "drawing", "with", "and", "very", "nice", "cute", "there", "is", "an")


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def caption(rng: np.random.Generator, values: np.ndarray, told: np.ndarray) -> str:
    """Word one scene: `values [n_factors]`, `told [n_factors]` -> for example "please draw a big cat at night"."""

    def value(name: str) -> str | None:
        i = INDEX[name]
        word = FACTORS[i].values[int(values[i])]
        return word if told[i] and word not in ("none", "nobody") else None

    thing, gender, place, position, size = (value(n) for n in ("thing", "gender", "place", "position", "size"))
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
    if rng.random() < 0.1:
        words = _pick(rng, ("picture of ", "photo of ", "drawing of ", "there is ")) + words

    where = [_pick(rng, _POSITION_WORDS[position])] if position else []
    if place:
        phrase = _pick(rng, _PLACE_WORDS[place])
        where.insert(int(rng.integers(len(where) + 1)), phrase)
        if rng.random() < 0.15:  # the place first: "at night a cat"
            where.remove(phrase)
            words = f"{phrase}{_pick(rng, (' ', ', '))}{words}"
    opening, closing = value("opening"), value("closing")
    if rng.random() < 0.06:
        words = f"{_pick(rng, ('very', 'nice', 'cute', 'with', 'and'))} {words}"
    return " ".join(part for part in (opening, words, *where, closing) if part)


def captions(rng: np.random.Generator, values: np.ndarray, told: np.ndarray) -> list[str]:
    """Word many scenes: `values`, `told` `[B, n_factors]` -> B captions."""
    return [caption(rng, v, t) for v, t in zip(values, told, strict=True)]


def retell(rng: np.random.Generator, values: np.ndarray, told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same pictures told anew: other cross factors mentioned, other language values; `values`, `told` as drawn.

    Whether a gender is told stays as it was drawn, or the planted bias would wash out.
    """
    values, told = values.copy(), told.copy()
    fresh_values, fresh_told = draw_factors(rng, len(values))
    for i, factor in enumerate(FACTORS):
        if factor.modality == "language":
            values[:, i] = fresh_values[:, i]
        elif factor.name != "gender":
            told[:, i] = fresh_told[:, i]
    return values, told


def corrupt(
    rng: np.random.Generator, values: np.ndarray, told: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make captions lie: values, told, and which cross factors are false in them, each `[B, n_factors]`.

    In most of them one cross factor is false, as when one feature is steered, more often than not the thing, which the
    UNet clings to most; in the others each is, with probability 0.4. False means told otherwise, left out where it was
    told, or invented where it was not.
    """
    values, told, true, was_told = values.copy(), told.copy(), values, told
    count, names = len(values), ("thing", "place", "position", "size")
    only = rng.choice(len(names), count, p=(0.61, 0.13, 0.13, 0.13))
    one = rng.random(count) < 0.7
    false = np.zeros_like(told)
    other, _ = draw_factors(rng, count)
    for i, factor in enumerate(FACTORS):
        if factor.modality == "language":
            values[:, i] = other[:, i]
        elif factor.name in names:
            here = np.where(one, only == names.index(factor.name), rng.random(count) < 0.4)
            silent = here & told[:, i] & (rng.random(count) < 0.4)
            values[here, i] = other[here, i]
            told[:, i] = (told[:, i] | here) & ~silent
            false[:, i] = here
    gender, thing = INDEX["gender"], INDEX["thing"]
    person = values[:, thing] >= len(THINGS)
    told[:, gender] = person & told[:, thing] & (rng.random(count) < 0.5)
    fresh = rng.integers(1, 3, count)
    values[:, gender] = np.where(
        rng.random(count) < 0.3, fresh, np.where(values[:, gender] == 0, fresh, values[:, gender])
    )
    values[:, gender] = np.where(person, values[:, gender], 0)
    right = told & (values == true)
    false[:, gender] = (was_told | told)[:, gender] & ~right[:, gender]
    return values, told, false


def vocabulary() -> list[str]:
    """Every word a caption can hold, sorted."""
    tables = (_THING_WORDS, _GENDER_WORDS, _SIZE_WORDS, _POSITION_WORDS, _PLACE_WORDS)
    phrases = [phrase for table in tables for phrases in table.values() for phrase in phrases]
    phrases += [v for factor in FACTORS if factor.modality == "language" for v in factor.values[1:]]
    phrases += [*_FILLERS, "a", "the", "one", "thing", ","]
    return sorted({word for phrase in phrases for word in phrase.split()})


def wordings(factor: str, value: str) -> tuple[str, ...]:
    """Every way captions say a value, the plainest first; none for what they never say."""
    tables: dict[str, dict[str, tuple[str, ...]]] = {
        "thing": _THING_WORDS, "gender": _GENDER_WORDS, "size": _SIZE_WORDS,
        "position": _POSITION_WORDS, "place": _PLACE_WORDS,
    }  # fmt: skip
    if factor in tables:
        return tables[factor].get(value, ())
    return (value,) if FACTORS[INDEX[factor]].modality == "language" else ()


def caption_word(factor: str, value: str) -> str:
    """The plainest words for a value, for prompts made by studies: ("place", "night") -> "at night"."""
    return (*wordings(factor, value), value)[0]
