"""One command to a real checkpoint: from an empty cache to the page, against a stand-in of the hub with tiny models in the real
layouts under the very ids and commits that the registry names.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoints import WORDS, captions, make_turbo
from hub_stand_in import StandIn, go_online, stand_in, write_tar

from mmsteer.__main__ import main
from mmsteer.ahead.drawn import read_drawn
from mmsteer.bank import FeatureBank
from mmsteer.cli.real import PAIRS, names
from mmsteer.data.estimate import pairs_within
from mmsteer.hub.needed import checkpoint_files, clip_files
from mmsteer.models.registry import BACKBONES
from mmsteer.steering.steerer import Steerer

ROOT = Path(__file__).resolve().parents[1]
SPEC = BACKBONES["sd-turbo"]
CLIP, CLIP_COMMIT = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "c" * 40
UNET = "diffusion_pytorch_model.safetensors"


IN_A_SPACE = """
import page
page.main = lambda words: print(words)
import app
from mmsteer.bank import FeatureBank
from mmsteer.ui import page
page.build_demo(FeatureBank.load("bank"), lambda: None)
print(page.__file__)
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the repositories: a checkpoint, the CLIP of its text encoder, and 1,200 pairs in four tars."""
    folder = tmp_path_factory.mktemp("served")
    make_turbo(folder / "checkpoint")
    (folder / "checkpoint" / "clip").rename(folder / "clip")
    texts = captions(1200)
    for k in range(4):
        write_tar(
            folder / "pairs" / f"cc3m-train-{k:04d}.tar", 300 * k, 300, lambda n: f"{texts[n]} {WORDS[n % 3]} {n}"
        )
    return folder


@pytest.fixture
def hub(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The stand-in, an empty cache, and an empty folder to work in."""
    with stand_in() as hub:
        hub.add("model", str(SPEC.source), str(SPEC.revision), served / "checkpoint")
        hub.add("model", CLIP, CLIP_COMMIT, served / "clip")
        id_, _, commit = PAIRS.removeprefix("hub:").partition("@")
        hub.add("dataset", id_, commit, served / "pairs")
        go_online(hub, tmp_path / "cache", monkeypatch)
        monkeypatch.chdir(tmp_path)
        yield hub


@pytest.fixture
def real(capsys: pytest.CaptureFixture[str]):
    """Run the command on few pairs and steps; exit code, output and errors."""

    def run(*more: str, pairs: tuple[str, ...] = ("--max-pairs", "700")) -> tuple[int, str, str]:
        code = main(["real", "sd-turbo", *pairs, "--steps", "20", "--device", "cpu", *more])
        return code, *capsys.readouterr()

    return run


def test_from_nothing_to_the_page_with_a_stop_at_every_stage(hub: StandIn, real, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    opened: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: opened.append(command))

    hub.cut[UNET] = 5000  # within a file: the client goes on from there
    hub.gone.add("cc3m-train-0002.tar")  # the network is gone while pairs are embedded
    code, out, err = real("--yes")
    assert code == 2
    assert "the hub refuses pixparse/cc3m-wds" in err
    assert f"checkpoint   {SPEC.source}@{SPEC.revision}" in out
    assert f"CLIP         {CLIP}@{CLIP_COMMIT}" in out
    assert "licence: Stability AI Community" in out
    assert "licence: openrail++" in out  # the stand-in's cards
    assert "pairs        700 of hub:pixparse/cc3m-wds@" in out
    assert any("bytes=5000-" in line for line in hub.asked)
    assert not any((tmp_path / "banks").iterdir())

    hub.gone.clear()
    before = len(hub.fetched())
    code, out, err = real("--yes", "--no-page", pairs=())  # as many as before, whatever is measured now
    assert code == 0, err
    assert "all here" in out
    assert hub.fetched()[before:] == ["cc3m-train-0002.tar"]  # and the fourth is not needed
    assert "banks/sd-turbo is ready: python app.py --backbone sd-turbo --bank banks/sd-turbo" in out
    assert opened == []
    bank = FeatureBank.load("banks/sd-turbo")
    assert (bank.meta["clip"]["revision"], bank.meta["backbone_commit"]) == (CLIP_COMMIT, SPEC.revision)
    assert bank.meta["source"]["digest"] == PAIRS.partition("@")[2]
    assert len(list(Path("banks/sd-turbo/examples").iterdir())) == len(bank.features)

    asked = len(hub.asked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert real()[0] == 0  # at once, without a question
    assert opened[0][2:6] == ["--backbone", "sd-turbo", "--bank", "banks/sd-turbo"]
    steerer = Steerer.load("sd-turbo", "banks/sd-turbo", "cpu")
    assert steerer.read(["a cat"]).x.shape == (1, 32)
    assert len(hub.asked) == asked
    code, out, err = real("--pairs", "hub:someone/else")
    assert code == 2
    assert "leave --pairs and --max-pairs out to use it" in err
    (tmp_path / "spaces" / "steering").mkdir(parents=True)
    (tmp_path / "spaces" / "steering" / "notes.txt").write_text("mine")
    check_space(real, tmp_path)
    assert (tmp_path / "spaces" / "steering" / "notes.txt").read_text() == "mine"


def check_space(real, folder: Path) -> None:
    code, out, _ = real("--space", "someone/steering")
    assert code == 0
    assert "hf upload someone/steering spaces/steering . --repo-type space" in out
    space = folder / "spaces" / "steering"
    front = dict(line.split(": ", 1) for line in (space / "README.md").read_text().split("---")[1].strip().splitlines())
    checkpoint, clip = json.loads(front["preload_from_hub"])
    assert checkpoint.split()[::2] == [SPEC.source, SPEC.revision]
    assert f"unet/{UNET}" in checkpoint.split()[1].split(",")
    assert clip.split() == [CLIP, ",".join(sorted(clip.split()[1].split(","))), CLIP_COMMIT]
    assert f"gradio=={json.loads(front['sdk_version'])}" in (ROOT / "requirements.txt").read_text()
    assert len(json.loads(front["short_description"])) <= 60
    assert FeatureBank.load(space / "bank").features
    drawn = read_drawn(FeatureBank.load(space / "bank"), "sd-turbo")
    assert drawn is not None
    assert drawn.recipes
    assert (space / "README.md").read_text().count("](bank/pictures/") == 2 * len(drawn.recipes)
    done = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", IN_A_SPACE], cwd=space, stdout=subprocess.PIPE, text=True
    )
    assert (
        done.communicate()[0]
        == f"['--backbone', 'sd-turbo', '--bank', 'bank']\n{space / 'mmsteer' / 'ui' / 'page.py'}\n"
    )


