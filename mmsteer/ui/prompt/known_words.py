"""A line under the prompt while it is typed: words that the model does not know, with the nearest ones it knows, and all that it
can draw. Only for backbones whose words are whole tokens (`Spec.whole_words`). Looks and behaviour: `scripts/known_words.js`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.ui.shared.script import script

if TYPE_CHECKING:
    from mmsteer.bank import FeatureBank
    from mmsteer.models.backbone import Backbone


def known_words() -> gr.HTML:
    """The component, which takes no room where every word is known. It talks to the prompt in the browser alone."""
    return gr.HTML(
        None, html_template='<div class="mm-known"></div>', elem_id="mm-known", apply_default_css=False, words=None, drawn=[],
        js_on_load=script(Path(__file__).parent / "scripts" / "known_words.js"),
    )  # fmt: skip


def vocabulary(backbone: "Backbone", bank: "FeatureBank") -> dict[str, Any]:
    """What the browser needs to know of a backbone.

    Returns:
        `words`, all that are one token; None where a word may be several. `drawn`, the names of features that captions and pictures
        share, those of one name once.
    """
    from mmsteer.models.text.tokens import whole_words

    if not backbone.spec.whole_words:
        return {"words": None, "drawn": []}
    words = whole_words(backbone.family.tokenizers(backbone.pipeline)[0])
    shown = [f for f in bank.features if f.modality == "cross" and f.specific]
    names = dict.fromkeys(feature.concept for feature in shown)
    return {"words": words, "drawn": sorted(name for name in names if set(name.split()) <= set(words))}
