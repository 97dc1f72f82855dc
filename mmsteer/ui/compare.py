"""Before and after as one picture with a movable border: by mouse, touch and keyboard. Plain HTML, nothing of gradio.

The border is an ordinary range input over the pictures, so a keyboard or a screen reader moves it like any slider.
"""

import base64
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from mmsteer.steering.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.steering.steerer import Steered

# the border is a property of what stands around the pair: gradio puts a pair's own attributes back with every new one
_MOVE = "this.closest('.mm-compare').parentElement.style.setProperty('--cut',this.value+'%');window.mmCut=this.value"
# a new pair keeps the border where the visitor had put it, in another tab perhaps
_KEEP = (
    "const c=this.closest('.mm-compare'),v=window.mmCut??50;c.parentElement.style.setProperty('--cut',v+'%');"
    "c.querySelector('input').value=v"
)


def skeleton(told: str) -> str:
    """What stands in the pictures' place until there are some; the same size, so nothing jumps."""
    return f'<div class="mm-compare mm-waiting" role="status"><p>{escape(told)}</p></div>'


def compare(result: "Steered") -> str:
    """The pair, with alternative texts that say what each picture is."""
    recipe = result.recipe
    before, after = picture_data(result.before, recipe.plain), picture_data(result.after, recipe)
    alt = {which: escape(alternative(which, recipe), quote=True) for which in ("before", "after")}
    return f"""<figure class="mm-compare" data-query="{escape(recipe.to_query(), quote=True)}">
<img class="mm-before" src="{before}" alt="{alt["before"]}">
<img class="mm-after" src="{after}" alt="{alt["after"]}" onload="{_KEEP}">
<span class="mm-tag mm-tag-before" aria-hidden="true">before</span>
<span class="mm-tag mm-tag-after" aria-hidden="true">after</span>
<span class="mm-border" aria-hidden="true"></span>
<input type="range" min="0" max="100" value="50" step="1" aria-label="Border between before and after, percent" oninput="{_MOVE}">
</figure>"""


_LIVE = "The picture follows a slider while it moves; it is drawn anew, to keep, when the slider is let go"
VIEWS = {
    "wipe": "one over the other, with a movable border",
    "side": "side by side",
    "difference": "what has changed, amplified",
}


def views() -> str:
    """Buttons for the ways to compare; the choice stays from pair to pair."""
    choose = (
        "const b=this.parentElement;for(const o of b.children)o.setAttribute('aria-pressed',o===this);"
        "document.querySelector('#mm-pictures').dataset.view=this.dataset.view"
    )
    buttons = (
        f'<button type="button" class="mm-chip" data-view="{view}" aria-pressed="{str(view == "wipe").lower()}" '
        f'title="{told}" onclick="{choose}">{view}</button>'
        for view, told in VIEWS.items()
    )
    third = (
        '<button type="button" class="mm-chip" id="mm-by-words" aria-pressed="false" title="beside them, the picture for the '
        "prompt with the features' words added, from the same noise\" onclick=\"window.dispatchEvent(new CustomEvent('mm-words'))\">"
        "same thing by prompt</button>"
    )
    group = f'<div class="mm-chips" role="group" aria-label="how to compare">{"".join(buttons)}</div>'
    return f'<div class="mm-chips">{group}{third}</div>'


def status(result: "Steered", faithfulness: str) -> str:
    """Seconds, gauge, how true the map to the joint space is, and what the model could not read, in plain words."""
    notes = ""
    if result.unknown:
        notes += note(f"The model does not know: {', '.join(result.unknown)}.")
    if result.cut:
        notes += note(f"The prompt is too long; left out: {', '.join(result.cut)}.")
    for name, blanked in zip(("before", "after"), result.blanked, strict=True):
        if blanked:
            notes += note(
                f"The checkpoint's safety checker has made the picture {name} black: try another prompt or seed."
            )
    shown = gauge(result.ood_distance)
    return (
        f'<div class="mm-status" role="status"><span class="mm-seconds">{result.seconds:.2f} s</span>'
        f'<span class="mm-live" title="{_LIVE}">live</span>'
        f'<span class="{shown["className"]}">{shown["innerHTML"]}</span><span>{escape(faithfulness)}</span></div>{notes}'
    )


def gauge(distance: float) -> dict[str, str]:
    """How far from the usual, as a meter and in words: the properties of an element."""
    if distance <= 1:
        said, kind = "within the usual range", "ok"
    elif distance <= 1.5:
        said, kind = "stretched: pictures may get odd", "warn"
    else:
        said, kind = "far beyond the usual: expect broken pictures", "bad"
    meter = f'<span class="mm-meter" aria-hidden="true"><i style="width:{min(1.0, distance / 2):.0%}"></i></span>'
    return {"className": f"mm-gauge mm-gauge-{kind}", "innerHTML": f"{meter}gauge {distance:.2f}, {said}"}


def problem(told: str) -> str:
    """One sentence about what went wrong."""
    return f'<div class="mm-problem" role="alert">{escape(told)}</div>'


def note(told: str) -> str:
    """One sentence worth knowing, though nothing went wrong."""
    return f'<div class="mm-note" role="status">{escape(told)}</div>'


def alternative(which: str, recipe: Recipe) -> str:
    """What one of the two pictures, `before` or `after`, is: for who does not see it."""
    edits = ", ".join(str(edit) for edit in recipe.edits) or "no edits"
    return f"{which.capitalize()}: {recipe.prompt}, seed {recipe.seed}" + (f", {edits}" if which == "after" else "")


def picture_data(picture: "Image.Image", recipe: Recipe) -> str:
    """The picture as a PNG data address, its recipe inside: saved from the page, it can be made again."""
    buffer = BytesIO()
    recipe.save_png(picture, buffer)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
