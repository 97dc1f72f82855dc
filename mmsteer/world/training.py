"""One training loop for every model of the world: seeded, resumable after a kill at any moment, with progress and samples.

Each step draws its randomness from (seed, step) alone, so a resumed run takes the very steps an unbroken one would.
A `Task` knows its model and its loss; the loop knows neither.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True)
class Budget:
    """How long and how hard to train."""

    steps: int
    batch: int
    rate: float
    """Peak learning rate of AdamW."""
    decay: float = 0.25
    """Share of the steps, at the end, over which the rate falls linearly to zero."""
    average: float = 0.0
    """Decay of the running average of the weights; 0 keeps none and ships the weights themselves."""
    weight_decay: float = 0.01


def adamw(parameters: Iterable[nn.Parameter], budget: Budget) -> torch.optim.Optimizer:
    """AdamW as every model of the world uses it."""
    return torch.optim.AdamW(parameters, lr=budget.rate, betas=(0.9, 0.98), weight_decay=budget.weight_decay)


class MatrixMuon(torch.optim.Muon):
    """Muon (Jordan et al., 2024) for weights of any rank: a convolution is stepped as the matrix `[out, in * k * k]`.

    The matrices are views of the weights, so convolutions must be stored channels-last.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], budget: Budget) -> None:
        self._weights = list(parameters)
        views = [nn.Parameter(_matrix(p.data)) for p in self._weights]
        super().__init__(views, lr=budget.rate, weight_decay=budget.weight_decay, adjust_lr_fn="match_rms_adamw")
        self._views = views

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for view, weight in zip(self._views, self._weights, strict=True):
            assert weight.grad is not None
            view.grad = _matrix(weight.grad)
        super().step()


def _matrix(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.ndim == 2 else tensor.permute(0, 2, 3, 1).flatten(1)


class Task:
    """What the loop needs of a model in training."""

    name: str
    budget: Budget
    model: nn.Module

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """What moves the weights; every rate in it follows `budget`."""
        return [adamw(self.model.parameters(), self.budget)]

    def loss(self, rng: np.random.Generator, generator: torch.Generator) -> torch.Tensor:
        """The loss of one batch of `budget.batch`, all randomness from the two generators."""
        raise NotImplementedError

    def samples(self, folder: Path, step: int) -> None:
        """Write a picture that shows how far it is."""

    def export(self, folder: Path) -> None:
        """Write the finished model where the world's pipeline is assembled."""
        raise NotImplementedError


def _rate(budget: Budget, step: int) -> float:
    warm = min(1.0, (step + 1) / 100)
    left = (budget.steps - step) / max(1, budget.steps * budget.decay)
    return budget.rate * min(warm, max(0.0, min(1.0, left)))


def _save(path: Path, task: Task, optimizers: list[Any], average: dict[str, torch.Tensor], step: int) -> None:
    from safetensors.torch import save_file

    tensors = {f"model.{k}": v.contiguous() for k, v in task.model.state_dict().items()}
    tensors |= {f"average.{k}": v.contiguous() for k, v in average.items()}
    for n, optimizer in enumerate(optimizers):
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{n}.{i}.{k}": torch.as_tensor(v).contiguous() for k, v in state.items()}
    partial = path.with_suffix(".partial")
    save_file({k: v.clone() for k, v in tensors.items()}, partial, metadata={"step": str(step)})
    os.replace(partial, path)


def _load(path: Path, task: Task, optimizers: list[Any], average: dict[str, torch.Tensor]) -> int:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        step = int(file.metadata()["step"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    task.model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
    average.update({k[8:]: v for k, v in tensors.items() if k.startswith("average.")})
    for n, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith(f"optimizer.{n}."):
                i, name = key.split(".")[2:]
                state.setdefault(int(i), {})[name] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return step


@contextmanager
def first_process_first() -> Iterator[bool]:
    """Whether this process is the first; under `torchrun` the others wait until what it writes is there for them."""
    rank, ranks = _join()
    if rank > 0:
        dist.barrier()
    yield rank == 0
    if rank == 0 and ranks > 1:
        dist.barrier()


def _join() -> tuple[int, int]:
    """This process's number and the count of processes, joined if `torchrun` started it."""
    if "WORLD_SIZE" not in os.environ:
        return 0, 1
    if not dist.is_initialized():
        dist.init_process_group("gloo")
    return dist.get_rank(), dist.get_world_size()


def _average_gradients(model: nn.Module, ranks: int) -> None:
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    parts = (flat / ranks).split([g.numel() for g in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view(gradient.shape))


def use_average(task: Task, average: dict[str, torch.Tensor]) -> Callable[[], None]:
    """Put the averaged weights in place; call the result to put the live ones back."""
    live = {k: v.clone() for k, v in task.model.state_dict().items()}
    task.model.load_state_dict({**live, **average})
    return lambda: task.model.load_state_dict(live) and None


def train(task: Task, folder: Path, seed: int, device: str = "cpu", every: float = 60.0) -> None:
    """Train until `task.budget.steps`, keeping a checkpoint in `folder` about every `every` seconds; then export.

    Run again after a kill, it goes on from the last checkpoint. Progress goes to standard output and to
    `<name>.log.jsonl`; samples to `<name>-samples/`. Under `torchrun` each process takes its own batch of every step,
    and the first one keeps the files.
    """
    rank, ranks = _join()
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = folder / f"{task.name}.safetensors", folder / f"{task.name}.log.jsonl"
    budget, model = task.budget, task.model.to(device).train()
    optimizers = task.optimizers()
    floats = {k: v for k, v in model.state_dict().items() if v.is_floating_point()} if budget.average else {}
    average = {k: v.detach().clone() for k, v in floats.items()}
    step = _load(checkpoint, task, optimizers, average) if checkpoint.is_file() else 0
    began, first, saved, recent = time.monotonic(), step, time.monotonic(), []
    while step < budget.steps:
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = _rate(budget, step)
        generator = torch.Generator().manual_seed((seed + 7919 * rank) * 1_000_003 + step)
        loss = task.loss(np.random.default_rng((seed, step, rank)), generator)
        model.zero_grad(set_to_none=True)
        loss.backward()
        if ranks > 1:
            _average_gradients(model, ranks)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        if average:
            # the first steps would otherwise weigh on the average for ever
            keep = min(budget.average, (step + 1) / (step + 10))
            with torch.no_grad():
                for k, v in model.state_dict().items():
                    if k in average:
                        average[k].lerp_(v, 1 - keep)
        recent.append(loss.item())
        if rank == 0 and (time.monotonic() - saved > every or step == budget.steps):
            rate = (step - first) / (time.monotonic() - began)
            line = {
                "step": step,
                "loss": round(float(np.mean(recent)), 5),
                "per_s": round(rate * budget.batch * ranks, 1),
            }
            left = (budget.steps - step) / rate / 60
            print(
                f"{task.name} {step}/{budget.steps}  loss {line['loss']}  {line['per_s']} pairs/s  {left:.0f} min left",
                flush=True,
            )
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            _save(checkpoint, task, optimizers, average, step)
            restore = use_average(task, average)
            model.eval()
            task.samples(folder / f"{task.name}-samples", step)
            model.train()
            restore()
            saved, recent = time.monotonic(), []
    with first_process_first() as first_process:
        if first_process:
            use_average(task, average)
            model.eval()
            task.export(folder / "export")
