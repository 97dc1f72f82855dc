"""A ready folder for a Space of the Hugging Face hub: the page on one checkpoint of the hub, with a bank. Nothing is uploaded."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError
from mmsteer.hub.needed import checkpoint_files, clip_files
from mmsteer.hub.repository import Repository, look_up
from mmsteer.models.checkpoint import Checkpoint

if TYPE_CHECKING:
    from mmsteer.ahead.drawn import DrawnAhead
    from mmsteer.bank import FeatureBank

_HOME = ASSETS.parent
_CODE = ("mmsteer", "assets/figures")
_FILES = ("requirements.txt", "LICENSE")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc")
_APP = '''"""Entry of this Space: the page on {backbone}, with a bank of its own."""

from page import main

main(["--backbone", "{backbone}", "--bank", "bank"])
'''


def write_space(space: str, backbone: str, bank: Path, device: str) -> Path:
    """Write spaces/NAME: front matter with pinned models to preload, the entry, the code, and the bank with pictures drawn ahead,
    whose tour the README shows. Other files in that folder stay.

    Args:
        space: `OWNER/NAME`.
        backbone: a known checkpoint of the hub.
        bank: a finished bank for it.
        device: where pictures are drawn, if the bank has none of this backbone.

    Returns:
        The folder.

    Raises:
        SteerError: the name is none, or the hub can neither be asked nor was asked before.
    """
    from mmsteer.bank.folder import files_of
    from mmsteer.exchange.hub import load_complete

    if not re.fullmatch(r"[\w.-]+/[\w.-]+", space):
        raise SteerError(f"{space!r} is no name of a Space: write OWNER/NAME")
    out, loaded = Path("spaces") / space.partition("/")[2], load_complete(bank)
    readme = _readme(space, backbone, loaded)  # asks the hub, before anything is written
    for folder in _CODE:
        shutil.copytree(_HOME / folder, out / folder, ignore=_NOT_COPIED, dirs_exist_ok=True)
    for file in _FILES:
        shutil.copyfile(_HOME / file, out / file)
    shutil.copyfile(_HOME / "app.py", out / "page.py")
    drawn = _pictures(backbone, loaded, device)
    for name in files_of(bank):
        (out / "bank" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bank / name, out / "bank" / name)
    (out / "app.py").write_text(_APP.format(backbone=backbone), encoding="utf-8")
    tour = _tour(drawn) if drawn else []
    (out / "README.md").write_text("\n\n".join([readme, *tour]) + "\n", encoding="utf-8")
    return out


def _pictures(backbone: str, bank: "FeatureBank", device: str) -> "DrawnAhead | None":
    """The pictures in the bank's folder, drawn now if there are none of this backbone."""
    from mmsteer.ahead.draw import draw_ahead
    from mmsteer.ahead.drawn import read_drawn
    from mmsteer.steering.steerer import Steerer

    drawn = read_drawn(bank, backbone)
    if drawn is None:
        draw_ahead(Steerer.load(backbone, bank.folder, device))
        drawn = read_drawn(bank, backbone)
    return drawn


def _tour(drawn: "DrawnAhead") -> list[str]:
    """A line of Markdown for each pair of the tour."""
    return [
        " ".join(
            f"![{which.capitalize()}: {', '.join(str(edit) for edit in recipe.edits)}](bank/pictures/{number}-{which}.webp)"
            for which in ("before", "after")
        )
        for number, recipe in enumerate(drawn.recipes)
    ]


def _readme(space: str, backbone: str, bank: "FeatureBank") -> str:
    """The front matter that configures a Space, and a few words."""
    own = dict(re.findall(r"^(\w+): (.+)$", (_HOME / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    known = Checkpoint(backbone)
    checkpoint = look_up(f"{known.source}@{known.spec.revision}")
    half = known.spec.variant is not None  # what ZeroGPU draws in
    preload = [_preload(checkpoint, checkpoint_files(checkpoint.sizes, known.index, half))]
    models = [checkpoint.id]
    clip: dict[str, Any] = bank.meta.get("clip") or {}
    if clip.get("revision"):
        full = look_up(f"{clip['id']}@{clip['revision']}")
        preload.append(_preload(full, clip_files(full.sizes)))
        models.append(full.id)
    front = {
        "title": space.partition("/")[2], "emoji": "🎚️", "colorFrom": "indigo", "colorTo": "yellow", "sdk": "gradio",
        "sdk_version": own["sdk_version"], "python_version": own["python_version"].strip('"'), "app_file": "app.py",
        "short_description": f"Steer {backbone} with features labelled by modality", "startup_duration_timeout": "1h",
        "models": models, "preload_from_hub": preload,
    }  # fmt: skip
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items()]
    return "\n".join([
        "---", *lines, "---", "", f"# {space.partition('/')[2]}", "",
        f"The page of mmsteer on {backbone} ({checkpoint.name}, licence: {known.spec.licence}), with a bank of "
        f"{len(bank.features)} features made of {bank.origin}.",
    ])  # fmt: skip


def _preload(repository: Repository, files: list[str]) -> str:
    """One entry of `preload_from_hub`: repository, files, commit."""
    return f"{repository.id} {','.join(files)} {repository.commit}"
