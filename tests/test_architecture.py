"""The folders import each other as the diagram of mmsteer/README.md shows, and stay small."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mmsteer

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mmsteer"
FILES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.relative_to(PACKAGE).parts[0] for path in FILES if path.parent != PACKAGE})
BASICS = {"errors", "assets", "image_file"}
EMBED_OR_TRAIN = {"data", "training", "labelling", "exchange", "cli"}
MOST_FILES, MOST_LINES = 14, 320


def diagram() -> dict[str, set[str]]:
    """Which folders each folder may import: the arrows of the first diagram, those of a group for each of its members."""
    block = re.search(r"```mermaid\n(.*?)```", (PACKAGE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block
    groups: dict[str, list[str]] = {}
    arrows, group = [], ""
    for line in map(str.strip, block[1].splitlines()):
        if line.startswith("subgraph "):
            group = re.split(r"[ \[]", line)[1]
            groups[group] = []
        elif line == "end":
            group = ""
        elif "-->" in line:
            arrows.append(line.split(" --> "))
        elif group:
            groups[group].append(line.partition("[")[0])
    allowed: dict[str, set[str]] = {name: set() for members in groups.values() for name in members} | {"app": set()}
    for source, target in arrows:
        for name in groups.get(source, [source]):
            allowed[name] |= set(groups.get(target, [target]))
    for name in groups["offline"]:
        allowed[name] |= set(groups["offline"])
    return allowed


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, by its full name; public names of mmsteer by the module they are from."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            if node.module != "mmsteer":
                yield str(node.module)
                continue
            for alias in node.names:
                public = alias.name in mmsteer.__all__
                yield getattr(mmsteer, alias.name).__module__ if public else f"mmsteer.{alias.name}"


def inside(path: Path) -> set[str]:
    """The folders, and the modules beside them, that a file of mmsteer imports."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("mmsteer.")}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_diagram_shows_every_folder():
    assert sorted(set(diagram()) - {"app"}) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_what_the_diagram_lets_it(folder: str):
    allowed = diagram()[folder] | {folder} | BASICS | ({"distributed"} if folder in EMBED_OR_TRAIN else set())
    wrong = {name_of(path): sorted(inside(path) - allowed) for path in (PACKAGE / folder).rglob("*.py")}
    assert not {path: names for path, names in wrong.items() if names}


def test_the_entry_of_the_page_imports_what_the_diagram_lets_it():
    assert inside(ROOT / "app.py") <= diagram()["app"]


def test_a_call_needs_nothing_of_what_makes_banks():
    allowed = diagram()
    assert allowed["steering"] == {"bank", "models"}
    assert allowed["bank"] == {"models"}
    assert allowed["models"] == set()


def test_modules_beside_the_folders_know_no_folder():
    for name in (*BASICS, "distributed"):
        assert inside(PACKAGE / f"{name}.py") <= {"errors"}, name


def test_the_world_is_imported_by_itself_by_studies_and_by_its_command_alone():
    inner = {PACKAGE / "world", PACKAGE / "studies"}
    found = [path for path in FILES if "world" in inside(path) and not inner & set(path.parents)]
    assert [name_of(path) for path in found] == ["mmsteer/cli/world.py"]


def test_gradio_is_imported_by_the_page_alone():
    found = [path for path in FILES if any(name.split(".")[0] == "gradio" for name in imported(path))]
    assert found
    assert [name_of(path) for path in found if PACKAGE / "ui" not in path.parents] == []


def test_a_folder_holds_few_files():
    sizes = {folder: len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
             for folder in {path.parent for path in FILES}}  # fmt: skip
    assert {name_of(folder): size for folder, size in sizes.items() if size > MOST_FILES} == {}


def test_a_file_is_short():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}
