"""The tab "What it is good for": bias in pictures of occupations, and adversarial examples, each live and with one class of features.

Looks and behaviour are `scripts/`. Each part works on its own, and says in one sentence what is missing where it cannot.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from mmsteer.bank.modality import SHAPES
from mmsteer.recipes.recipe import LARGEST_SEED
from mmsteer.ui.shared.events import AT_ONCE, DRAW_EVERY, DRAW_NEWEST
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.shared.script import script
from mmsteer.ui.uses.attacks import SCOPES, Attacks
from mmsteer.ui.uses.occupations import Occupations
from mmsteer.ui.uses.payloads import BUDGETS, OCCUPATIONS, PICTURES, STRONGEST

TITLE = "What it is good for"
CLASSES = {"vision": "vision-only", "language": "language-only", "cross": "cross-modal", "random": "at random"}
WAYS = {"remove": "removed", "set": "pulled to the mean of men and women"}
OFFERED = ("a big cat in the middle at night", "a penguin in the snow", "a doctor", "a big strawberry on the beach")
_NOTE = (
    "A toy world of emoji: its bias was planted, nine in ten, to see whether it can be measured and undone. Nothing here says "
    "anything about real people, and no figure carries over to a real CLIP or Stable Diffusion. Twelve pictures are an example; the "
    "studies measure (python -m mmsteer study gender, study adversarial)."
)
_SCRIPTS = Path(__file__).parent / "scripts"


def build(page: PageState, tab: gr.Tab) -> None:
    """Fill the tab."""
    gr.HTML(f'<p class="mm-note mm-uses-note">{_NOTE}</p>', elem_id="mm-uses-note")
    people = _part(
        "mm-people", "occupations.js", "Who is a doctor?", occupations=OCCUPATIONS, classes=CLASSES, ways=WAYS, most=STRONGEST,
        count=PICTURES,
    )  # fmt: skip
    eye = _part(
        "mm-eye", "attack.js", "Fool the eye", budgets=BUDGETS, scopes=SCOPES, offered=OFFERED, largest=LARGEST_SEED
    )
    occupations, attacks = Occupations(page), Attacks(page)
    tab.select(occupations.open, None, people, **AT_ONCE)
    tab.select(attacks.open, None, eye, **AT_ONCE)
    people.draw(occupations.draw, people, people, **DRAW_NEWEST)
    people.file(occupations.save, people, people, **DRAW_EVERY)
    eye.attack(attacks.attack, eye, eye, **DRAW_NEWEST)


def _part(name: str, entry: str, title: str, **more: Any) -> gr.HTML:
    """The component of one part. Its value is a question of `payloads`, then the answer."""
    return gr.HTML(
        None, html_template=f'<section class="mm-use" aria-label="{title}"></section>', elem_id=name, apply_default_css=False,
        js_on_load=script(_SCRIPTS / entry), title=title, shapes=SHAPES, **more,
    )  # fmt: skip
