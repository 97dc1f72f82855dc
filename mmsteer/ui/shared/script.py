"""Scripts and styles of the page. They are written as ES modules; gradio runs one plain script per component, so modules are joined.

Each module states what it imports, for its readers and for the linter. Top-level names must be unique within a joined script.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from mmsteer.colours import css

_UI = Path(__file__).parents[1]
_IMPORT = re.compile(r'^import (?:\{[^}]*\} from )?"(\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const|let|function|async function)", re.MULTILINE)


def script(entry: Path, instead: Mapping[Path, Path] | None = None) -> str:
    """A module and everything it imports, directly or not, as one script: each file once, imported files first.

    Args:
        entry: the module.
        instead: modules that others take the place of: module -> the one that is joined.
    """
    others = {path.resolve(): other.resolve() for path, other in (instead or {}).items()}
    seen: set[Path] = set()
    joined: list[str] = []

    def visit(path: Path) -> None:
        if path in seen:
            return
        seen.add(path)
        source = path.read_text(encoding="utf-8")
        for imported in _IMPORT.findall(source):
            target = (path.parent / imported).resolve()
            visit(others.get(target, target))
        joined.append(_EXPORT.sub("", _IMPORT.sub("", source)))

    visit(entry.resolve())
    return "\n".join(joined)


def styles() -> str:
    """The colours, and the style sheets of all tabs and panels in the order of their names, as one."""
    files = sorted(_UI.rglob("*.css"), key=lambda path: path.name)
    return css() + "\n".join(path.read_text(encoding="utf-8") for path in files)
