"""Several processes that work as one, started by `accelerate launch` or torchrun and connected by accelerate.

All processes call the same functions in the same order. Rows and random numbers are those of a single process: every process
draws the same batch and takes its share. Without a launcher nothing is connected, and accelerate is not even imported.
"""

import os
from typing import Any

import torch
import torch.distributed as dist


def join(device: str) -> str:
    """Connect to the other processes, if a launcher started several.

    Args:
        device: The device asked for: `cpu`, `cuda` or `mps`.

    Returns:
        The device of this process: `cuda:1` for the second process on a machine with GPUs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return device
    state = _state(cpu=device == "cpu")
    return device if device == "cpu" else str(state.device)


def _connected() -> bool:
    return dist.is_available() and dist.is_initialized()


def _state(cpu: bool | None = None) -> Any:
    """The state of all processes, shared by all calls; the first call connects them."""
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available() if cpu is None else cpu)


def count() -> int:
    """The number of processes."""
    return int(_state().num_processes) if _connected() else 1


def rank() -> int:
    """This process's number. The first one, 0, prints and writes manifests."""
    return int(_state().process_index) if _connected() else 0


def wait() -> None:
    """Wait until all processes have come this far."""
    if _connected():
        _state().wait_for_everyone()


def leave() -> None:
    """Disconnect, once all have come this far: one that goes alone breaks connections that others still use."""
    if _connected():
        wait()
        dist.destroy_process_group()


def share(x: torch.Tensor) -> torch.Tensor:
    """This process's rows of `x`, which every process has."""
    return x[rank() :: count()] if _connected() else x


def all_reduce(x: torch.Tensor) -> torch.Tensor:
    """The sum of `x` over all processes, written into `x`."""
    if _connected():
        from accelerate.utils import reduce

        x.copy_(reduce(_reachable(x), "sum"))
    return x


def gather(x: torch.Tensor) -> torch.Tensor:
    """All processes' `x [n]`, of one length, as `[n * processes]`."""
    if not _connected():
        return x
    from accelerate.utils import gather as gather_all

    everyone: torch.Tensor = gather_all(_reachable(x))
    return everyone.to(x.device)


def broadcast(x: torch.Tensor, sender: int = 0) -> torch.Tensor:
    """The sender's `x`, written into `x`. Sent even where all compute the same: processors may differ in the last digit."""
    if _connected():
        from accelerate.utils import broadcast as broadcast_all

        x.copy_(broadcast_all(_reachable(x), sender))
    return x


def _reachable(x: torch.Tensor) -> torch.Tensor:
    """`x`, contiguous, on the device by which the processes exchange tensors."""
    return x.contiguous().to(_state().device)
