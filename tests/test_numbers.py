"""Every measured number of RESULTS.md, of README and of the page comes from a file that a command wrote."""

import ast
import copy
import json
import re
import shutil
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mmsteer.__main__ import main
from mmsteer.assets import ASSETS
from mmsteer.recipes.presets import PRESETS
from mmsteer.studies.results import page
from mmsteer.studies.results.headlines import END, START, headlines
from mmsteer.studies.results.markdown import Figures
from mmsteer.ui.proof import findings
from mmsteer.ui.proof import tab as proof

README = ASSETS.parent / "README.md"


class Exemption(NamedTuple):
    """Words with a number that nobody measured, and what it is."""

    words: str
    why: str


README_EXEMPTIONS = (
    Exemption("Python 3.11 or 3.12", "versions that are supported"),
    Exemption("95 % intervals", "what the studies compute"),
    Exemption("arXiv 2502.14888", "arXiv"),
    Exemption("SIL Open Font License 1.1", "a licence's name"),
)
RESULTS_EXEMPTIONS = (
    Exemption("95 % interval", "what the studies compute"),
    Exemption("F1 of at least 0.7", "a threshold: LEAST_CONFIDENCE of mmsteer/labelling/naming/known_names.py"),
    Exemption("reaches F1 of 0.7", "the same threshold"),
    Exemption("2606.29888", "arXiv"),
    Exemption("2601.20028", "arXiv"),
    Exemption("2602.06218", "arXiv"),
    Exemption("2507.06265", "arXiv"),
    Exemption("2402.11846", "arXiv"),
    Exemption("at strength 1", "how far edits push"),
    Exemption("--edit-guidance 2", "an option of the study"),
    Exemption("--threads 1", "an option of the study"),
    Exemption("hit of 0.6 or more", "the limit below which features are listed"),
    Exemption("at 0.5 or more", "the limit below which features are listed"),
    Exemption("Chance is 0.5", "an AUC by chance"),
    Exemption("1 - share/2", "a formula"),
    Exemption("At 40 %", "which row of the table the sentence reads"),
    Exemption("At 25 %", "which row of the table the sentence reads"),
    Exemption("at 10 %", "which row of the table the sentence reads"),
    Exemption("of the 20 samples", "a parameter of the metrics"),
    Exemption("(10 to 100 samples", "a parameter of the metrics"),
    Exemption("3 of 3", "a key of the file and the head of a table"),
    Exemption("2 of 3", "a key of the file and the head of a table"),
    Exemption("1 of 3", "a key of the file and the head of a table"),
    Exemption("EmbSim 20", "a key of the file"),
    Exemption("WinRate 20", "a key of the file"),
    Exemption("|MDS - 1/2|", "a key of the file"),
    Exemption("of 255", "the range of a pixel"),
    Exemption("the 95th percentile", "what the study computes"),
    Exemption("(128 px, 12 guided steps)", "a key of the file"),
    Exemption("(128 pixels, 12 guided steps)", "the shapes it is compared with"),
)
"""Of the texts from which the page is rendered."""
MEASURED_SECTIONS = ("Results", "Limits")
"""Of README: here every number counts; elsewhere decimals and those with a unit."""
_START = r"(?<![\w./@])(?<!\w-)"
ANY_NUMBER = re.compile(_START + r"\d[\d,.]*")
DECIMAL_OR_UNIT = re.compile(
    _START + r"(?:\d[\d,]*\.\d+(?![\w.]*\d)|\d[\d,.]* ?(?:ms|s|dB|[kMG]B|%|seconds|minutes|times)(?!\w))"
)


@pytest.fixture(scope="module")
def written() -> dict[str, Figures]:
    return page.read()


@pytest.fixture(scope="module")
def readme() -> str:
    return README.read_text(encoding="utf-8")


def changed(written: dict[str, Figures], name: str, path: tuple[Any, ...], value: Any) -> dict[str, Figures]:
    """The figures with another value at one place of one file."""
    figures = copy.deepcopy(written[name])
    parent = reduce(lambda part, key: part[key], path[:-1], figures)
    assert parent[path[-1]] != value
    parent[path[-1]] = value
    return {**written, name: figures}


def without(text: str, exemptions: tuple[Exemption, ...]) -> str:
    """Text on one line, without the exempted words."""
    text = re.sub(r"\s+", " ", text)
    for exemption in sorted(
        exemptions, key=lambda one: len(one.words), reverse=True
    ):  # a short one may be in a long one
        text = text.replace(exemption.words, "…")
    return text