def test_it_asks_before_it_fetches(hub: StandIn, real, monkeypatch: pytest.MonkeyPatch):
    code, out, err = real()
    assert code == 2
    assert "no terminal to answer at: add --yes" in err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    code, out, err = real()
    assert (code, out.splitlines()[-1]) == (0, "nothing was fetched")
    assert {name.rsplit(".")[-1] for name in hub.fetched()} == {"json"}  # to know what there is


def test_a_disk_that_is_too_small_or_full_is_one_sentence(hub: StandIn, real, monkeypatch: pytest.MonkeyPatch):
    usage = type(shutil.disk_usage("."))
    with monkeypatch.context() as small:
        small.setattr(shutil, "disk_usage", lambda folder: usage(100, 90, 10))
        code, _, err = real("--yes")
    assert code == 2
    assert "has 0 kB free" in err.splitlines()[-1]
    assert "Nothing was fetched" in err.splitlines()[-1]

    from huggingface_hub import file_download

    whole = file_download.http_get

    def full(url, temp_file, **more):
        if "unet" in url:
            temp_file.write(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(url, temp_file, **more)

    monkeypatch.setattr(file_download, "http_get", full)
    code, _, err = real("--yes")
    assert code == 2
    assert f"the disk is full: {SPEC.source} does not fit into" in err.splitlines()[-1]
    assert "complete stay; run the same command again" in err.splitlines()[-1]
    assert not list(Path("cache").rglob("*.incomplete"))
    assert not Path("banks").exists()


def test_without_network_or_permission_it_says_so(hub: StandIn, real, monkeypatch: pytest.MonkeyPatch):
    hub.gated.add(f"models/{SPEC.source}")
    code, out, err = real("--yes")
    assert (code, hub.fetched()) == (2, [])
    assert f"the hub refuses {SPEC.source} (GatedRepoError 403)" in err
    del hub.repositories[f"models/{SPEC.source}"]
    code, out, err = real("--yes")
    assert code == 2
    assert f"the hub refuses {SPEC.source} (RepositoryNotFoundError" in err
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, out, err = real("--yes")
    assert code == 2
    assert "about 3 GB (an estimate)" in out
    assert f"cannot reach {SPEC.source} on the hub" in err
    assert "run the same command again" in err


def test_the_environment_says_which_hub_and_who_asks(hub: StandIn, tmp_path: Path):
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1",
        "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_mine", "HF_HUB_OFFLINE": "0",
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-m", "mmsteer", "real", "sd-turbo", "--max-pairs", "700", "--device", "cpu"]  # fmt: skip
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()[-1][:50]) == (
        2,
        "mmsteer: this asks before it fetches anything, and",
    )
    assert "pairs        700 of hub:pixparse/cc3m-wds@" in done.stdout
    assert hub.tokens == {"Bearer hf_mine"}
    assert {path.name for path in (tmp_path / "home" / "hub").iterdir()} > {"models--stabilityai--sd-turbo"}


def test_it_offers_what_lies_on_the_hub():
    assert {"sd15", "sd21", "sd-turbo", "sdxl", "sdxl-turbo"} <= set(names())
    assert "mini" not in names()


def test_one_set_of_weights_is_taken_of_what_repositories_have():
    index = {"_class_name": "StableDiffusionXLPipeline", "unet": ["diffusers", "UNet2DConditionModel"], "image_encoder": [None, None],
             "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"]}  # fmt: skip
    names_ = [
        "README.md", "model_index.json", "sd_xl_base_1.0.safetensors", "vae_1_0/config.json", "vae_1_0/" + UNET, "unet/config.json",
        "unet/" + UNET, "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.bin", "unet/model.onnx",
        "unet/diffusion_pytorch_model.non_ema.safetensors", "text_encoder/config.json", "text_encoder/model.safetensors",
        "text_encoder/flax_model.msgpack", "tokenizer/merges.txt", "tokenizer/vocab.json",
    ]  # fmt: skip
    small = [
        "model_index.json",
        "unet/config.json",
        "text_encoder/config.json",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
    ]
    assert sorted(checkpoint_files(names_, index, half=False)) == sorted(
        [*small, "unet/" + UNET, "text_encoder/model.safetensors"]
    )
    assert sorted(checkpoint_files(names_, index, half=True)) == sorted(
        [*small, "unet/diffusion_pytorch_model.fp16.safetensors", "text_encoder/model.safetensors"]
    )
    assert clip_files(["config.json", "model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "merges.txt"]) == [
        "config.json", "model.safetensors", "merges.txt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "per_pair", "pairs"),
    [(1200, 0.03, 24_000), (3600, 2.0, 2_000), (1200, 0.001, 50_000), (3600, 0.5, 4_000)],
)
def test_pairs_by_hand(seconds: float, per_pair: float, pairs: int):
    assert pairs_within(seconds, per_pair) == pairs
