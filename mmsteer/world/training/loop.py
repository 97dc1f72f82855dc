"""One training loop for every model of the world: time-boxed, seeded, resumable after a kill at any moment.

Each step draws its randomness from seed and step alone, so with a box of steps a resumed run takes the same steps as an
uninterrupted one. A `Task` knows its model and its loss; the loop knows neither. No step waits for the device: figures
are fetched about once a minute.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mmsteer.errors import SteerError
from mmsteer.world.training.checkpoint import Progress, load, save
from mmsteer.world.training.optimizers import adamw

SHEETS = 8  # sample sheets a box


@dataclass(frozen=True)
class Budget:
    """Batch size, learning rate and what goes with them."""

    batch: int
    rate: float
    """Peak learning rate."""
    warm: int = 100
    """Steps of warm-up, over which the rate rises linearly."""
    decay: float = 0.6
    """Share of the box, at its end, over which the rate falls linearly to zero."""
    average: float = 0.0
    """Decay of the running average of the weights that is exported; 0: export the weights themselves."""
    weight_decay: float = 0.01


@dataclass(frozen=True)
class Box:
    """When training ends: after a number of minutes, over all resumptions, or after a number of steps.

    SteerError unless exactly one is given, above 0.
    """

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise SteerError("give either --minutes or --steps")
        for name, value in (("minutes", self.minutes), ("steps", self.steps)):
            if value is not None and not 0 < value < float("inf"):
                raise SteerError(f"--{name} must be above 0, not {value}")

    def share(self, progress: Progress) -> float:
        """How much of the box is used: 0 at the start, 1 at the end."""
        if self.steps is not None:
            return progress.step / self.steps
        assert self.minutes is not None
        return progress.seconds / (60 * self.minutes)


def rate(budget: Budget, step: int, share: float) -> float:
    """The learning rate of a step taken when `share` of the box is used: warm-up, constant, linear decay to zero."""
    return budget.rate * min(1.0, (step + 1) / budget.warm, max(0.0, (1 - share) / budget.decay))


class Task:
    """A model in training: what the loop needs to know of it."""

    name: str
    model: nn.Module
    rollout = 1
    """Steps that depend on one another: neither a checkpoint nor the end falls between them."""

    def __init__(self, budget: Budget, device: torch.device, seed: int) -> None:
        self.budget, self.device, self.seed = budget, device, seed
        torch.manual_seed(seed)  # of the initial weights

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """The optimizers; the loop sets all their rates from `budget`."""
        return [adamw(self.model.named_parameters(), self.budget.rate, self.budget.weight_decay)]

    def begin(self, step: int) -> None:
        """Prepare for the steps from `step` on."""

    def losses(self, step: int, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """The terms of the loss of one batch, by name; the loop minimises their sum.

        Args:
            step: The step.
            rng: Draws on the CPU; with `generator`, the only source of randomness.
            generator: Draws on the task's device.
        """
        raise NotImplementedError

    def samples(self, path: Path) -> dict[str, float]:
        """Figures that show how good the model is, by name; some tasks also write a picture to `path`."""
        return {}

    def export(self, folder: Path) -> None:
        """Write the finished model to a subfolder of `folder`, in the layout that stock libraries read."""
        raise NotImplementedError

    def end(self) -> None:
        """Stop what `begin` started."""


class _Average:
    """A running average of a model's trained weights, which works better than the weights themselves."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad and decay]
        self._decay = decay
        self._live: list[torch.Tensor] = [p for _, p in named]
        self.tensors = {name: p.detach().clone() for name, p in named}

    @torch.no_grad()
    def update(self, step: int) -> None:
        # a constant decay would keep too much of the first steps
        decay = min(self._decay, (step + 1) / (step + 10))
        if self.tensors:
            torch._foreach_lerp_(list(self.tensors.values()), self._live, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the average and the weights."""
        for average, live in zip(self.tensors.values(), self._live, strict=True):
            weights = live.clone()
            live.copy_(average)
            average.copy_(weights)


class _Run:
    """One task in training."""

    def __init__(self, task: Task, folder: Path, box: Box, clock: Callable[[], float]) -> None:
        self.task, self.folder, self.box, self.clock = task, folder, box, clock
        self.model = task.model.train()
        self.optimizers = task.optimizers()
        self.average = _Average(self.model, task.budget.average)
        start = load(self._checkpoint, self.model, self.optimizers, self.average.tensors)
        self.step, self._before, self._began = start.step, start.seconds, clock()
        self._sheets, self._line = int(SHEETS * box.share(start)), (start.step, start.seconds)
        self._recent: dict[str, torch.Tensor] = {}

    @property
    def _checkpoint(self) -> Path:
        return self.folder / f"{self.task.name}.safetensors"

    @property
    def progress(self) -> Progress:
        return Progress(self.step, self._before + self.clock() - self._began)

    def advance(self, share: float) -> None:
        """Take one step."""
        task = self.task
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate(task.budget, self.step, share)
        generator = torch.Generator(task.device).manual_seed(task.seed * 1_000_003 + self.step)
        parts = task.losses(self.step, np.random.default_rng((task.seed, self.step)), generator)
        self.model.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(parts.values())).sum())
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self.average.update(self.step)
        for name, part in parts.items():
            part = part.detach()
            self._recent[name] = self._recent[name] + part if name in self._recent else part

    def report(self) -> None:
        """Write a checkpoint and a line of the log; a few times a box also evaluate samples."""
        progress, (step, seconds) = self.progress, self._line
        if progress.step == step:
            return
        steps = progress.step - step
        losses = {name: float(total) / steps for name, total in self._recent.items()}
        if not all(np.isfinite(value) for value in losses.values()):
            raise SteerError(
                f"{self.task.name}: the loss is no longer finite at step {progress.step} ({losses}): run again to resume "
                "from the last checkpoint, or with another --seed"
            )
        save(self._checkpoint, progress, self.model, self.optimizers, self.average.tensors)
        share = self.box.share(progress)
        figures = self._samples() if int(SHEETS * share) > self._sheets or share >= 1 else {}
        self._sheets = int(SHEETS * share)
        line = {
            "step": progress.step, "minutes": round(progress.seconds / 60, 2),
            **{name: round(value, 4) for name, value in losses.items()},
            "pictures_per_s": round(steps * self.task.budget.batch / max(1e-9, progress.seconds - seconds), 1),
            **{name: round(value, 4) for name, value in figures.items()},
        }  # fmt: skip
        left = max(0.0, progress.seconds * (1 / share - 1) / 60)
        text = "  ".join(f"{name.replace('_per_', '/')} {value}" for name, value in line.items())
        print(f"{self.task.name}  {text}  minutes left {left:.1f}", flush=True)
        with (self.folder / f"{self.task.name}.log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._line, self._recent = (self.step, self.progress.seconds), {}

    def _samples(self) -> dict[str, float]:
        folder = self.folder / f"{self.task.name}-samples"
        self.average.swap()
        self.model.eval()
        with torch.no_grad():
            figures = self.task.samples(folder / f"{self.step:07d}.png")
        self.model.train()
        self.average.swap()
        return figures


def train(task: Task, folder: Path, box: Box, every: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
    """Train until the box is used up, then export.

    Run again after a kill, it resumes from the last checkpoint with the rest of the box; a finished run goes on in a
    larger box.

    Args:
        task: What to train.
        folder: Gets checkpoints, the log (`<name>.log.jsonl`), samples (`<name>-samples/`) and the model (`export/`).
        box: When to end.
        every: Seconds between checkpoints.
        clock: The time, in seconds.

    Raises:
        SteerError: If a checkpoint is damaged or the loss is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(task, folder, box, clock)
    task.begin(run.step)
    try:
        reported = clock()
        while (share := box.share(run.progress)) < 1 or run.step % task.rollout:
            run.advance(share)
            if clock() - reported > every and not run.step % task.rollout and box.share(run.progress) < 1:
                run.report()
                reported = clock()
        run.report()
    finally:
        task.end()
    run.average.swap()
    run.model.eval()
    task.export(folder / "export")
