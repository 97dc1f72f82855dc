"""How much of an edit's effect is left where it acts on some words, or in some steps, alone."""

from dataclasses import replace
from typing import TYPE_CHECKING

from mmsteer.pictures.change import in_percent, mean_difference
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Recipe

if TYPE_CHECKING:
    from mmsteer.steering.steerer import Steerer

LITTLE = 0.2
"""A share below which a visitor is told what to do instead."""
_NOTHING = 0.5 / 255  # mean difference of a whole effect that nobody sees


def part_of_effect(steerer: "Steerer", recipe: Recipe, edit: Edit) -> float | None:
    """The mean difference that an edit makes by itself, over the one that it makes on all words and in all steps.

    Args:
        steerer: draws up to three pictures.
        recipe: prompt, seed and sampler; its other edits and its region are left out.
        edit: on some words, or in some steps.

    Returns:
        0: nothing is left; 1: as much as on all words and in all steps, or more. None where the whole effect is not to be seen.

    Raises:
        SteerError: as `Steerer.picture`.
    """
    whole = replace(edit, words=(), start=0.0, end=1.0)
    before, part, all_of_it = (
        steerer.picture(one)
        for one in (
            recipe.plain,
            replace(recipe, edits=(edit,), region=None, picture=None),
            replace(recipe, edits=(whole,), region=None, picture=None),
        )
    )
    most = mean_difference(before, all_of_it)
    return None if most < _NOTHING else min(1.0, mean_difference(before, part) / most)


def in_words(edit: Edit, share: float | None) -> str:
    """The share as a sentence and, where it is little, what to do instead."""
    if share is None:
        return "This feature hardly changes this picture, on all words and in all steps either."
    late = edit.start > 0
    said = f"{in_percent(share)} of the effect that it has "
    if edit.words:
        words = " and ".join(f"“{word}”" for word in edit.words)
        steps = " in these steps" if (edit.start, edit.end) != (0.0, 1.0) else ""
        sentence = f"On {words} alone{steps} this feature has {said}on all words."
        why = " The rest is in later words and the end of the prompt. For one part of the picture, use “Only here…” in its menu."
    else:
        sentence = f"In these steps alone this feature has {said}in all of them."
        why = " The first steps decide: start earlier." if late else " Let it act longer."
    return sentence + (why if share < LITTLE else "")
