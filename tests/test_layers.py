"""Which folders may import which."""

import ast
from pathlib import Path

import pytest

import mmsteer

PACKAGE = Path(mmsteer.__file__).parent
FILES = [path.relative_to(PACKAGE).as_posix() for path in sorted(PACKAGE.rglob("*.py"))]
WORLD = ("world/", "studies/", "cli/world.py", "cli/bench.py", "ui/steer/reading.py")
"""May know the embedded world: itself, the studies, its command, what measures on its scenes, and what its judge reads."""


def imports(name: str) -> set[str]:
    """Modules that a file imports, inside functions too."""
    tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


def test_only_these_files_know_the_world():
    assert len(FILES) > 100
    knowing = [name for name in FILES if any(module.startswith("mmsteer.world") for module in imports(name))]
    assert [name for name in knowing if not name.startswith(WORLD)] == []


@pytest.mark.parametrize("folder", ["data/", "labelling/", "exchange/", "training/"])
def test_what_builds_banks_knows_no_page_and_no_study(folder):
    for name in (name for name in FILES if name.startswith(folder)):
        assert not [m for m in imports(name) if m.startswith(("mmsteer.ui", "mmsteer.cli", "mmsteer.studies"))], name