def unproven(readme: str, exemptions: tuple[Exemption, ...] = README_EXEMPTIONS) -> list[str]:
    """Numbers of README outside the headline table and code that are not exempted, each with the words around it."""
    table = f"{re.escape(START)}.*?{re.escape(END)}"
    text = re.sub(rf"\A---\n.*?\n---\n|```.*?```|{table}", "", readme, flags=re.DOTALL)
    numbers = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        title, _, body = section.partition("\n")
        body = re.sub(r"`[^`]*`|\]\([^)]*\)", "", without(body, exemptions))  # commands and addresses
        pattern = ANY_NUMBER if title in MEASURED_SECTIONS else DECIMAL_OR_UNIT
        numbers += [f"{title}: {body[max(0, m.start() - 50) : m.end() + 30]}" for m in pattern.finditer(body)]
    return numbers


def texts_of(path: Path) -> list[str]:
    """The strings of a file of Python, docstrings left out, each f-string as one text with … for what it fills in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part != node
    }
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (inner | alone):
            texts.append(node.value)
    return texts


def typed(exemptions: tuple[Exemption, ...]) -> list[str]:
    """Numbers in the texts from which RESULTS.md and the headlines are rendered, each with its file."""
    return [
        f"{path.name}: {text}"
        for path in sorted(Path(page.__file__).parent.rglob("*.py"))
        for text in texts_of(path)
        if ANY_NUMBER.search(without(text, exemptions))
    ]


def test_results_md_is_rendered_from_the_files(written):
    assert page.RESULTS.read_text(encoding="utf-8") == page.render(written), "python -m mmsteer study results"


def test_the_command_renders_the_page_and_nothing_else(monkeypatch, tmp_path, capsys, written):
    monkeypatch.setattr(page, "RESULTS", tmp_path / "RESULTS.md")
    assert main(["study", "results"]) == 0
    assert (tmp_path / "RESULTS.md").read_text(encoding="utf-8") == page.render(written)
    assert [path.name for path in tmp_path.iterdir()] == ["RESULTS.md"]
    assert capsys.readouterr().out.strip() == str(tmp_path / "RESULTS.md")


def test_a_full_study_that_writes_a_shipped_file_writes_the_page_and_its_figure(monkeypatch, tmp_path):
    rendered, drawn = [], []
    monkeypatch.setattr(page, "FIGURES", tmp_path)
    monkeypatch.setattr(
        page, "write", lambda: rendered.append(json.loads((tmp_path / "removal.json").read_text())["pairs"])
    )
    monkeypatch.setattr(page, "draw_figures", drawn.append)
    monkeypatch.setattr("mmsteer.studies.removal.study", lambda **_: {"pairs": 7})
    command = ["study", "removal", "--json"]
    assert main([*command, str(tmp_path / "removal.json"), "--quick"]) == 0
    assert main([*command, str(tmp_path / "other.json")]) == 0
    assert rendered == drawn == []
    assert main([*command, str(tmp_path / "removal.json")]) == 0
    assert rendered == [7]
    assert drawn == ["removal"]


def test_the_headlines_of_readme_are_rendered_from_the_files(readme: str, written):
    table = readme.partition(START)[2].partition(END)[0].strip()
    assert table == headlines(written), f"between {START} and {END} README has to have what `headlines` returns"


def test_the_headlines_are_few(written):
    head, _, *rows = headlines(written).splitlines()
    assert len(rows) <= 5
    assert all(row.count("|") == head.count("|") for row in rows)


def test_every_number_of_readme_was_measured_or_is_exempted(readme: str):
    assert not unproven(readme), "numbers that no file in assets proves"


@pytest.mark.parametrize("exemption", README_EXEMPTIONS, ids=lambda exemption: exemption.words)
def test_every_exemption_of_readme_is_needed(exemption: Exemption, readme: str):
    assert unproven(readme, tuple(other for other in README_EXEMPTIONS if other != exemption))


def test_no_measured_number_is_typed_where_results_are_rendered():
    assert not typed(RESULTS_EXEMPTIONS)


@pytest.mark.parametrize("exemption", RESULTS_EXEMPTIONS, ids=lambda exemption: exemption.words)
def test_every_exemption_of_the_results_is_needed(exemption: Exemption):
    assert typed(tuple(other for other in RESULTS_EXEMPTIONS if other != exemption))


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("world", ("measured", "autoencoder: PSNR, dB"), 29.87),
        ("world", ("measured", "pictures: thing", "low"), 0.9),
        ("world", ("targets", "CLIP: thing"), 0.96),
        ("world", ("seconds",), 4000.0),
        ("presets", ("presets", 4, "both", "value"), 0.5),
        ("presets", ("presets", 2, "first such seed"), 3),
        ("bench", ("measured", "picture, bare pipeline, ms"), 151.2),
        ("bench", ("measured", "encoding the prompt and editing, ms"), 1.71),
        ("bench", ("measured", "torch threads"), 4),
        ("labels", ("objectives", 0, "precision", "low"), 0.5),
        ("labels", ("objectives", 0, "split"), 0.2),
        ("labels", ("objectives", 2, "recall vision", "value"), 0.5),
        ("labels", ("nulls", 1, "of the null"), 0.1),
        ("labels", ("agreement", 0, "same label", "value"), 0.5),
        ("labels", ("rates", 0, "labelled cross", "value"), 0.5),
        ("labels", ("not readable",), ["apple"]),
        ("labels", ("held_out",), 8000),
        ("concepts", ("concepts", 2, "FVU", "value"), 0.5),
        ("concepts", ("concepts", 0, "recall cross", "value"), 0.5),
        ("removal", ("pairs",), 1536),
        ("removal", ("text",), "Removing nothing costs nothing."),
        ("effects", ("summary", 0, "hit", "low"), 0.123),
        ("effects", ("curves", 17, "hit", "value"), 0.123),
        ("effects", ("sizes", "prompts"), 99),
        ("ordinary", ("rows", 2, "leak", "value"), 0.01),
        ("ordinary", ("before", 1, "thing", "value"), 0.5),
        ("ordinary", ("targets", "leak"), 0.2),
        ("stability", ("summary", 1, "same name", "value"), 0.5),
        ("stability", ("changes", 3, "median", "value"), 0.5),
        ("stability", ("null", 0, "null, median"), 0.1),
        ("bank", ("features", 0, "automatic"), "lion"),
        ("bank", ("features", 0, "named_by"), None),
    ],
)
def test_a_figure_changed_in_a_file_changes_its_section(name: str, path: tuple[Any, ...], value: Any, written):
    before, after = page.sections(written), page.sections(changed(written, name, path, value))
    different = {section for section in before if before[section] != after[section]}
    assert different == {name}


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("effects", ("summary", 13, "hit", "low"), 0.123),
        ("effects", ("summary", 13, "gone", "value"), 0.123),
        ("effects", ("targets", "hit cross"), 0.99),
        ("ordinary", ("rows", 2, "leak", "value"), 0.01),
        ("ordinary", ("rows", 7, "hit", "high"), 0.5),
        ("labels", ("objectives", 0, "recall cross", "value"), 0.5),
        ("bench", ("measured", "steered / bare, median of pairs"), 1.5),
        ("bench", ("measured", "torch threads"), 4),
    ],
)
def test_a_figure_changed_in_a_file_changes_the_headlines(name: str, path: tuple[Any, ...], value: Any, written):
    assert headlines(changed(written, name, path, value)) != headlines(written)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("Results", "It draws 12 pictures."),
        ("Limits", "One in 20 is bad."),
        ("What it is, and is not", "A picture takes 128 ms."),
        ("What it is, and is not", "Its autoencoder reaches 33.1 dB."),
        ("Start the page", "They are right in 97 % of cases."),
        ("Citation", "Its precision is 0.99."),
    ],
)
def test_a_number_that_nobody_measured_is_noticed(section: str, words: str, readme: str):
    before = unproven(readme)
    after = unproven(readme.replace(f"## {section}\n", f"## {section}\n\n{words}\n", 1))
    (number,) = set(after) - set(before)
    assert number.startswith(section)


def test_the_page_draws_each_preset_with_the_first_seed_on_which_it_is_visible(written):
    first = {row["preset"]: row["first such seed"] for row in written["presets"]["presets"]}
    assert first == {preset.title: preset.seed for preset in PRESETS}


def test_the_proofs_hold_no_number_of_their_own():
    tree = ast.parse(Path(findings.__file__).read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert any("carry the right label" in text for text in texts)
    assert not [text for text in texts if re.search(r"(?<![\w.])(?<!\w-)\d", text)]


@pytest.mark.parametrize(
    ("name", "path", "value", "words"),
    [
        ("labels", ("objectives", 0, "precision", "value"), 0.123, "<b>12 %</b>"),
        ("labels", ("objectives", 0, "recall language", "value"), 0.456, "46 % of language"),
        ("concepts", ("concepts", 2, "recall cross", "value"), 0.789, "<b>79 %, not 0 %</b>"),
        ("effects", ("summary", 13, "hit", "value"), 0.321, "<b>32 %</b>"),
        ("ordinary", ("rows", 2, "leak", "value"), 0.123, "12 % of what the prompt fixed is lost"),
        ("removal", ("text",), "Nothing costs 7.\nAll of it.", "Nothing costs 7. All of it."),
    ],
)
def test_the_proofs_say_what_their_files_say(
    name: str, path: tuple[Any, ...], value: Any, words: str, tmp_path, written
):
    assert words not in proof.proofs()
    figures = changed(written, name, path, value)[name]
    (tmp_path / f"{name}.json").write_text(json.dumps(figures), encoding="utf-8")
    for version in ("", "-dark"):
        shutil.copy(proof.FIGURES / f"{name}{version}.png", tmp_path)
    assert words in proof.proofs(tmp_path)


def test_every_figure_file_of_a_study_has_a_section():
    present = {path.stem for path in page.FIGURES.glob("*.json")}
    assert present | {"bank", *page.OPTIONAL} == page.SECTIONS.keys()
