"""The stages of training the world's models, in order: which task each runs, on what budget, from which other models."""

import copy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsteer.errors import SteerError, first_line

if TYPE_CHECKING:
    import torch

    from mmsteer.world.training.loop import Box, Task
    from mmsteer.world.training.trained import TrainedParts

STAGES = {"clip": 0.20, "autoencoder": 0.25, "judge": 0.05, "teacher": 0.35, "student": 0.15}
"""Stages of `all` in order, each with its share of the minutes."""
ORDINARY = "ordinary", "adapter"
"""Stages outside `all`: a UNet that is not trained to be steered, and its image adapter."""
SHIPPED = "clip", "vae", "unet", "judge"  # parts of the embedded pipeline


@dataclass(frozen=True)
class Run:
    """One call of `world train`."""

    work: Path
    """Gets checkpoints and samples, and finished models in its `export/`."""
    start: Path | None
    """Folder of trained models to start from; None: random weights."""
    device: "torch.device"
    seed: int = 0
    workers: int = 0
    """Processes that write captions."""
    decoder_only: bool = False
    """Freeze the autoencoder's encoder."""
    small: bool = False
    """Train a UNet of the shape of assets/ordinary."""

    @property
    def parts(self) -> "TrainedParts":
        """Where trained models are."""
        from mmsteer.world.training.trained import TrainedParts

        return TrainedParts(self.work / "export", self.start)


def open_device(name: str) -> "torch.device":
    """The device of a name; SteerError if this machine has none."""
    import torch

    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SteerError(f"--device {name}: not available ({first_line(error)}); cpu always is") from None
    return device


def boxes(stage: str, minutes: float | None, steps: int | None) -> "Iterator[tuple[str, Box]]":
    """Each stage to train with its box. `all` divides the minutes by `STAGES` and gives each stage the same steps."""
    from mmsteer.world.training.loop import Box

    if stage in ORDINARY:
        yield stage, Box(minutes, steps)
    for name, share in STAGES.items():
        if stage in (name, "all"):
            yield name, Box(minutes if minutes is None or stage != "all" else share * minutes, steps)


def build(stage: str, run: Run) -> "Task":
    """The task of a stage, ready to be trained. SteerError names a part that is missing or damaged."""
    import torch

    from mmsteer.world.models.autoencoder import Shape
    from mmsteer.world.models.growth import grow
    from mmsteer.world.models.judge import Judge
    from mmsteer.world.models.parts import read_autoencoder, read_clip
    from mmsteer.world.training.tasks import autoencoder, clip, judge

    torch.manual_seed(run.seed)
    gpu, parts = run.device.type != "cpu", run.parts
    if stage == "clip":
        initial = parts.initial("clip")
        readers = read_clip(initial) if initial else (None, None)
        return clip.ClipTask(clip.GPU if gpu else clip.CPU, run.device, run.seed, run.workers, *readers)
    if stage == "autoencoder":
        initial = parts.require("vae") if run.decoder_only and run.start is None else parts.initial("vae")
        vae = grow(read_autoencoder(initial), Shape()) if initial else None
        budget, schedule = (autoencoder.GPU, autoencoder.GPU_POOL) if gpu else (autoencoder.CPU, autoencoder.CPU_POOL)
        return autoencoder.AutoencoderTask(budget, run.device, run.seed, schedule, vae, run.decoder_only)
    if stage == "judge":
        initial = parts.initial("judge")
        old = Judge.load(initial) if initial else None
        return judge.JudgeTask(judge.GPU if gpu else judge.CPU, run.device, run.seed, old)
    return _build_unet_task(stage, run, parts)


def _build_unet_task(stage: str, run: Run, parts: "TrainedParts") -> "Task":
    from mmsteer.models.image_adapter import read_adapter
    from mmsteer.world.models.adapter import FILE
    from mmsteer.world.models.parts import read_autoencoder, read_clip, read_unet
    from mmsteer.world.models.unet import FULL, SMALL, build_unet
    from mmsteer.world.training.tasks import adapter, ordinary, student, teacher

    readers: dict[str, Any] = dict(zip(("clip", "tokenizer"), read_clip(parts.require("clip")), strict=True))
    readers |= {"vae": read_autoencoder(parts.require("vae")), "workers": run.workers}
    gpu = run.device.type != "cpu"
    if stage in ("teacher", "ordinary"):
        shipped = stage == "teacher" and not run.small  # assets/mini has a UNet of that shape to start from
        initial = parts.initial("teacher", "unet") if shipped else parts.optional(stage)
        unet = read_unet(initial) if initial else build_unet(SMALL if run.small else FULL)
        task = teacher.TeacherTask if stage == "teacher" else ordinary.OrdinaryTask
        budget, schedule = (teacher.GPU, teacher.GPU_POOL) if gpu else (teacher.CPU, teacher.CPU_POOL)
        return task(budget, run.device, run.seed, schedule, unet, **readers)
    if stage == "adapter":
        unet = read_unet(parts.require("ordinary"))
        initial = parts.optional("adapter")
        budget, schedule = (adapter.GPU, adapter.GPU_POOL) if gpu else (adapter.CPU, adapter.CPU_POOL)
        weights = read_adapter(initial / FILE) if initial else None
        return adapter.AdapterTask(budget, run.device, run.seed, schedule, unet, weights=weights, **readers)
    teacher_unet, initial = read_unet(parts.require("teacher")), parts.initial("unet", "teacher")
    unet = read_unet(initial) if initial else copy.deepcopy(teacher_unet)
    budget, schedule = (student.GPU, student.GPU_POOL) if gpu else (student.CPU, student.CPU_POOL)
    return student.StudentTask(budget, run.device, run.seed, schedule, unet, teacher=teacher_unet, **readers)


def assemble_trained(run: Run, out: Path, stage: str) -> Path:
    """Assemble what was trained: the embedded pipeline, or after a stage of `ORDINARY` that UNet's folder.

    Parts that were not trained come from the folder the run started from.

    Args:
        run: The run.
        out: Folder to replace.
        stage: The stage that was trained, or `all`.

    Returns:
        `out`.
    """
    from mmsteer.world.models.assembly import assemble, assemble_ordinary

    if stage in ORDINARY:
        return assemble_ordinary({name: run.parts.require(name) for name in ORDINARY}, out)
    for name in SHIPPED:
        part = run.parts.require(name)
        if part.parent != run.parts.trained:
            shutil.copytree(part, run.parts.trained / name)
    return assemble(run.parts.trained, out)
