"""Processes that prepare the batches of coming steps while the device computes the present one.

Each batch follows from its number alone, so neither the number of workers nor their speed changes what a run trains on.
"""

import itertools
import multiprocessing
import queue
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mmsteer.errors import SteerError

Arrays = dict[str, np.ndarray]
_AHEAD = 4  # batches that each worker may have waiting
_TIMEOUT = 5.0  # seconds between checks that the other side is still alive


def _work(compute: Callable[[int], Arrays], batches: Any, first: int, stride: int) -> None:
    """A worker: computes every `stride`-th batch from `first` on until the training process ends."""
    torch.set_num_threads(1)
    trainer = multiprocessing.parent_process()
    for number in itertools.count(first, stride):
        batch = compute(number)
        while True:
            try:
                batches.put(batch, timeout=_TIMEOUT)
                break
            except queue.Full:
                if trainer is None or not trainer.is_alive():  # killed, so it could not stop this worker
                    batches.cancel_join_thread()  # nobody will read what is queued
                    return


class Workers:
    """Computes batches by number in processes beside this one.

    Args:
        compute: The batch of a number; must be picklable.
        count: Number of processes; 0: compute in this one.
    """

    def __init__(self, compute: Callable[[int], Arrays], count: int) -> None:
        self._compute, self.count = compute, count
        self._running: list[tuple[Any, Any]] = []

    def start(self, first: int) -> None:
        """Start the processes; the first call of `get` must ask for the number `first`."""
        context = multiprocessing.get_context("spawn")
        for k in range(self.count):
            batches = context.Queue(_AHEAD)
            # worker k computes the numbers that leave the remainder k when divided by the count
            start = first + (k - first) % self.count
            process = context.Process(target=_work, args=(self._compute, batches, start, self.count), daemon=True)
            process.start()
            self._running.append((process, batches))

    def get(self, number: int) -> Arrays:
        """The batch of a number; numbers must be asked for in order. SteerError if the process that computes it has died."""
        if not self._running:
            return self._compute(number)
        process, batches = self._running[number % self.count]
        while True:
            try:
                batch: Arrays = batches.get(timeout=_TIMEOUT)
                return batch
            except queue.Empty:
                if not process.is_alive():
                    raise SteerError(
                        "a process that writes captions has ended (its own message is above): run again to resume from "
                        "the last checkpoint, or pass --workers 0"
                    ) from None

    def stop(self) -> None:
        """Stop the processes."""
        for process, _ in self._running:
            process.terminate()
        self._running = []


def on_device(arrays: Arrays, device: torch.device) -> dict[str, torch.Tensor]:
    """Arrays as tensors on a device, copied there asynchronously."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if device.type == "cuda":
        tensors = {name: tensor.pin_memory() for name, tensor in tensors.items()}
    return {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}
