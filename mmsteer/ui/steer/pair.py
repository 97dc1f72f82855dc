"""The handler that draws the pair: before and after for the prompt, seed and rack as they stand."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.models.sampler import Sampler
from mmsteer.pictures.change import changed_text
from mmsteer.recipes.recipe import Recipe
from mmsteer.ui.own.panel import keeping, start_of
from mmsteer.ui.progress.followed import Followed
from mmsteer.ui.prompt.contained import contained
from mmsteer.ui.prompt.word_targets import LostWords, forgotten, within
from mmsteer.ui.shared.known import Known
from mmsteer.ui.shared.loading import attempt, attempt_html
from mmsteer.ui.shared.notices import note
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.pair import ood_distance, status
from mmsteer.ui.shared.payload import whole_seed
from mmsteer.ui.steer.compare import compare, drawn_ahead
from mmsteer.ui.steer.image import acting
from mmsteer.ui.steer.live import timed
from mmsteer.ui.steer.rack import edits_of
from mmsteer.ui.steer.reading import coming
from mmsteer.ui.steer.region import read_region

if TYPE_CHECKING:
    from mmsteer.steering.steered import Steered
    from mmsteer.steering.steerer import Steerer

_Drawn = tuple["Steered", float | None, str, list[LostWords]]


class PairDrawer:
    """Draws pairs for one page."""

    def __init__(self, page: PageState) -> None:
        self.page = page

    def draw(self, *inputs: Any) -> Iterator[tuple[Any, Any, Any, Any]]:
        """Draw the pair; then yield again with CLIP similarities.

        Args:
            inputs: values of `Controls.inputs`.

        Yields:
            Values of the pictures, the status line, the features of the prompt, and a message for the script that shows frames and
            progress: `{progress: …}` while it is drawn, `{drawn: …}` at the end. On bad input the pictures stay and a
            sentence says why; so do they, with all that is said of them, if the visitor stops it.
        """
        followed = Followed(self.page.loading, lambda steerer, followed: self._pair(steerer, followed, *inputs))
        for report in followed.reports():
            yield gr.skip(), gr.skip(), gr.skip(), {"progress": report}
        drawn, error = attempt_html(followed.result)
        if drawn is None:
            yield (
                gr.skip(),
                gr.skip() if followed.stopped else error,
                gr.skip(),
                {"drawn": {"stopped": followed.stopped}},
            )
            return
        result, seconds, judged, lost = drawn
        page, recipe = self.page, result.recipe
        notes = "".join(note(one.note(page.known)) for one in lost)
        line = status(result, page.bank.faithfulness) + notes + judged + keeping(result)
        measuring = bool(recipe.edits or recipe.start) and page.reading.likely
        features = contained(result.features, zip(recipe.edits, result.edited, strict=True), recipe.prompt)
        end_of_frames = {"drawn": {
            "seconds": seconds, "ood": ood_distance(result.ood_distance),
            "changed": changed_text(result.before, result.after), "present": [f.id for f, _ in result.features],
            "forget": forgotten(page.known, lost),
        }}  # fmt: skip
        yield compare(result), line + (coming() if measuring else ""), features, end_of_frames
        if measuring:
            similarities, _ = attempt_html(
                lambda: page.loading.run(lambda _: page.reading.clip_similarity(page.loading.reader(), result))
            )
            yield gr.skip(), line + (similarities or ""), gr.skip(), gr.skip()

    def look(self, prompt: str, seed: float | None, rack: Any, region: Any = "") -> Any:
        """While the model loads, the value of the pictures: the pair as it was drawn ahead, or a placeholder. Then it leaves them alone.

        Takes no turn in the queue, where whoever draws waits for the model.
        """
        if self.page.loading.done:
            return gr.skip()
        ahead = None if region else self.page.ahead
        pair, _ = attempt(
            lambda: ahead.find(prompt, whole_seed(seed), edits_of(self.page.bank, rack)) if ahead else None
        )
        return drawn_ahead(pair)

    def _pair(self, steerer: "Steerer", followed: "Followed[_Drawn]", *inputs: Any) -> "_Drawn":
        """The pair, the seconds of one picture, what the judge reads, and words of edits that the prompt does not have."""
        recipe = recipe_of(self.page.known, steerer, *inputs)
        edits, lost = within(recipe.prompt, recipe.edits)
        recipe = replace(recipe, edits=tuple(edits))
        before = () if steerer.befores.get(recipe.plain) else ("before",)
        changed = recipe.edits or recipe.picture
        followed.expect((*before, "after") if changed else before, self.page.pace.of(recipe.sampler))
        result, seconds = timed(steerer, recipe)
        self.page.pace.measured(recipe.sampler, seconds)
        judged = self.page.reading.judged(steerer, result) if result.recipe.edits else ""
        return result, seconds, judged, lost


def recipe_of(
    known: Known,
    steerer: "Steerer",
    prompt: str,
    seed: float | None,
    rack: Any,
    sampler: Sampler | None,
    negative_prompt: str = "",
    image: Any = None,
    own: Any = None,
    region: Any = "",
) -> Recipe:
    """The recipe that the controls of this tab stand for (`Controls.inputs`).

    Args:
        known: the features.
        steerer: that draws.
        prompt: as the visitor typed it.
        seed: the value of the seed field.
        rack: the value of the rack.
        sampler: that of an opened recipe; None is the checkpoint's.
        negative_prompt: as the visitor typed it; usually empty.
        image: the value of the image sliders; None is the one they begin with.
        own: the value of the visitor's own picture; None is without one.
        region: the value of the region; empty is everywhere.

    Raises:
        SteerError: for values that these controls cannot have, or a recipe that cannot be drawn.
    """
    number, edits, where = whole_seed(seed), edits_of(known, rack), read_region(region)
    used, picture = acting(steerer, sampler, image)
    start = start_of(steerer, own)
    return Recipe(prompt, number, used, tuple(edits), steerer.origin, picture, negative_prompt, where, start)
