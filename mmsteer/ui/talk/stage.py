"""What talk mode asks the server for: the pair of a step, and the same in typed words. Steps of the tour go by their number, steps of
a visitor's own talk by their recipe's link.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, TypeAdapter

from mmsteer.bank import Feature, FeatureBank
from mmsteer.errors import SteerError
from mmsteer.pictures.change import changed_text
from mmsteer.recipes.data_url import recipe_url
from mmsteer.recipes.direction import Direction
from mmsteer.recipes.provenance import differences, missing, not_read
from mmsteer.recipes.recipe import LONGEST_TEXT, Recipe
from mmsteer.steering.zero_gpu import ZeroGPUSteerer
from mmsteer.ui.shared.badge import made_of, score_tooltip
from mmsteer.ui.shared.loading import attempt
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.pair import alternative, notes_on
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.steer.image import acting, image_of
from mmsteer.ui.steer.live import timed
from mmsteer.ui.steer.rack import BREAKS, ROWS, rows
from mmsteer.ui.steer.words import by_words

if TYPE_CHECKING:
    from mmsteer.steering.steered import Steered
    from mmsteer.steering.steerer import Steerer


class TourQuestion(Payload):
    """Asks for the pair of a step of the tour."""

    kind: Literal["tour"]
    number: int
    """Of the question: the answer repeats it."""
    step: int = Field(ge=0)


class OwnQuestion(Payload):
    """Asks for the pair of a recipe, or for the same in typed words."""

    kind: Literal["own", "words"]
    number: int
    query: str = Field(max_length=LONGEST_TEXT)
    """The recipe's link."""


_QUESTION: TypeAdapter[TourQuestion | OwnQuestion] = TypeAdapter(
    Annotated[TourQuestion | OwnQuestion, Field(discriminator="kind")]
)


class Stage:
    """Answers talk mode on one page."""

    def __init__(self, page: PageState) -> None:
        self.page = page

    def answer(self, value: Any) -> dict[str, Any]:
        """The answer to a question of the browser.

        Returns:
            `{number, pair}`, `{number, words}`, or `{number, error}`.
        """

        def answered() -> dict[str, Any]:
            question = read(_QUESTION, value, "the step of the talk")
            if question.kind == "words":
                return {
                    "words": by_words(self.page.bank, self.page.loading, self.page.reading, {"query": question.query})
                }
            return {
                "pair": self.page.loading.run(lambda steerer: self._pair(steerer, *self._recipe(steerer, question)))
            }

        answer, error = attempt(answered)
        number = value.get("number") if isinstance(value, dict) else None
        return {"number": number if type(number) is int else 0, **(answer or {"error": error})}

    def _recipe(self, steerer: "Steerer", question: TourQuestion | OwnQuestion) -> tuple[Recipe, list[str]]:
        """The recipe to draw, with sentences on what of it cannot be drawn here as it was made."""
        bank, presets = self.page.bank, self.page.presets
        if isinstance(question, TourQuestion):
            if question.step >= len(presets):
                raise SteerError(
                    f"the tour has no step {question.step}, only {len(presets)} of them: load the page again"
                )
            preset = presets[question.step]
            return Recipe(preset.prompt, preset.seed, steerer.sampler, preset.edits, steerer.origin), []
        recipe = Recipe.from_query(question.query)
        left_out = {one.edit: one.note for one in missing(bank, recipe)} | dict(self.page.known.unmade(recipe))
        edits = tuple(edit for edit in recipe.edits if edit not in left_out)
        sampler, picture = acting(steerer, recipe.sampler, image_of(recipe))
        if left_out and not edits and picture is None:
            raise SteerError(f"Nothing of this step can be drawn here. {' '.join(left_out.values())}")
        notes = [*left_out.values(), *differences(recipe, steerer.origin, bank)]
        starts = bool(steerer.backbone.family.from_picture)
        notes += not_read(recipe, steerer.backbone.image_width, steerer.backbone.adapter_reads is not None, starts)
        start = recipe.start if starts else None
        return replace(recipe, sampler=sampler, picture=picture, edits=edits, start=start), notes

    def _pair(self, steerer: "Steerer", recipe: Recipe, notes: list[str]) -> dict[str, Any]:
        """What a step shows: pictures, what they say, and what its slider needs."""
        result, seconds = timed(steerer, recipe)
        recipes = {"before": result.recipe.plain, "after": result.recipe}
        pictures = {"before": result.before, "after": result.after}
        shown = {
            which: {"src": recipe_url(pictures[which], of), "alt": alternative(which, of)}
            for which, of in recipes.items()
        }
        return shown | {
            "query": result.recipe.to_query(), "changed": changed_text(result.before, result.after), "seconds": seconds,
            "features": [shown_feature(feature) for feature in result.edited], "notes": notes + notes_on(result),
            "fader": self._fader(steerer, result),
        }  # fmt: skip

    def _fader(self, steerer: "Steerer", result: "Steered") -> dict[str, Any]:
        """What the slider of a step needs: `{rack, ranges}`, the second with a feature each; or `{reason}` why there is none."""
        edits = result.recipe.edits
        if not edits:
            return {"reason": "This step has no feature to move."}
        if len(edits) > ROWS:
            return {"reason": f"This step has more than {ROWS} features: they cannot be moved together."}
        if isinstance(steerer, ZeroGPUSteerer):
            return {"reason": "Here a GPU is lent for whole pictures only: the slider rests."}
        rack, present = rows(self.page.known, edits), {feature.id for feature, _ in result.features}
        ranges, end = [], cast(float, BREAKS["end"])
        for row, feature in zip(rack["rows"], result.edited, strict=True):
            vision = feature.modality == "vision"
            risky = vision and not steerer.backbone.steers_image_only
            both_ways = vision or isinstance(feature, Direction) or feature.id in present or row["strength"] < 0
            ranges.append({
                "usable": [-end, end] if risky else list(feature.usable), "risky": risky,
                "startsAtZero": row["mode"] == "slide" and not both_ways,
            })  # fmt: skip
        return {"rack": rack, "ranges": ranges}


def shown_feature(feature: Feature | Direction) -> dict[str, Any]:
    """What the browser shows of a feature."""
    tooltip = made_of(feature) if isinstance(feature, Direction) else score_tooltip(feature)
    return {"name": feature.name, "modality": feature.modality, "mds": feature.mds, "scoreTooltip": tooltip}


def features_of(bank: FeatureBank, recipe: Recipe) -> list[dict[str, Any]]:
    """The features of a recipe that the bank has, as the browser shows them."""
    known = (bank.find(edit.feature) for edit in recipe.edits)
    return [shown_feature(feature) for feature in known if feature is not None]
