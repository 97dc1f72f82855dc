"""The page's scripts: what `script` joins, and that each joined script is one that a browser can read."""

import re
from collections import Counter
from pathlib import Path

import pytest

import mmsteer.ui
from mmsteer.ui.shared.script import script

UI = Path(mmsteer.ui.__file__).parent
SITE = UI.parent / "site" / "page"
MODULES = sorted([*UI.rglob("*.js"), *SITE.rglob("*.js")])
INSTEAD = {UI / "shared" / "scripts" / "address.js": SITE / "address.js"}
IMPORTS = re.compile(r'^import (?:\{([^}]*)\} from )?"([^"]+)";$', re.MULTILINE)
EXPORTS = re.compile(r"^export (?:const|let|async function|function) (.+)$", re.MULTILINE)
DECLARED = re.compile(r"^(?:const|let|async function|function) (\w+)", re.MULTILINE)


def imported(path: Path) -> list[tuple[Path, list[str]]]:
    """The modules that a module imports from, with the names."""
    return [
        ((path.parent / source).resolve(), [name.strip() for name in names.split(",") if name.strip()])
        for names, source in IMPORTS.findall(path.read_text(encoding="utf-8"))
    ]


ENTRIES = [path for path in MODULES if path not in {source for module in MODULES for source, _ in imported(module)}]
ENTRIES += [
    UI / "explore" / "scripts" / "tab.js",
    UI / "steer" / "scripts" / "rack.js",
    UI / "sweep" / "scripts" / "panel.js",
    UI / "talk" / "scripts" / "talk.js",
]  # parts of them call them back


def names(path: Path) -> set[str]:
    return {
        name
        for line in EXPORTS.findall(path.read_text(encoding="utf-8"))
        for name in re.findall(r"\w+", re.sub(r":\s*\w+", lambda part: part[0], line.split("=")[0].split("(")[0]))
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(UI.parent)))
def test_what_a_module_imports_is_exported_there(path: Path):
    for source, wanted in imported(path):
        assert source.is_file()
        assert set(wanted) <= names(source), source


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: str(path.relative_to(UI.parent)))
def test_a_joined_script_declares_each_name_once_and_holds_no_module_syntax(path: Path):
    joined = script(path, INSTEAD if SITE in path.parents else None)
    assert [name for name, count in Counter(DECLARED.findall(joined)).items() if count > 1] == []
    assert not re.search(r"^(import|export) ", joined, re.MULTILINE)


def test_every_module_is_part_of_a_script():
    def reached(path: Path, seen: set[Path]) -> set[Path]:
        if path not in seen:
            seen.add(path)
            for source, _ in imported(path):
                reached(source, seen)
        return seen

    assert set().union(*(reached(path, set()) for path in ENTRIES)) == set(MODULES)


def test_imports_come_first_and_each_file_once(tmp_path: Path):
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nimport { c } from "./c.js";\nconst a = b + c;\n')
    (tmp_path / "b.js").write_text('import { c } from "./c.js";\nexport const b = c;\n')
    (tmp_path / "c.js").write_text('import { b } from "./b.js";\nexport function c() { return b; }\n')
    assert script(tmp_path / "a.js") == "function c() { return b; }\n\nconst b = c;\n\nconst a = b + c;\n"
