"""Every measured number of README and of the page comes from a file that a command wrote."""

import ast
import copy
import json
import re
import shutil
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mmsteer.ui.presets import PRESETS
from mmsteer.ui.proof import tab as proof
from tests.measured import FILES, PASSAGES, README, Figures, differences, one_line, passages, read


class Given(NamedTuple):
    """Words of README with a number that nobody measured, and what it is."""

    words: str
    why: str


EXCEPTIONS = (
    Given("Python 3.11 or 3.12.", "versions that are supported"),
    Given("from 20 % of the sampling run", "what an edit in the example above it says"),
    Given("Stable unCLIP 2.1", "a model's name"),
    Given("brackets are 95 % intervals", "what the studies compute"),
    Given("with a 95 % interval", "what the study computes"),
    Given("(held-out AUC of 0.65 or more)", "a threshold of mmsteer/build/read.py"),
    Given("with F1 of at least 0.7", "a threshold: LEAST_CONFIDENCE of mmsteer/build/label.py"),
    Given("reaches F1 of 0.7", "the same threshold"),
    Given("2606.29888", "arXiv"),
    Given("2601.20028", "arXiv"),
    Given("2602.06218", "arXiv"),
    Given("2507.06265", "arXiv"),
    Given("arXiv 2502.14888", "arXiv"),
    Given("2301.12247", "arXiv"),
    Given("2602.09268", "arXiv"),
    Given("2402.11846", "arXiv"),
    Given("found in 3 of 3 | 2 of 3", "the head of a table"),
    Given("the 95th percentile", "what the study computes"),
    Given("(m = 10 to 100)", "a parameter of a metric"),
    Given('"cactus 2"', "a feature's name"),
    Given("SIL Open Font License 1.1", "a licence's name"),
)
MEASURED_SECTIONS = ("Numbers", "Are the labels right?", "Limits")
"""Here every number counts; elsewhere decimals and those with a unit."""
_START = r"(?<![\w./@])(?<!\w-)"
ANY_NUMBER = re.compile(_START + r"\d[\d,.]*")
DECIMAL_OR_UNIT = re.compile(
    _START + r"(?:\d[\d,]*\.\d+(?![\w.]*\d)|\d[\d,.]* ?(?:ms|s|dB|[kMG]B|%|seconds|minutes|times)(?!\w))"
)


@pytest.fixture(scope="module")
def written() -> dict[str, Figures]:
    return read()


@pytest.fixture(scope="module")
def readme() -> str:
    return README.read_text(encoding="utf-8")


def uncovered(readme: str, said: dict[str, list[str]], exceptions: tuple[Given, ...] = EXCEPTIONS) -> list[str]:
    """Numbers of README that stand in no passage and in no exception, each with the words around it."""
    text = re.sub(r"\A---\n.*?\n---\n|```.*?```", "", readme, flags=re.DOTALL)
    known = [one_line(passage) for some in said.values() for passage in some] + [given.words for given in exceptions]
    found = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        title, _, body = section.partition("\n")
        body = one_line(body)
        for words in sorted(known, key=len, reverse=True):  # a short one may be a part of a long one
            body = body.replace(words, "…")
        body = re.sub(r"`[^`]*`|\]\([^)]*\)", "", body)  # commands and addresses
        looks = ANY_NUMBER if title in MEASURED_SECTIONS else DECIMAL_OR_UNIT
        found += [f"{title}: {body[max(0, m.start() - 50) : m.end() + 30]}" for m in looks.finditer(body)]
    return found


@pytest.mark.parametrize("name", PASSAGES)
def test_readme_says_what_was_measured(name: str, readme: str, written):
    wrong = differences(readme, passages({name: written[name]}))
    assert not wrong, "README has to say (python -m tests.measured prints all):\n" + "\n".join(wrong)


def test_every_number_of_readme_was_measured_or_is_an_exception(readme: str, written):
    found = uncovered(readme, passages(written))
    assert not found, "numbers that no file in assets proves:\n" + "\n".join(found)


@pytest.mark.parametrize("given", EXCEPTIONS, ids=lambda given: given.words)
def test_every_exception_is_needed(given: Given, readme: str, written):
    others = tuple(other for other in EXCEPTIONS if other != given)
    assert uncovered(readme, passages(written), others)


def test_a_digit_changed_in_any_passage_of_readme_is_found(readme: str, written):
    said, flat = passages(written), one_line(readme)
    for name, some in said.items():
        for passage in map(one_line, some):
            last = list(re.finditer(r"\d", passage))
            if not last:
                continue
            at = last[-1].start()
            other = passage[:at] + str((int(passage[at]) + 1) % 10) + passage[at + 1 :]
            assert differences(flat.replace(passage, other), {name: some}), passage


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
def test_a_figure_changed_in_a_file_is_found(name: str, path: tuple[Any, ...], value: Any, readme: str, written):
    figures = copy.deepcopy(written[name])
    parent = reduce(lambda some, key: some[key], path[:-1], figures)
    assert parent[path[-1]] != value
    parent[path[-1]] = value
    assert differences(readme, passages({name: figures}))


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("Numbers", "It draws 12 pictures."),
        ("Limits", "One in 20 is bad."),
        ("Are the labels right?", "| random | 0.25 |"),
        ("What it is, and is not", "A picture takes 128 ms."),
        ("What it is, and is not", "Its autoencoder reaches 33.1 dB."),
        ("API", "They are right in 97 % of cases."),
        ("Hosting", "Its precision is 0.99."),
    ],
)
def test_a_number_that_nobody_measured_is_found(section: str, words: str, readme: str, written):
    said = passages(written)
    typed = readme.replace(f"## {section}\n", f"## {section}\n\n{words}\n", 1)
    (found,) = uncovered(typed, said)
    assert found.startswith(section)


def test_the_page_draws_each_preset_with_the_first_seed_on_which_it_is_visible(written):
    first = {row["preset"]: row["first such seed"] for row in written["presets"]["presets"]}
    assert first == {preset.title: preset.seed for preset in PRESETS}


def test_the_proofs_hold_no_number_of_their_own():
    tree = ast.parse(Path(proof.__file__).read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert any("carry the right label" in text for text in texts)
    assert not [text for text in texts if re.search(r"(?<![\w.])(?<!\w-)\d", text)]


@pytest.mark.parametrize(
    ("name", "path", "value", "told"),
    [
        ("labels", ("objectives", 0, "precision", "value"), 0.123, "12 %"),
        ("labels", ("objectives", 0, "recall language", "value"), 0.456, "46 % of language"),
        ("concepts", ("concepts", 2, "recall cross", "value"), 0.789, "79 % correctly"),
        ("effects", ("summary", 13, "hit", "value"), 0.321, "32 % of cases"),
        ("ordinary", ("rows", 2, "leak", "value"), 0.123, "12 % of what the prompt fixed is lost"),
        ("removal", ("text",), "Nothing costs 7.\nAll of it.", "Nothing costs 7. All of it."),
    ],
)
def test_the_proofs_say_what_their_files_say(
    name: str, path: tuple[Any, ...], value: Any, told: str, tmp_path, written
):
    figures = copy.deepcopy(written[name])
    assert told not in proof.proofs()
    reduce(lambda some, key: some[key], path[:-1], figures)[path[-1]] = value
    (tmp_path / f"{name}.json").write_text(json.dumps(figures), encoding="utf-8")
    shutil.copy(proof.FIGURES / f"{name}.png", tmp_path)
    assert told in proof.proofs(tmp_path)


def test_every_file_that_is_read_has_passages():
    assert set(FILES) == set(PASSAGES)
