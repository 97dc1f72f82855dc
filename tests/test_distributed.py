"""Processes that work as one: what each function gives in two processes, and that a single one connects nothing."""

import os
import subprocess
import sys
from pathlib import Path

import torch

from mmsteer import distributed

JOB = """
import torch
from mmsteer import distributed
assert distributed.join("cpu") == "cpu"
rank = distributed.rank()
x = torch.arange(5.0)
assert distributed.count() == 2
assert distributed.share(x).tolist() == ([0, 2, 4] if rank == 0 else [1, 3])
one = torch.full((2, 2), rank + 1.0).T[:, :1]  # not contiguous
assert distributed.all_reduce(one) is one and one.tolist() == [[3], [3]]
assert distributed.gather(torch.tensor([rank, 7])).tolist() == [0, 7, 1, 7]
mine = torch.full((3,), float(rank))
assert distributed.broadcast(mine) is mine and mine.tolist() == [0, 0, 0]
distributed.leave()
print(f"process {rank} is done\\n", end="", flush=True)  # one write: the lines of two processes must not mix
"""
ALONE = """
import sys
from mmsteer import distributed
assert distributed.join("cpu") == "cpu"
distributed.wait()
distributed.leave()
print(distributed.count(), distributed.rank(), "accelerate" in sys.modules)
"""


def run(command: list[str]) -> str:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_exchange_tensors(tmp_path):
    (tmp_path / "job.py").write_text(JOB)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d"]
    output = run([*launch, "--rdzv-endpoint=localhost:0", str(tmp_path / "job.py")])
    assert sorted(output.split("\n")) == ["", "process 0 is done", "process 1 is done"]


def test_a_single_process_connects_nothing():
    assert run([sys.executable, "-c", ALONE]) == "1 0 False\n"
    x = torch.arange(3)
    functions = distributed.share, distributed.all_reduce, distributed.gather, distributed.broadcast
    assert all(function(x) is x for function in functions)
