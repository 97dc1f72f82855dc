"""Write a static edition: draw, gather, and put the folder in its place only when it is whole."""

import shutil
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.ahead.drawn import DrawnAhead, read_picture
from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError, first_line
from mmsteer.recipes.presets import Preset
from mmsteer.recipes.presets import tour as tour_of
from mmsteer.site.data import proof_html, script_of, site_data
from mmsteer.site.draw import draw_strips, draw_tour
from mmsteer.site.plan import Plan
from mmsteer.ui.explore.effect import Effects
from mmsteer.ui.explore.questions import Questions
from mmsteer.ui.shared.script import script, styles

if TYPE_CHECKING:
    from mmsteer.bank import FeatureBank
    from mmsteer.steering.steerer import Steerer

_PAGE = Path(__file__).parent / "page"
_UI = Path(__file__).parents[1] / "ui"
_ADDRESS = _UI / "shared" / "scripts" / "address.js"


class Written(NamedTuple):
    """What was written."""

    pictures: int
    """Drawn for it."""
    bytes: int
    files: int
    seconds: float


def write_site(
    steerer: "Steerer", plan: Plan, ahead: DrawnAhead | None, out: Path, report: Callable[[str], None]
) -> Written:
    """Write the folder.

    Args:
        steerer: draws; its bank is in a folder.
        plan: what to draw.
        ahead: the bank's pictures, for the effects on cards; None leaves these out.
        out: a folder that does not exist, is empty, or is an earlier edition, which is replaced.
        report: called with a line now and then.

    Raises:
        SteerError: the folder holds something else, or cannot be written. Nothing of it has then changed.
    """
    began = time.monotonic()
    if out.exists() and not (out.is_dir() and ((out / "site.js").is_file() or not any(out.iterdir()))):
        raise SteerError(f"{out} exists and is no static edition: give a folder that does not exist")
    partial = out.with_name(f"{out.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in ("strips", "tour", "cards", "examples"):
            (partial / folder).mkdir(parents=True)
        steps = tour_of(steerer.bank, steerer.backbone.steers_image_only)
        draw_tour(steerer, [(step.prompt, step.seed, step.edits) for step in steps], partial / "tour")
        for done in draw_strips(steerer, plan, partial / "strips"):
            if done % 8 == 0:
                report(f"{done} of {len(plan.features)} features, {time.monotonic() - began:.0f} s")
        _write_page(steerer.bank, plan, steps, ahead, partial)
        shutil.rmtree(out, ignore_errors=True)
        partial.replace(out)
    except OSError as error:
        raise SteerError(f"cannot write {out} ({first_line(error)}): free the disk, or give another folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    files = [path for path in out.rglob("*") if path.is_file()]
    return Written(
        plan.pictures + 2 * len(steps), sum(f.stat().st_size for f in files), len(files), time.monotonic() - began
    )


def _write_page(bank: "FeatureBank", plan: Plan, steps: list[Preset], ahead: DrawnAhead | None, out: Path) -> None:
    """Everything but drawn pictures: cards, example sheets, data, scripts, styles and the page itself."""
    questions = Questions(bank, None, Effects(ahead))  # type: ignore[arg-type]  # asked for nothing that takes a model
    for feature in bank.features:
        card = script_of(f"cards[{feature.id}]", questions.card(feature.id))
        (out / "cards" / f"{feature.id}.js").write_text(card, encoding="utf-8")
    own = bank.folder is not None and bank.folder.resolve().is_relative_to(ASSETS.resolve())
    data = site_data(bank, plan, steps, questions, _copy_sheets(bank, out / "examples")) | {"proof": own}
    scripts = {
        "data.js": f"window.MMSTEER = {{ cards: {{}} }};\n{script_of('data', data)}",
        "proof.js": script_of("proof", proof_html()) if own else "",
        "site.js": _bundle("main.js"),
        "explore.js": _bundle("explore.js"),
        "site.css": styles() + (_PAGE / "site.css").read_text(encoding="utf-8"),
    }
    for name, content in scripts.items():
        if content:
            (out / name).write_text(content, encoding="utf-8")
    made = f"Features of {bank.origin}; {bank.faithfulness}."
    page = (_PAGE / "index.html").read_text(encoding="utf-8").replace("{made}", escape(made))
    (out / "index.html").write_text(page, encoding="utf-8")


def _bundle(entry: str) -> str:
    """A module of the page, with all that it imports, as a plain script whose names are its own: modules do not load from a disk."""
    return f'"use strict";\n(() => {{\n{script(_PAGE / entry, {_ADDRESS: _PAGE / "address.js"})}}})();\n'


def _copy_sheets(bank: "FeatureBank", out: Path) -> list[int]:
    """Copy the bank's example sheets that are pictures; returns the ids of their features."""
    copied = []
    for feature in bank.features:
        path = bank.folder / "examples" / f"{feature.id}.webp" if bank.folder else Path()
        if path.is_file():
            try:
                read_picture(path)
            except SteerError:
                continue
            shutil.copyfile(path, out / path.name)
            copied.append(feature.id)
    return copied
