"""What sets one recipe apart from another, in words: "night 0.5 → 1.2", "seed 3 → 7", "prompt: + in the snow"."""

from collections.abc import Iterator
from dataclasses import asdict, fields
from difflib import SequenceMatcher

from mmsteer.bank import FeatureBank
from mmsteer.recipes.edit import Edit, without_code
from mmsteer.recipes.picture import Picture
from mmsteer.recipes.recipe import Recipe

_WORDED = ("prompt", "seed", "sampler", "edits", "origin", "picture", "negative_prompt")  # above, or not worth a word


def differences(bank: FeatureBank, first: Recipe, second: Recipe) -> list[str]:
    """How the second recipe differs from the first, a few words each; what both were made with is left out.

    Args:
        bank: says what features that edits give by number are called.
        first: a recipe.
        second: another one.
    """
    return [
        *_edits(bank, first.edits, second.edits),
        *_texts("prompt", first.prompt, second.prompt),
        *_numbers({"seed": first.seed}, {"seed": second.seed}),
        *_numbers(asdict(first.sampler), asdict(second.sampler)),
        *_texts("negative prompt", first.negative_prompt, second.negative_prompt),
        *_pictures(first.picture, second.picture),
        *_others(first, second),
    ]


def _edits(bank: FeatureBank, first: tuple[Edit, ...], second: tuple[Edit, ...]) -> Iterator[str]:
    """Edits of one feature beside each other, in the order of the first recipe, then those that only the second has."""
    for feature in dict.fromkeys(edit.feature for edit in (*first, *second)):
        old, new = ([edit for edit in edits if edit.feature == feature] for edits in (first, second))
        known = bank.find(feature)
        name = without_code(str(feature)) if known is None else known.name
        for k in range(max(len(old), len(new))):
            if k >= len(old):
                yield f"+ {_said(name, new[k])}"
            elif k >= len(new):
                yield f"− {_said(name, old[k])}"
            elif old[k] != new[k]:
                before, after = _said(name, old[k]), _said(name, new[k])
                yield f"{before} → {after.removeprefix(f'{name} ')}"


def _said(name: str, edit: Edit) -> str:
    """An edit with the name of its feature: "night 0.5", "night removed 1"."""
    mode = {"add": "", "remove": "removed ", "set": "set to "}[edit.mode]
    words = f" on {', '.join(edit.words)}" if edit.words else ""
    part = "" if (edit.start, edit.end) == (0.0, 1.0) else f" from {edit.start:.0%} to {edit.end:.0%} of the steps"
    return f"{name} {mode}{edit.strength:g}{words}{part}"


def _texts(name: str, first: str, second: str) -> Iterator[str]:
    """The words of a text that came, went or were exchanged."""
    old, new = first.split(), second.split()
    parts = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = " ".join(old[a:b]), " ".join(new[c:d])
        if kind != "equal":
            parts.append(f"{gone} → {come}" if gone and come else f"− {gone}" if gone else f"+ {come}")
    if parts:
        yield f"{name}: {', '.join(parts)}"


def _numbers(first: dict[str, float], second: dict[str, float]) -> Iterator[str]:
    for name, value in first.items():
        if value != second[name]:
            yield f"{name.replace('_', ' ')} {_number(value)} → {_number(second[name])}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _pictures(first: Picture | None, second: Picture | None) -> Iterator[str]:
    if first and second and first.embedding == second.embedding:
        yield from _numbers({"whole picture": first.share}, {"whole picture": second.share})
    elif first != second:
        yield _changed("whole picture", first, second)


def _others(first: Recipe, second: Recipe) -> Iterator[str]:
    """Parts of a recipe that need no words of their own: only that one is there, is gone, or is another."""
    for field in fields(Recipe):
        old, new = getattr(first, field.name), getattr(second, field.name)
        if field.name not in _WORDED and old != new:
            yield _changed(field.name.replace("_", " "), old, new)


def _changed(name: str, first: object, second: object) -> str:
    return f"+ {name}" if not first else f"− {name}" if not second else f"another {name}"
