"""Processes that word the batches of coming steps while the device computes the present one.

Each step's batch follows from its number alone, so neither how many workers there are nor which is fastest changes what
a run trains on.
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
_PATIENCE = 5.0  # seconds between looks at whether the other side is still there


def _work(make: Callable[[int], Arrays], batches: Any, first: int, stride: int) -> None:
    """A worker: every `stride`-th batch from `first` on, until the trainer is gone."""
    torch.set_num_threads(1)
    trainer = multiprocessing.parent_process()
    for number in itertools.count(first, stride):
        batch = make(number)
        while True:
            try:
                batches.put(batch, timeout=_PATIENCE)
                break
            except queue.Full:
                if trainer is None or not trainer.is_alive():  # killed: it could not stop us
                    batches.cancel_join_thread()  # nor will it read what is waiting
                    return


class Workers:
    """What `make` makes of each number, in `count` processes beside this one, or in this one if there are none.

    `make` must survive pickling. Numbers are asked for in their order, from the one given to `start` on.
    """

    def __init__(self, make: Callable[[int], Arrays], count: int) -> None:
        self._make, self.count = make, count
        self._running: list[tuple[Any, Any]] = []

    def start(self, first: int) -> None:
        """Begin with a number."""
        context = multiprocessing.get_context("spawn")
        for k in range(self.count):
            batches = context.Queue(_AHEAD)
            # worker k makes the numbers that leave k when divided by the count
            begin = first + (k - first) % self.count
            process = context.Process(target=_work, args=(self._make, batches, begin, self.count), daemon=True)
            process.start()
            self._running.append((process, batches))

    def get(self, number: int) -> Arrays:
        """The batch of a number; SteerError if the process that makes it has died."""
        if not self._running:
            return self._make(number)
        process, batches = self._running[number % self.count]
        while True:
            try:
                return batches.get(timeout=_PATIENCE)
            except queue.Empty:
                if not process.is_alive():
                    raise SteerError(
                        "a process that words captions has ended (its own message stands above): run again, it goes "
                        "on from the last checkpoint, or pass --workers 0"
                    ) from None

    def stop(self) -> None:
        """End the processes."""
        for process, _ in self._running:
            process.terminate()
        self._running = []


def on_device(arrays: Arrays, device: torch.device) -> dict[str, torch.Tensor]:
    """Arrays as tensors on a device, copied there without waiting."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if device.type == "cuda":
        tensors = {name: tensor.pin_memory() for name, tensor in tensors.items()}
    return {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}
