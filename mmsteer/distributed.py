"""Several processes that train as one, where `accelerate launch` or torchrun has started them; else one that has all.

Every process calls the same things in the same order. Rows and random numbers are those of one process: each draws the
same batch and takes its share.
"""

import torch
import torch.distributed as dist


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number; the first one writes manifests and speaks."""
    return dist.get_rank() if count() > 1 else 0


def wait() -> None:
    """Until all processes are here."""
    if count() > 1:
        dist.barrier()


def share(x: torch.Tensor) -> torch.Tensor:
    """This process's rows of `x`, which every process has."""
    return x[rank() :: count()] if count() > 1 else x


def total(x: torch.Tensor) -> torch.Tensor:
    """The sum of all processes' `x`, in its place."""
    if count() > 1:
        there = _reachable(x)
        dist.all_reduce(there)
        x.copy_(there)
    return x


def gather(x: torch.Tensor) -> torch.Tensor:
    """All processes' `x [n]`, of one length, `[n * processes]`."""
    if count() == 1:
        return x
    there = _reachable(x)
    everyone = [torch.empty_like(there) for _ in range(count())]
    dist.all_gather(everyone, there)
    return torch.cat(everyone).to(x.device)


def agree(x: torch.Tensor) -> torch.Tensor:
    """The first process's `x`, in its place: computers may differ in the last digit."""
    if count() > 1:
        there = _reachable(x)
        dist.broadcast(there, 0)
        x.copy_(there)
    return x


def _reachable(x: torch.Tensor) -> torch.Tensor:
    """`x` where the processes can exchange it: contiguous, and on a GPU for NCCL, which knows nothing else."""
    x = x.contiguous()
    return x.cuda() if dist.get_backend() == "nccl" else x
