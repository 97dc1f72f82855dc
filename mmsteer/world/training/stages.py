"""The stages of training the world's models, in order: what each is given, and what each needs of the others."""

import copy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsteer.errors import SteerError, first_line

if TYPE_CHECKING:
    import torch

    from mmsteer.world.models.parts import Parts
    from mmsteer.world.training.loop import Box, Task

# stage -> its share of the minutes of a run of all
STAGES = {"clip": 0.20, "autoencoder": 0.25, "judge": 0.05, "teacher": 0.35, "student": 0.15}
ORDINARY = "ordinary", "adapter"
"""Stages of their own: the UNet that is not trained to be steered, and its image adapter."""
SHIPPED = "clip", "vae", "unet", "judge"  # what the embedded pipeline is put together from


@dataclass(frozen=True)
class Run:
    """What one call of the command trains, and how."""

    work: Path
    """Checkpoints and samples; finished models in its `export/`."""
    start: Path | None
    """Folder of trained models to start from; None starts from random weights."""
    device: "torch.device"
    seed: int = 0
    workers: int = 0
    """Processes that word captions."""
    decoder_only: bool = False
    small: bool = False
    """A UNet of the shape of assets/ordinary."""

    @property
    def parts(self) -> "Parts":
        """Where trained models are."""
        from mmsteer.world.models.parts import Parts

        return Parts(self.work / "export", self.start)


def open_device(name: str) -> "torch.device":
    """The device of that name; SteerError if it is not here."""
    import torch

    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SteerError(f"--device {name}: not to be had here ({first_line(error)}); cpu always is") from None
    return device


def boxes(stage: str, minutes: float | None, steps: int | None) -> "Iterator[tuple[str, Box]]":
    """Each stage to train with its own box: "all" shares the minutes out by STAGES, and gives every stage the same steps."""
    from mmsteer.world.training.loop import Box

    if stage in ORDINARY:
        yield stage, Box(minutes, steps)
    for name, share in STAGES.items():
        if stage in (name, "all"):
            yield name, Box(minutes if minutes is None or stage != "all" else share * minutes, steps)


def build(stage: str, run: Run) -> "Task":
    """A stage, ready to be trained; SteerError names a part that is missing or cannot be read."""
    import torch

    from mmsteer.world.models import autoencoder, clip, judge
    from mmsteer.world.models.growth import grow
    from mmsteer.world.models.parts import read_autoencoder, read_clip

    torch.manual_seed(run.seed)
    gpu, parts = run.device.type != "cpu", run.parts
    if stage == "clip":
        own = parts.begun("clip")
        readers = read_clip(own) if own else (None, None)
        return clip.ClipTask(clip.GPU if gpu else clip.CPU, run.device, run.seed, run.workers, *readers)
    if stage == "autoencoder":
        own = parts.needed("vae") if run.decoder_only and run.start is None else parts.begun("vae")
        vae = grow(read_autoencoder(own), autoencoder.Shape()) if own else None
        budget, ring = (autoencoder.GPU, autoencoder.GPU_RING) if gpu else (autoencoder.CPU, autoencoder.CPU_RING)
        return autoencoder.AutoencoderTask(budget, run.device, run.seed, ring, vae, run.decoder_only)
    if stage == "judge":
        own = parts.begun("judge")
        old = judge.Judge.load(own) if own else None
        return judge.JudgeTask(judge.GPU if gpu else judge.CPU, run.device, run.seed, old)
    return _build_unet_task(stage, run, parts)


def _build_unet_task(stage: str, run: Run, parts: "Parts") -> "Task":
    from mmsteer.models.image_adapter import read_adapter
    from mmsteer.world.models import adapter
    from mmsteer.world.models.parts import read_autoencoder, read_clip, read_unet
    from mmsteer.world.models.unet import FULL, SMALL, build_unet
    from mmsteer.world.training import ordinary, student, teacher

    readers: dict[str, Any] = dict(zip(("clip", "tokenizer"), read_clip(parts.needed("clip")), strict=True))
    readers |= {"vae": read_autoencoder(parts.needed("vae")), "workers": run.workers}
    gpu = run.device.type != "cpu"
    if stage in ("teacher", "ordinary"):
        shipped = stage == "teacher" and not run.small  # of that shape there is one to start from
        own = parts.begun("teacher", "unet") if shipped else parts.own(stage)
        unet = read_unet(own) if own else build_unet(SMALL if run.small else FULL)
        task = teacher.TeacherTask if stage == "teacher" else ordinary.OrdinaryTask
        budget, ring = (teacher.GPU, teacher.GPU_RING) if gpu else (teacher.CPU, teacher.CPU_RING)
        return task(budget, run.device, run.seed, ring, unet, **readers)
    if stage == "adapter":
        unet = read_unet(parts.needed("ordinary"))
        own = parts.own("adapter")
        budget, ring = (adapter.GPU, adapter.GPU_RING) if gpu else (adapter.CPU, adapter.CPU_RING)
        weights = read_adapter(own / adapter.FILE) if own else None
        return adapter.AdapterTask(budget, run.device, run.seed, ring, unet, weights=weights, **readers)
    follows, own = read_unet(parts.needed("teacher")), parts.begun("unet", "teacher")
    unet = read_unet(own) if own else copy.deepcopy(follows)
    budget, ring = (student.GPU, student.GPU_RING) if gpu else (student.CPU, student.CPU_RING)
    return student.StudentTask(budget, run.device, run.seed, ring, unet, teacher=follows, **readers)


def put_together(run: Run, out: Path, stage: str) -> Path:
    """Assemble the embedded pipeline in `out`, or, after a stage of ORDINARY, that UNet's folder: from what was trained, and from
    what the run started from for the rest.
    """
    from mmsteer.world.models.assembly import assemble, assemble_ordinary

    if stage in ORDINARY:
        return assemble_ordinary({name: run.parts.needed(name) for name in ORDINARY}, out)
    for name in SHIPPED:
        part = run.parts.needed(name)
        if part.parent != run.parts.trained:
            shutil.copytree(part, run.parts.trained / name)
    return assemble(run.parts.trained, out)
