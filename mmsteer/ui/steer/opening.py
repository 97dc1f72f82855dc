"""Handlers that open a recipe: from a preset, a link, a file or the visit's history. All of it is checked.

Edits whose features this bank lacks are left out, with a note that offers the nearest names.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.recipes.formats.parameters import Parameters
from mmsteer.recipes.presets import Preset
from mmsteer.recipes.provenance import differences, missing, not_read
from mmsteer.recipes.recipe import LONGEST_TEXT, Recipe
from mmsteer.ui.own.panel import own_of
from mmsteer.ui.prompt.known_words import vocabulary
from mmsteer.ui.shared.badge import instead
from mmsteer.ui.shared.loading import attempt_html
from mmsteer.ui.shared.notices import note
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.steer.image import image_of
from mmsteer.ui.steer.rack import BREAKS, ROWS, rows
from mmsteer.ui.steer.region import grid_of

if TYPE_CHECKING:
    from mmsteer.steering.steerer import Steerer

_FILLED = 10  # components that a recipe fills: `Controls.restored`


class Opening:
    """Opens recipes on one page."""

    def __init__(self, page: PageState) -> None:
        self.page = page

    def preset(self, preset: Preset) -> list[Any]:
        """Values of `Controls.restored` for a preset."""
        return [preset.prompt, preset.seed, rows(self.page.bank, preset.edits), None, *beside(None), ""]

    def arrive(self, request: gr.Request) -> list[Any]:
        """The recipe of the link with which a visitor comes, and the link itself, for `loaded`; nothing without one."""
        query = str(request.query_params)
        if "prompt=" not in query:
            return [gr.skip()] * (_FILLED + 1)
        return [*self.restore(lambda: Recipe.from_query(query)), query[:LONGEST_TEXT]]

    def loaded(self, link: str) -> list[Any]:
        """What is known once the model has loaded, as values of rack, image sliders, known words and notice.

        For the rack: whether an edit can act on a part of the run or on words, and whether vision-only features break pictures.
        For the image sliders: whether there is an adapter. For the known words: the model's vocabulary. For the notice: what is
        special about the model, and how model and bank of the visitor's link differ from this page's.

        Args:
            link: the query with which the visitor came; empty without one. By now the address is that of the pair shown.
        """
        steerer, _ = attempt_html(self.page.loading.wait)
        if steerer is None:
            return [gr.skip()] * 4
        notes, _ = attempt_html(lambda: self.notes(Recipe.from_query(link), steerer) if link else "")
        breaks = None if steerer.backbone.steers_image_only else BREAKS
        family = steerer.backbone.family
        said = [text for text in (family.note, breaks and str(breaks["note"])) if text]
        notice = "".join(map(note, said)) + (notes or "")
        learned = gr.HTML(phases=family.phases, words=family.words, breaks=breaks)
        adapter = gr.HTML(adapter=steerer.backbone.adapter_reads is not None)
        return [learned, adapter, gr.HTML(**vocabulary(steerer.backbone, self.page.bank)), notice or gr.skip()]

    def restore(self, give: "Callable[[], Recipe | Parameters]", wait: bool = False) -> list[Any]:
        """Open a recipe from outside.

        Args:
            give: returns the recipe, or one with notes; or raises SteerError.
            wait: wait for the model, and note how the recipe's model and bank differ from it.

        Returns:
            Values of `Controls.restored`.
        """

        def restored() -> list[Any]:
            given = give()
            recipe, not_understood = (given, []) if isinstance(given, Recipe) else given
            steerer = attempt_html(self.page.loading.wait)[0] if wait else None
            left_out = [one.edit for one in missing(self.page.bank, recipe)]
            left_out += [edit for edit, _ in self.page.known.unmade(recipe)]
            rack = rows(self.page.known, [edit for edit in recipe.edits if edit not in left_out][:ROWS])
            notes = "".join(map(note, not_understood)) + self.notes(recipe, steerer)
            return [recipe.prompt, recipe.seed, rack, recipe.sampler, *beside(recipe), notes]

        values, error = attempt_html(restored)
        return values or [*[gr.skip()] * (_FILLED - 1), error]

    def notes(self, recipe: Recipe, steerer: "Steerer | None") -> str:
        """Notes on a recipe as HTML: missing features and, with a loaded model, how the recipe's model and bank differ."""
        bank = self.page.bank
        without, unmade = missing(bank, recipe), self.page.known.unmade(recipe)
        notes = [note(one) for one in differences(recipe, steerer.origin, bank)] if steerer else []
        if steerer:
            reads = steerer.backbone.image_width, steerer.backbone.adapter_reads is not None
            notes += [note(one) for one in not_read(recipe, *reads, bool(steerer.backbone.family.from_picture))]
        notes += [instead(one) for one in without]
        notes += [note(sentence) for _, sentence in unmade]
        if (more := len(recipe.edits) - len(without) - len(unmade) - ROWS) > 0:
            notes.append(note(f"The rack holds {ROWS} features: the last {more} of the recipe are left out."))
        return "".join(notes)


def beside(recipe: Recipe | None) -> list[Any]:
    """What a recipe says beside prompt, seed, rack and sampler, None being the one to begin with: values of the negative prompt, of the
    image sliders, of the visitor's own picture, of the region, and of the panel around the first, which opens for one and otherwise
    stays as it is.
    """
    negative = recipe.negative_prompt if recipe else ""
    panel = gr.Accordion(open=True) if negative else gr.skip()
    return [negative, image_of(recipe), own_of(recipe), grid_of(recipe), panel]
