"""The folders import each other as the diagram of mmsteer/README.md shows, and stay small."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mmsteer

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mmsteer"
FILES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.relative_to(PACKAGE).parts[0] for path in FILES if path.parent != PACKAGE})
BASICS = {"errors", "assets", "colours", "image_file", "pixels"}
EMBED_OR_TRAIN = {"data", "training", "labelling", "exchange", "cli"}
MOST_FILES, MOST_LINES = 14, 320


def diagram() -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """The groups of folders and the arrows of the first diagram."""
    block = re.search(r"```mermaid\n(.*?)```", (PACKAGE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block
    groups: dict[str, list[str]] = {}
    arrows: list[tuple[str, str]] = []
    group = ""
    for line in map(str.strip, block[1].splitlines()):
        if line.startswith("subgraph "):
            group = re.split(r"[ \[]", line)[1]
            groups[group] = []
        elif line == "end":
            group = ""
        elif "-->" in line:
            source, target = line.split(" --> ")
            arrows.append((source, target))
        elif group:
            groups[group].append(line.partition("[")[0])
    return groups, arrows


def may_import() -> dict[str, set[str]]:
    """Which folders each folder may import: a group's arrows are those of each of its members."""
    groups, arrows = diagram()
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
                public = getattr(mmsteer, alias.name) if alias.name in mmsteer.__all__ else None
                yield getattr(public, "__module__", None) or getattr(public, "__name__", f"mmsteer.{alias.name}")


def inside(path: Path) -> set[str]:
    """The folders, and the modules beside them, that a file of mmsteer imports."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("mmsteer.")}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_diagram_shows_every_folder():
    assert sorted(set(may_import()) - {"app"}) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_what_the_diagram_lets_it(folder: str):
    allowed = may_import()[folder] | {folder} | BASICS | ({"distributed"} if folder in EMBED_OR_TRAIN else set())
    wrong = {name_of(path): sorted(inside(path) - allowed) for path in (PACKAGE / folder).rglob("*.py")}
    assert not {path: names for path, names in wrong.items() if names}


def test_the_entry_of_the_page_imports_what_the_diagram_lets_it():
    assert inside(ROOT / "app.py") <= may_import()["app"] | BASICS


def test_no_arrow_between_two_folders_is_idle():
    used = {(folder, name) for folder in FOLDERS for path in (PACKAGE / folder).rglob("*.py") for name in inside(path)}
    used |= {("app", name) for name in inside(ROOT / "app.py")}
    groups, arrows = diagram()
    assert [arrow for arrow in arrows if not set(arrow) & set(groups) and arrow not in used] == []


def test_a_call_needs_nothing_of_what_makes_banks():
    allowed = may_import()
    assert allowed["steering"] == {"bank", "models", "recipes"}
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


def test_every_package_that_is_imported_is_declared():
    distributions = {"PIL": "pillow"}
    elsewhere = {
        "spaces",  # a Space on ZeroGPU has it
        "gradio_client", "starlette",  # gradio pins them
        "sae_lens", "sparsify", "dictionary_learning", "schedulefree",  # of the environment that `bench --peers` is given
    }  # fmt: skip
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    declared = {re.split(r"[=<>\[ ]", line)[0] for line in lines if line and not line.startswith("#")}
    names = {name.split(".")[0] for path in FILES for name in imported(path)}
    outside = names - set(sys.stdlib_module_names) - {"mmsteer"} - elsewhere
    assert {distributions.get(name, name) for name in outside} == declared


def test_a_folder_holds_few_files():
    sizes = {folder: len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
             for folder in {path.parent for path in FILES}}  # fmt: skip
    assert {name_of(folder): size for folder, size in sizes.items() if size > MOST_FILES} == {}


def test_a_file_is_short():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}
