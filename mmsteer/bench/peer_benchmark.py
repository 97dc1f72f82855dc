"""The peer benchmark: how fast other packages train dictionaries of the same size, and how fast mmsteer does.

Each package trains in a process of its own with one thread (`peers.py`), under the interpreter of an environment it is
installed in. Rounds are taken in turn and counted in processor time.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

from mmsteer.bench import peers
from mmsteer.errors import SteerError

_ROOT = str(Path(__file__).resolve().parents[2])
Process = subprocess.Popen[str]


def measure(python: Path, rounds: int) -> list[dict[str, Any]]:
    """Compare the packages' training steps.

    Args:
        python: Interpreter of an environment with the other packages. SteerError if it is missing.
        rounds: Timed rounds of `peers.STEPS` steps for each package.

    Returns:
        One row for each package: rows a second of processor time, and the ratio to the fastest other package. A package
        that cannot be imported has a row with the reason.
    """
    if not python.is_file():
        raise SteerError(
            f"there is no interpreter {python}: give the bin/python of an environment with the other packages"
        )
    running: dict[str, Process] = {}
    absent = []
    for name in peers.PACKAGES:
        process = _start(name, python)
        ready = process.stdout.readline() if process.stdout else ""
        if ready:
            running[f"{name} {json.loads(ready)['version']}".strip()] = process
        else:
            reason = _last_line(process)
            absent.append({"package": name, "rows/s": "absent", "of the fastest other": reason})
    times: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, process in running.items():
            times[name].append(_time_round(process))
    for process in running.values():
        process.communicate()
    return _rates(times) + absent


def _rates(times: dict[str, list[float]]) -> list[dict[str, Any]]:
    rates = {name: peers.STEPS * peers.BATCH / statistics.median(seconds) for name, seconds in times.items()}
    fastest = max((rate for name, rate in rates.items() if not name.startswith("mmsteer")), default=None)
    return [
        {"package": name, "rows/s": round(rate), "of the fastest other": "-" if fastest is None else f"{rate / fastest:.2f}"}
        for name, rate in rates.items()
    ]  # fmt: skip


def _start(name: str, python: Path) -> Process:
    """A process of `peers.py` for one package: mmsteer under this interpreter, others under `python`."""
    ours = name.startswith("mmsteer")
    command = [sys.executable if ours else str(python), "-P", "-W", "ignore", peers.__file__, name]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **({"PYTHONPATH": _ROOT} if ours else {})}
    return subprocess.Popen(command, env=environment, text=True, stdin=PIPE, stdout=PIPE, stderr=PIPE)


def _time_round(process: Process) -> float:
    """Let a process train for one round; the seconds of processor time it took."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise SteerError(f"training ended early: {_last_line(process)}")
    return float(json.loads(answer))


def _last_line(process: Process) -> str:
    """The last line of a process that has ended on standard error: what stopped it."""
    return "".join(process.communicate()[1].strip().splitlines()[-1:])
