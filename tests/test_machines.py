"""Embedding on machines that share no folder, on more and fewer processes than before, in half precision, and beyond memory."""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from mmsteer.__main__ import main
from mmsteer.data.embedding import embed_pairs
from mmsteer.data.plan import DEVICE_KINDS, rented_rate
from mmsteer.data.shards import Shard, begin, finish, open_shards, read_manifest, write_shard
from mmsteer.data.sources import open_pairs
from mmsteer.data.splits import set_apart
from mmsteer.errors import SteerError

ROOT = Path(__file__).resolve().parents[1]
JOB = """
import os, sys
from pathlib import Path
import torch
from mmsteer import distributed
from mmsteer.__main__ import main
from mmsteer.data.embedding import embed_pairs
from mmsteer.data.plan import DEVICE_KINDS, rented_rate
from mmsteer.data.machines import share_out
from mmsteer.data.sources import open_pairs
from mmsteer.models.clip import Clip
torch.set_num_threads(1)
clip, home, shared = sys.argv[1:4]
device = distributed.join("cpu")
rank = os.environ.get("RANK", "0")
work = Path(home) / ("work" if shared == "shared" else f"work-{rank}")
source = open_pairs(str(Path(home) / f"tars-{rank}"))
pairs = embed_pairs(Clip(clip), source, work, shard=4, batch=4)
print(f"{rank} {len(pairs.captions)} {share_out(source, 4).readable}\\n", end="", flush=True)  # one write: lines must not mix
distributed.leave()
"""


