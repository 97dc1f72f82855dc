"""The colours of page and figures, in a light and a dark version: nothing else says what colour a modality has.

Inks of modalities have AA contrast on paper, on ground and on their own background.
"""

from typing import Literal

Role = Literal[
    "vision", "vision-bg", "language", "language-bg", "cross", "cross-bg", "ink", "soft", "line", "paper", "ground"
]
"""Inks and backgrounds of the modalities; ink and soft ink, lines, what text stands on, and what lies behind that."""
Colours = dict[Role, str]

LIGHT: Colours = {
    "vision": "#9a3412", "vision-bg": "#fff1e6",
    "language": "#5b21b6", "language-bg": "#f3edff",
    "cross": "#0f5f63", "cross-bg": "#e3f5f4",
    "ink": "#1c1f26", "soft": "#5a6170", "line": "#e3e5ea", "paper": "#ffffff", "ground": "#f7f7f5",
}  # fmt: skip
DARK: Colours = {
    "vision": "#ffb37a", "vision-bg": "#3a2013",
    "language": "#c9b3ff", "language-bg": "#2a1d47",
    "cross": "#7fdcd8", "cross-bg": "#0f2f31",
    "ink": "#eef0f4", "soft": "#a9b0be", "line": "#343842", "paper": "#1b1d23", "ground": "#121317",
}  # fmt: skip


def css() -> str:
    """The colours as custom properties, `--mm-vision` and so on; under the class `dark` the dark ones."""
    return f":root {{ {_properties(LIGHT)} }}\n.dark {{ {_properties(DARK)} }}\n"


def _properties(colours: Colours) -> str:
    return " ".join(f"--mm-{role}: {colour};" for role, colour in colours.items())
