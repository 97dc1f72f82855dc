"""The page's style sheets."""

from pathlib import Path

_UI = Path(__file__).parents[1]


def styles() -> str:
    """Those of all tabs and panels as one, in the order of their names."""
    files = sorted(_UI.rglob("*.css"), key=lambda path: path.name)
    return "\n".join(path.read_text(encoding="utf-8") for path in files)