def write_tar(path: Path, first: int, count: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for k in range(first, first + count):
            picture = io.BytesIO()
            Image.new("RGB", (32, 32), (k * 9 % 256, 100, 50)).save(picture, "PNG")
            for kind, data in (("png", picture.getvalue()), ("txt", f"picture {k}".encode())):
                info = tarfile.TarInfo(f"{k:03d}.{kind}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def launch(tmp_path: Path, clip: Path, processes: int, *args: str, job: str = JOB) -> str:
    (tmp_path / "job.py").write_text(job)
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--rdzv-backend=c10d"]
    command += ["--rdzv-endpoint=localhost:0", str(tmp_path / "job.py"), str(clip), str(tmp_path), *args]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    environment["PYTHONFAULTHANDLER"] = "1"
    environment["MALLOC_MMAP_THRESHOLD_"] = str(
        2**20
    )  # what is freed goes back at once, so that a cap counts what is used
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[:6000]  # what the job says comes before what its launcher says
    return done.stdout


def sums(work: Path) -> list[str]:
    manifest = read_manifest(work)
    assert manifest["complete"]
    return [record["sha256"] for record in manifest["shards"]]


def test_machines_with_copies_of_the_pairs_share_the_shards_and_all_get_all(clip, tmp_path):
    """The same files as of one process, bit for bit, in each machine's own folder; some were there before."""
    write_tar(tmp_path / "tars-0" / "0.tar", 0, 22)
    shutil.copytree(tmp_path / "tars-0", tmp_path / "tars-1")
    os.utime(tmp_path / "tars-1" / "0.tar", (1, 1))
    embed_pairs(clip, open_pairs(str(tmp_path / "tars-0")), tmp_path / "alone", shard=4, batch=4)
    shutil.copytree(tmp_path / "alone", tmp_path / "work-0")
    for number in (0, 3, 5):
        (tmp_path / "work-0" / f"{number:05d}.safetensors").unlink()
    output = launch(tmp_path, clip.folder, 2, "apart")
    assert sorted(output.split("\n")) == ["", "0 22 None", "1 22 None"]
    assert sums(tmp_path / "work-0") == sums(tmp_path / "work-1") == sums(tmp_path / "alone")


def test_machines_with_tars_of_their_own_are_merged_by_the_first(clip, tmp_path):
    """Nine pairs make three shards of up to four; those of the second machine come after them."""
    write_tar(tmp_path / "tars-0" / "0.tar", 0, 9)
    write_tar(tmp_path / "tars-1" / "1.tar", 9, 12)
    output = launch(tmp_path, clip.folder, 2, "apart")
    assert sorted(output.split("\n")) == ["", "0 21 9", "1 21 9"]
    assert sums(tmp_path / "work-0") == sums(tmp_path / "work-1")
    assert len(sums(tmp_path / "work-0")) == 6
    both = tmp_path / "both"
    for k in range(2):
        shutil.copytree(tmp_path / f"tars-{k}", both, dirs_exist_ok=True)
    alone = embed_pairs(clip, open_pairs(str(both)), tmp_path / "alone", batch=4)
    merged = open_shards(tmp_path / "work-0")
    assert list(merged.captions) == list(alone.captions)
    assert torch.allclose(merged.image[0:21], alone.image[0:21], atol=1e-6)
    assert merged.items.tolist() == [*range(9), *range(12, 24)]
    train, matching, scoring = set_apart(merged, 0.5, 9)  # the first machine has the pictures of no others
    assert max([*matching.items, *scoring.items]) < 9
    assert len(train.captions) + len(matching.captions) + len(scoring.captions) == 21


def test_embedding_goes_on_with_more_and_with_fewer_processes(clip, tmp_path):
    for rank in range(2):
        write_tar(tmp_path / f"tars-{rank}" / "0.tar", 0, 22)
        os.utime(tmp_path / f"tars-{rank}" / "0.tar", (1, 1))
    source, work = open_pairs(str(tmp_path / "tars-0")), tmp_path / "work"
    embed_pairs(clip, source, work, shard=4, batch=4)
    complete = sums(work)
    for lost in ((1, 2, 4), (0, 5)):
        for number in lost:
            (work / f"{number:05d}.safetensors").unlink()
        kept = {path: path.stat().st_mtime_ns for path in work.glob("*.safetensors")}
        if lost[0]:
            launch(tmp_path, clip.folder, 2, "shared")
        else:
            embed_pairs(clip, source, work, shard=4, batch=4)
        assert sums(work) == complete
        assert all(path.stat().st_mtime_ns == time for path, time in kept.items())  # not embedded twice
    assert not list(work.glob(".process*"))


def test_half_precision_takes_half_the_room(clip, dozen, tmp_path):
    whole = embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "whole")
    half = embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "half", half=True)
    assert torch.equal(half.image[0:12], whole.image[0:12].half().float())
    sizes = [(tmp_path / name / "00000.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[0] - sizes[1] == 2 * 12 * 16 * 2
    with pytest.raises(SteerError, match="embeddings of another precision: float16; this one is not stated"):
        embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "half")


TRAIN = """
import resource, sys
from pathlib import Path
import torch
from mmsteer import distributed
from mmsteer.data.shards import open_shards
from mmsteer.training.config import DictionarySizes, TrainingConfig
from mmsteer.training.groups import parse_groups
from mmsteer.training.objectives import train_dictionaries
torch.set_num_threads(1)
distributed.join("cpu")
pairs = open_shards(Path(sys.argv[2]) / "big")
groups = parse_groups("8:2,24:4")
config, sizes = TrainingConfig(20, batch_size=256), DictionarySizes(groups, groups)
few = pairs.image[:1024]
train_dictionaries("matryoshka", few, few, sizes, config)  # starts all threads
spent = int(open("/proc/self/statm").read().split()[5]) * resource.getpagesize()
_, most = resource.getrlimit(resource.RLIMIT_DATA)
resource.setrlimit(resource.RLIMIT_DATA, (spent + int(sys.argv[3]), most))
trained = train_dictionaries("matryoshka", pairs.image, pairs.text, sizes, config)
print(f"{distributed.rank()} {float(trained.image.W_dec.sum())}\\n", end="", flush=True)
resource.setrlimit(resource.RLIMIT_DATA, (most, most))  # the cap is one of training
distributed.leave()
"""


def test_two_processes_train_on_shards_that_are_larger_than_their_memory(tmp_path):
    """250 MB of vectors; each process may take 190 MB more than it has before it trains."""
    folder, count, width = tmp_path / "big", 250_000, 64
    begin(folder, {"model": {}, "source": {"name": "noise"}, "shard": count})
    generator = torch.Generator().manual_seed(0)
    for number in range(4):
        x = torch.randn(count, width, generator=generator).half()
        write_shard(folder, number, Shard(x, x.flip(0), ["x"] * count, list(range(count)), list(range(count)), [], []))
    finish(folder, complete=True)
    assert sum(path.stat().st_size for path in folder.glob("*.safetensors")) > 250e6
    output = launch(tmp_path, folder, 2, str(190 * 2**20), job=TRAIN)
    results = sorted(output.split("\n"))[1:]
    assert [line[0] for line in results] == ["0", "1"]
    assert results[0].split()[1] == results[1].split()[1]


def test_a_plan_estimates_a_rented_gpu(clip, dozen, tmp_path, capsys):
    """Twice the peak, half the time for embedding; hours times the price."""
    source = open_pairs(str(dozen))
    assert rented_rate(clip, source, "h100", 1)[0] / rented_rate(clip, source, "t4", 1)[0] == pytest.approx(989 / 65)
    assert (
        rented_rate(clip, source, "t4", 1)[0]
        > rented_rate(clip, source, "t4", 5)[0]
        > rented_rate(clip, source, "t4", 1)[0] / 5
    )
    asked = ["bank", "build", "--clip", str(clip.folder), "--pairs", str(dozen), "--plan", "--device", "cpu", "--half"]
    for kind in DEVICE_KINDS:
        assert main([*asked, "--device-kind", kind, "--price", "3600"]) == 0
        output = capsys.readouterr().out
        assert re.search(
            rf"on {kind} +[\d,]+ pictures/s at 30% of its {DEVICE_KINDS[kind]} TFLOP/s: an estimate, not measured",
            output,
        )
        minutes, seconds, cost = map(
            float, re.search(r"(\d+) min (\d+) s in all, .*, ([\d.]+) at 3600 an hour", output).groups()
        )
        assert 60 * minutes + seconds == pytest.approx(cost, abs=0.51)
