"""What a bank is built from: arguments, plans, held-out pairs, and the bank that several processes build."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from argparse import Namespace
from pathlib import Path

import checkpoints
import numpy as np
import pytest
import torch
from captioned import write_folder, write_siglip
from PIL import Image

from mmsteer.__main__ import main
from mmsteer.assets import ASSETS
from mmsteer.bank import FeatureBank
from mmsteer.data.embedding import embed_pairs
from mmsteer.data.embeddings import Embedded
from mmsteer.data.plan import measure, peak_memory
from mmsteer.data.shards import read_manifest
from mmsteer.data.sources import open_pairs
from mmsteer.data.splits import set_apart
from mmsteer.errors import SteerError
from mmsteer.training.groups import choose_groups, default_groups, format_groups, parse_groups

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def test_siglip_without_a_backbone_is_refused_before_anything_starts(clip, dozen, tmp_path, capsys):
    folder = write_siglip(tmp_path / "siglip", clip.tokenizer, False)
    asked = ["bank", "build", "--clip", str(folder), "--pairs", str(dozen), "--out", str(tmp_path / "out")]
    assert main([*asked, "--work", str(tmp_path / "work"), "--device", "cpu"]) == 2
    assert "give --backbone" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_a_backbone_is_checked_before_anything_is_embedded(clip, dozen, tiny_folder, tmp_path, capsys):
    """One is missing, one damaged, one of another CLIP, and the map of one cannot be fitted to a dozen captions."""
    damaged, turbo = shutil.copytree(tiny_folder, tmp_path / "damaged"), checkpoints.make_turbo(tmp_path / "turbo")
    (damaged / "text_encoder" / "model.safetensors").write_bytes(b"no weights")
    siglip = write_siglip(tmp_path / "siglip", clip.tokenizer, False)
    for model, backbone, message in (
        (clip.folder, tmp_path / "nowhere", "there is no backbone"),
        (clip.folder, damaged, "damaged: text_encoder/model.safetensors"),
        (clip.folder, turbo, "is not that of backbone/clip: give --clip its own, laion/CLIP-ViT-H-14"),
        (turbo / "clip", turbo, "10 captions are too few to fit the map"),
        (siglip, turbo, "10 captions are too few to fit the map"),
    ):
        asked = ["bank", "build", "--clip", str(model), "--pairs", str(dozen), "--backbone", str(backbone)]
        assert main([*asked, "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"), "--device", "cpu"]) == 2
        output = capsys.readouterr()
        assert message in output.err
        assert ("note: " in output.out) == (model == siglip)
    shutil.rmtree(tiny := shutil.copytree(tiny_folder, tmp_path / "tiny") / "unet")  # not needed: it only draws
    asked = [
        "bank",
        "build",
        "--clip",
        str(clip.folder),
        "--pairs",
        str(dozen),
        "--backbone",
        str(tiny.parent),
        "--plan",
    ]
    assert main([*asked, "--device", "cpu"]) == 0
    assert not (tmp_path / "work").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["below a file", "a file", "other things"])
def test_an_unusable_output_folder_is_refused_before_anything_is_embedded(clip, dozen, tmp_path, capsys, place):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "thesis.txt").write_text("mine")
    out = {
        "below a file": tmp_path / "file" / "bank",
        "a file": tmp_path / "file",
        "other things": tmp_path / "things",
    }[place]
    asked = ["bank", "build", "--clip", str(clip.folder), "--pairs", str(dozen), "--out", str(out)]
    assert main([*asked, "--work", str(tmp_path / "work"), "--device", "cpu"]) == 2
    output = capsys.readouterr().err
    assert ("cannot write to" if place == "below a file" else "exists and is no bank") in output
    assert not (tmp_path / "work").exists()
    assert (tmp_path / "file").read_text() == (tmp_path / "things" / "thesis.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--held-out", "1"], "give a share between 0 and 1"), (["--shard", "0"], "--shard 0: give 1 or more"),
        (["--clip", "somewhere"], "say where the bank goes: --out FOLDER"),
        (["--pairs", "nowhere", "--out", "x"], "there are no pairs at 'nowhere'"),
        (["--device", "abacus"], "there is no device 'abacus' here"),
        (["--objective", "luck"], "there is no objective 'luck': choose one of matryoshka, "),
        (["--image", "24"], "cannot read the Matryoshka groups '24'"), (["--text", "4:5"], "LATENTS:K with 0 < K <= LATENTS"),
        (["--steps", "0"], "--steps 0: give 1 or more"),
        (["--price", "1"], "give --plan --device-kind KIND"), (["--device-kind", "t4"], "give --plan --device-kind KIND"),
    ],
)  # fmt: skip
def test_impossible_arguments_are_one_clear_error(given, message, capsys):
    assert main(["bank", "build", *given]) == 2
    assert message in capsys.readouterr().err


def test_held_out_pairs_are_evenly_spread():
    n = 40
    x = torch.arange(n, dtype=torch.float32)[:, None]
    pairs = Embedded(x, x, [str(k) for k in range(n)], np.zeros((n, 0), int), np.zeros((n, 0), bool), np.arange(n))
    train, matching, scoring = set_apart(pairs, 0.2)
    assert matching.items.tolist() == [4, 14, 24, 34]
    assert scoring.items.tolist() == [9, 19, 29, 39]
    assert len(train.captions) == 32
    assert set_apart(pairs, 0.5)[1].items.tolist() == list(range(1, 40, 4))
    with pytest.raises(SteerError, match="leaves none to score on"):
        set_apart(pairs.part(0, 3), 0.2)


def write_five_captions_each(home: Path, kind: str, mixed: bool) -> tuple[str, list[str]]:
    """Twelve pictures with five captions each, in a row or all over the source; returns the source and all captions."""
    home.mkdir()
    order = np.random.default_rng(0).permutation(60) % 12 if mixed else np.arange(60) // 5
    rng = np.random.default_rng(1)
    pictures = [Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)) for _ in range(12)]
    data = []
    for number in range(12):
        pictures[number].save(home / f"{number}.png")
        data.append((home / f"{number}.png").read_bytes())
    captions = [f"words {k} of picture {number}" for k, number in enumerate(order)]
    pairs = list(zip(order.tolist(), captions, strict=True))
    if kind == "csv":
        rows = ["file_name,text", *(f"{number}.png,{caption}" for number, caption in pairs)]
        (home / "metadata.csv").write_text("\n".join(rows))
    elif kind == "jsonl":
        rows = [json.dumps({"file_name": f"{number}.png", "text": caption}) for number, caption in pairs]
        (home / "metadata.jsonl").write_text("\n".join(rows))
    elif kind == "parquet":
        pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        table = pyarrow.table(
            {"image": [data[number] for number, _ in pairs], "text": [caption for _, caption in pairs]}
        )
        parquet.write_table(table, home / "0.parquet")
    else:  # the same picture under several names
        for number in range(12):
            (home / f"{number}.png").unlink()
        (home / "x").mkdir()
        for k, (number, caption) in enumerate(pairs):
            (home / "x" / f"{k:02d}.png").write_bytes(data[number])
            (home / "x" / f"{k:02d}.txt").write_text(caption)
        if kind == "tar":
            with tarfile.open(home / "0.tar", "w") as tar:
                for path in sorted((home / "x").iterdir()):
                    tar.add(path, path.name)
            return str(home / "0.tar"), captions
    return str(home), captions


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "folder", "tar"])
def test_captions_of_one_picture_stay_in_one_split(clip, tmp_path, kind, mixed):
    source, captions = write_five_captions_each(tmp_path / "p", kind, mixed)
    pairs = embed_pairs(clip, open_pairs(source), tmp_path / "e", shard=16, batch=8)
    parts = set_apart(pairs, 0.2)
    assert sorted(caption for part in parts for caption in part.captions) == sorted(captions)
    seen = [{caption.split()[-1] for caption in part.captions} for part in parts]
    assert all(seen)
    assert sum(map(len, seen)) == 12
    assert all(len(part.captions) == 5 * len(pictures) for part, pictures in zip(parts, seen, strict=True))


def test_default_groups_grow_with_the_space_and_shrink_with_the_pairs():
    assert default_groups(512, 1_000_000) == ("256:8,3840:24",) * 2
    assert default_groups(512, 800) == ("6:3,94:12",) * 2
    assert default_groups(768, 10) == ("4:2,12:2",) * 2


def test_the_shipped_bank_has_the_groups_that_a_build_for_the_world_takes():
    bank = FeatureBank.load(ASSETS / "banks" / "mini")
    image, text = choose_groups(Namespace(image=None, text=None), 128, 30_000, known=True)
    assert bank.meta["levels"] == {"image": image, "text": text}
    assert [format_groups(parse_groups(written)) for written in (image, text)] == [image, text]
    assert choose_groups(Namespace(image="8:2", text=None), 128, 30_000, known=True) == ("8:2", text)


def test_a_plan_measures_and_writes_nothing(clip, dozen, tmp_path, capsys):
    result = measure(clip, open_pairs(str(dozen)), batch=4, least_seconds=0)
    assert (result.items, result.width) == (12, 16)
    letters = np.mean([len(path.read_text()) for path in sorted(dozen.glob("*.txt"))[:8]])
    assert result.bytes_per_pair == pytest.approx(2 * 16 * 4 + letters + 16)
    asked = [
        "bank",
        "build",
        "--clip",
        str(clip.folder),
        "--pairs",
        str(dozen),
        "--work",
        str(tmp_path / "w"),
        "--plan",
    ]
    assert main([*asked, "--device", "cpu", "--out", str(tmp_path / "out")]) == 0
    output = capsys.readouterr().out
    assert "dozen: 12" in output
    assert "pictures/s" in output
    assert "training     1,500 steps of dictionaries at 4:2,12:2 and 4:2,12:2: 0 min" in output
    assert list(tmp_path.iterdir()) == []


def test_two_processes_build_the_same_bank_as_one(tiny_folder, tmp_path, capsys):
    """The same shards bit for bit; dictionaries within 1e-4, as gradients are added up in another order."""
    folder = write_folder(tmp_path / "pairs", 400)
    clip = str(tiny_folder / "clip")
    asked = ["bank", "build", "--clip", clip, "--pairs", str(folder), "--held-out", "0.5", "--shard", "64"]
    asked += ["--image", "4:2,12:2", "--text", "4:2,12:2", "--steps", "30", "--device", "cpu", "--threads", "1"]
    alone, together = (["--out", str(tmp_path / n), "--work", str(tmp_path / f"{n}-work")] for n in ("one", "two"))
    assert main([*asked, *alone]) == 0
    assert "400/400" in capsys.readouterr().err
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "-m", "mmsteer"]
    ran = subprocess.run([*launch, *asked, *together], env=ENVIRONMENT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count(f"wrote {tmp_path / 'two'}") == 1
    sums = [
        [shard["sha256"] for shard in read_manifest(next((tmp_path / f"{name}-work").glob("pairs-*")))["shards"]]
        for name in ("one", "two")
    ]
    assert len(sums[0]) == 7
    assert sums[0] == sums[1]
    one, two = (FeatureBank.load(tmp_path / name) for name in ("one", "two"))
    for side in ("image", "text"):
        for key, value in one.dictionaries[side].state_dict().items():
            assert torch.allclose(value, two.dictionaries[side].state_dict()[key], atol=1e-4)
    assert [f.modality for f in one.features] == [f.modality for f in two.features]
    assert str(tmp_path) not in (tmp_path / "one" / "bank.json").read_text()
    assert one.meta["clip"]["id"] == "backbone/clip"
    assert (one.meta["pairs"], one.meta["held_out"], one.meta["source"]["name"]) == (200, 200, "pairs")
    assert len(list((tmp_path / "one" / "examples").glob("*.webp"))) == len(one.features)


def test_a_system_that_does_not_state_memory_leaves_it_unknown(clip, dozen, tmp_path, capsys, monkeypatch):
    """Windows has no module `resource`."""
    assert peak_memory() > 2**20
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory() is None
    assert measure(clip, open_pairs(str(dozen)), batch=4, least_seconds=0).memory is None
    asked = ["bank", "build", "--clip", str(clip.folder), "--pairs", str(dozen), "--plan"]
    assert main([*asked, "--device", "cpu", "--out", str(tmp_path / "out")]) == 0
    assert "memory       unknown while embedding" in capsys.readouterr().out
