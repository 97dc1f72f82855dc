"""The README and the guides: short, with links, paths, commands and code that work, in the order a stranger tries them."""

import argparse
import contextlib
import io
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import torch
from checkpoints import captions, make_turbo
from PIL import Image

import app
from mmsteer.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README, PAGE = ROOT / "README.md", ROOT / "mmsteer" / "ui" / "README.md"
GUIDES = sorted(
    [README, ROOT / ".github" / "CONTRIBUTING.md", *(ROOT / "mmsteer").rglob("*.md"), *(ROOT / "assets").rglob("*.md")]
)
MOST_WORDS = 1200
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
IN_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
COMMAND = re.compile(r"(?:\.venv/bin/)?(?:python|accelerate launch) -m mmsteer (.+)")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    return FRONT_MATTER.sub("", path.read_text(encoding="utf-8"))


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of code in a language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [code for info, code in fenced if info == language]


def prose(text: str) -> str:
    """Everything outside of fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def shell_lines(text: str) -> list[str]:
    """The commands of all shell blocks, without their comments."""
    return [
        line.split("  #")[0].strip() for block in blocks(text, "bash") for line in block.splitlines() if line.strip()
    ]


def test_the_readme_is_short():
    words = re.sub(r"<!--.*?-->", "", text_of(README), flags=re.DOTALL).split()
    assert len(words) <= MOST_WORDS


def test_the_readme_shows_where_everything_is():
    (tree,) = (block for block in blocks(text_of(README), "") if "mmsteer/" in block)
    shown = set(re.findall(r"^  (\w+)/ ", tree, re.MULTILINE))
    assert shown == {path.parent.name for path in (ROOT / "mmsteer").glob("*/__init__.py")}


# -- links and paths --


def anchors(path: Path) -> set[str]:
    """The fragments by which GitHub reaches a file's headings."""
    titles = re.findall(r"^#+ (.+)$", prose(text_of(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_links_lead_somewhere(guide: Path):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(text_of(guide))):
        if re.match(r"https?://", link):
            continue
        place, _, fragment = link.partition("#")
        target = (guide.parent / place).resolve() if place else guide
        if not target.exists() or (fragment and fragment not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_files_that_a_guide_names_are_there(guide: Path):
    named = [
        code
        for code in IN_CODE.findall(prose(text_of(guide)))
        if re.match(r"(mmsteer|tests|assets|\.ci)/[\w./-]*$", code)
    ]
    assert not [name for name in named if not (ROOT / name).exists()]


# -- commands --


def without_abbreviations(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.allow_abbrev = False
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                without_abbreviations(child)
    return parser


@cache
def command_line() -> argparse.ArgumentParser:
    """All of `python -m mmsteer`, options in full only."""
    parser = argparse.ArgumentParser(prog="mmsteer")
    commands = parser.add_subparsers(required=True)
    for name, (module, _) in COMMANDS.items():
        import_module(module).add_arguments(commands.add_parser(name))
    return without_abbreviations(parser)


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from options(child)


def page_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The options of app.py, by its help."""
    monkeypatch.setattr(sys, "argv", ["app.py", "--help"])
    with pytest.raises(SystemExit):
        app.main()
    return set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_commands_can_be_read(guide: Path, capsys):
    text = text_of(guide)
    for command in [*shell_lines(text), *IN_CODE.findall(prose(text))]:
        if (found := COMMAND.match(command)) is None:
            continue
        words = shlex.split(found[1])
        if "…" in words:  # any one of its kind
            assert words[0] in COMMANDS, command
            continue
        try:
            command_line().parse_args(words)
        except SystemExit as end:
            if end.code:  # not after --help
                pytest.fail(f"{command}\n{capsys.readouterr().err}")


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_options_exist(guide: Path, monkeypatch, capsys):
    text = text_of(guide)
    of_page = page_options(monkeypatch, capsys)
    known = of_page | set(options(command_line()))
    named = {option for code in IN_CODE.findall(prose(text)) for option in re.findall(r"(?<!\S)--[a-z-]+", code)}
    assert named - known == set()
    for line in shell_lines(text):
        if re.match(r"(\.venv/bin/)?python app\.py", line):
            assert set(re.findall(r"--[a-z-]+", line)) <= of_page, line


def test_ci_runs_what_the_readme_says_with_checks_between():
    (command,) = (line for line in shell_lines(text_of(README)) if line.endswith("pytest"))
    steps = [*command.split(" && ")]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    places = [script.index(step) for step in (*steps[:2], "ruff check", "ruff format --check", "mypy", steps[2])]
    assert places == sorted(places)


# -- code --


def examples() -> Iterator[tuple[str, str, str]]:
    """Where, code and printed output of every Python block. The page's own need a page: `test_api.py` runs them."""
    for guide in GUIDES:
        found = re.findall(
            r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", text_of(guide), re.DOTALL | re.MULTILINE
        )
        if guide != PAGE:
            yield from ((f"{name_of(guide)} {number}", *block) for number, block in enumerate(found, 1))


@pytest.mark.parametrize(("code", "printed"), [pytest.param(*rest, id=where) for where, *rest in examples()])
def test_code_prints_what_stands_below_it(code: str, printed: str, tmp_path: Path, monkeypatch):
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "example", "exec"), {"__name__": "example"})
    assert output.getvalue() == printed


# -- from a checkpoint and pictures to the page --


def own_models() -> list[str]:
    """The commands of the README's section on one's own models."""
    section = text_of(README).split("## Your own models and pictures", 1)[1].split("\n## ", 1)[0]
    return shell_lines(section)


def put_stand_ins(folder: Path) -> None:
    """Tiny models and pictures where the README's commands look for theirs."""
    models = folder / "models"
    make_turbo(models / "sd-turbo")
    (models / "sd-turbo" / "clip").rename(models / "clip")
    shutil.copytree(models / "sd-turbo", models / "sd21")
    pictures = folder / "pictures"
    pictures.mkdir()
    generator = torch.Generator().manual_seed(0)
    for k, caption in enumerate(captions(2000)):
        shade = torch.randint(256, (3,), generator=generator).tolist()
        Image.new("RGB", (32, 32), tuple(shade)).save(pictures / f"{k:04d}.png")
        (pictures / f"{k:04d}.txt").write_text(caption)
    (folder / "captions.txt").write_text("\n".join(captions(1000, seed=1)))
    (folder / "app.py").symlink_to(ROOT / "app.py")


ENVIRONMENT = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin"}


def start(command: str, *more: str) -> list[str]:
    program, *rest = shlex.split(command)
    assert program == "python"
    return [sys.executable, "-W", "ignore", *rest, *more]


def run(command: str, folder: Path, *more: str) -> str:
    done = subprocess.run(start(command, *more), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def open_page(command: str, folder: Path) -> str:
    """What the page that a command starts answers to a visitor."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "page.log"
    with log.open("w") as written:
        served = subprocess.Popen(start(command, "--port", str(port)), cwd=folder, env=ENVIRONMENT, stderr=written)
    try:
        for _ in range(300):
            try:
                answer: str = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read().decode()
                return answer
            except OSError:
                if served.poll() is not None:
                    break
                time.sleep(0.2)
        pytest.fail(f"no page: {log.read_text()[-2000:]}")
    finally:
        served.terminate()
        served.wait()


def test_the_readme_leads_from_a_checkpoint_and_pictures_to_the_page(tmp_path: Path):
    put_stand_ins(tmp_path)
    build, fit, steer, page = own_models()
    assert "2,000" in run(build, tmp_path, "--plan")
    assert not (tmp_path / "banks").exists()
    assert "wrote banks/mine" in run(
        build, tmp_path, "--steps", "100", "--pictures", "0.05"
    )  # defaults only take longer
    assert "banks/mine now steers sd21" in run(fit, tmp_path)
    assert "fitted map to the joint space" in run(steer, tmp_path)
    width, height = Image.open(tmp_path / "pair.png").size
    assert width > height
    assert "mmsteer" in open_page(page, tmp_path)
