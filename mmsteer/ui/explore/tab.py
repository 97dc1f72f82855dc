"""The tab "Explore": every feature in a list, a histogram and a map, and one of them on a card.

Looks and behaviour are `scripts/`; what the browser may ask of the server is `questions.py`.
"""

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from mmsteer.ahead.effect import PROMPT, SEEDS, STRENGTHS
from mmsteer.bank import FeatureBank
from mmsteer.bank.mds import LANGUAGE_BELOW, VISION_ABOVE
from mmsteer.bank.modality import LABELS, MEANINGS, SHAPES
from mmsteer.ui.explore.effect import Effects
from mmsteer.ui.explore.questions import SHOWN, Questions, feature_to_draw
from mmsteer.ui.shared.events import DRAW_NEWEST
from mmsteer.ui.shared.home import home
from mmsteer.ui.shared.loading import attempt
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.script import script

TITLE = "Explore"
SCRIPTS = Path(__file__).parent / "scripts"


def build(page: PageState, _: gr.Tab) -> None:
    """Fill the tab."""
    effects = Effects(page.ahead)
    questions = Questions(page.bank, page.loading, effects)
    # It asks with its value and is answered through another component: a request that waits in the queue must not lose its value.
    asking = gr.HTML(
        {}, html_template='<div class="mm-explore"></div>', elem_id="mm-explore", apply_default_css=False,
        js_on_load=script(SCRIPTS / "tab.js"), server_functions=questions.all, shapes=SHAPES, labels=LABELS, meanings=MEANINGS,
        most=SHOWN, home=home(), rules=rules(page.bank), effect={"prompt": PROMPT, "seeds": SEEDS, "strengths": STRENGTHS},
    )  # fmt: skip
    drawn = gr.HTML(
        {}, html_template="", elem_id="mm-drawn", apply_default_css=False, js_on_load=script(SCRIPTS / "drawn.js")
    )

    def draw(value: Any) -> Iterator[dict[str, Any]]:
        """The effect of the feature asked for, column by column."""
        feature, error = attempt(lambda: feature_to_draw(page.bank, value))
        if feature is None:
            return
        steerer, error = attempt(page.loading.wait)
        columns = iter(()) if steerer is None else effects.draw(steerer, feature)
        while not error:
            more, error = attempt(lambda: page.loading.run(lambda _: next(columns, None)))
            if more is None:
                break
            yield {"id": feature.id, "columns": [column._asdict() for column in more]}
        if error:
            yield {"id": feature.id, "error": error}

    asking.draw(draw, asking, drawn, **DRAW_NEWEST)


def rules(bank: FeatureBank) -> dict[str, list[float]]:
    """Where both rules cut the Modality Dominance Score: the absolute one, and the paper's mean ± one standard deviation."""
    scores = [f.mds for f in bank.features]
    middle, spread = statistics.fmean(scores or [0.5]), statistics.pstdev(scores or [0.5])
    return {"absolute": [LANGUAGE_BELOW, VISION_ABOVE], "paper": [middle - spread, middle + spread]}
