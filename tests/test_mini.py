"""The shipped models and bank: they load with stock libraries alone, steer, and are as described."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from mmsteer import Edit, Recipe, Sampler, Steerer, SteerError
from mmsteer.__main__ import main
from mmsteer.recipes.presets import PRESETS, available
from mmsteer.studies.presets import holds
from mmsteer.world.embedding import load_clip
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.judge import Judge
from mmsteer.world.training.caption_encoder import CaptionEncoder

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def mini() -> Steerer:
    return Steerer.load("mini")


def test_stock_diffusers_and_transformers_load_and_draw():
    from diffusers import StableDiffusionPipeline
    from transformers import AutoTokenizer, CLIPModel

    pipeline = StableDiffusionPipeline.from_pretrained(MINI, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.Generator().manual_seed(0)
    picture = pipeline("a cat", num_inference_steps=4, guidance_scale=1.0, generator=noise).images[0]
    assert picture.size == (256, 256)
    ours = Steerer.load("mini").picture(Recipe("a cat", seed=0))
    assert np.abs(np.asarray(picture, float) - np.asarray(ours, float)).max() <= 1
    clip, tokenizer = CLIPModel.from_pretrained(MINI / "clip"), AutoTokenizer.from_pretrained(MINI / "clip")
    with torch.no_grad():
        words = tokenizer(["a cat", "a rocket"], return_tensors="pt", padding="max_length")
        assert clip.get_text_features(**words).pooler_output.shape == (2, clip.config.projection_dim)


def test_a_copy_under_another_name_draws_the_same(mini: Steerer, tmp_path):
    """Steps and guidance are stored in the folder, and in every copy that diffusers saves."""
    from diffusers import StableDiffusionPipeline

    StableDiffusionPipeline.from_pretrained(MINI, local_files_only=True).save_pretrained(tmp_path / "copy")
    picture = mini.picture(Recipe("a dog", seed=3))
    for name in (str(MINI), str(tmp_path / "copy")):
        again = Steerer.load(name)
        assert again.sampler == mini.sampler == Sampler(4, 1.0)
        assert np.array_equal(again.picture(Recipe("a dog", 3)), picture), name


@pytest.mark.parametrize(
    "saved",
    [
        {"num_inference_steps": 0},
        {"num_inference_steps": True},
        {"guidance_scale": "much"},
        ["4"],
        {"num_inference_steps": 99},
    ],
)
def test_a_folder_with_invalid_steps_or_guidance_is_refused_in_a_sentence(tmp_path, saved):
    import shutil

    shutil.copytree(MINI, tmp_path / "mini")
    path = tmp_path / "mini" / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"_sampling": saved}))
    with pytest.raises(SteerError, match="num_inference_steps from 1 to 50 and guidance_scale from 0 to 20"):
        Steerer.load(str(tmp_path / "mini"))


def test_there_are_forty_features_with_confident_names_of_all_three_modalities(mini: Steerer):
    named = [feature for feature in mini.bank.features if feature.name_confidence is not None]
    assert len(named) >= 40
    assert {feature.modality for feature in named} == {"vision", "language", "cross"}
    assert not any(re.fullmatch(r"feature \d+", feature.name) for feature in named)
    assert len({feature.name for feature in mini.bank.features}) == len(mini.bank.features)


def test_the_readmes_example_warms_pictures(mini: Steerer):
    def warmth(picture) -> float:
        red, _, blue = np.asarray(picture, float).reshape(-1, 3).mean(0)
        return red - blue

    results = [mini.steer("a cat at night", [Edit("warm light", strength=1.0)], seed=seed) for seed in range(6)]
    gains = [warmth(result.after) - warmth(result.before) for result in results]
    assert sum(gain > 0 for gain in gains) >= 5, gains


def test_features_named_after_language_consist_of_openings_moods_and_closings(mini: Steerer):
    encoder = CaptionEncoder(*load_clip(MINI / "clip"), "cpu")
    moves = torch.linalg.lstsq(encoder.joint.inverse.T, encoder.language_directions(500).T).solution
    span = torch.linalg.qr(moves).Q
    named = [f for f in mini.bank.features if f.modality == "language" and f.named_by == "truth"]
    assert len(named) >= 10
    for feature in named:
        vector = mini.bank.tensors["steering_text"][feature.latent]
        assert (span.T @ vector).norm() > 0.999 * vector.norm(), feature.name


def test_the_shipped_configurations_name_no_folder():
    texts = [path.read_text() for path in MINI.rglob("config.json")]
    assert len(texts) == 5
    assert not any("_name_or_path" in text for text in texts)


def test_presets_name_features_there_are(mini: Steerer):
    assert available(mini.bank) == list(PRESETS)


def test_presets_hold_over_seeds_and_show_what_they_add_at_their_own(mini: Steerer):
    judge = Judge.load(MINI / "judge")
    for preset in PRESETS:
        result = holds(mini, judge, preset, list(range(6)))
        assert result["both"].value * 6 >= 5, (preset.title, result)
        assert result["first such seed"] == preset.seed, (preset.title, result)


def test_every_example_sheet_is_there(mini: Steerer):
    assert mini.bank.folder is not None
    assert all((mini.bank.folder / "examples" / f"{feature.id}.webp").is_file() for feature in mini.bank.features)


def test_assets_are_small_and_as_described():
    files = [path for path in (ROOT / "assets").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 60e6
    assert all(path.stat().st_size < 10e6 for path in files)
    described = (ROOT / "assets" / "README.md").read_text()
    for path in files:
        if path.suffix == ".safetensors":
            assert hashlib.sha256(path.read_bytes()).hexdigest() in described, path


def test_versions_agree():
    front = (ROOT / "README.md").read_text().split("---")[1]
    wanted = (ROOT / "requirements.txt").read_text()
    version = re.search(r"sdk_version: (\S+)", front)
    assert version
    assert f"gradio=={version[1]}" in wanted
    short = re.search(r"short_description: (.+)", front)
    assert short
    assert len(short[1]) <= 60


@pytest.mark.parametrize("file", ["unet/diffusion_pytorch_model-00002-of-00003.safetensors", "model_index.json"])
def test_a_truncated_or_missing_weight_file_is_named(tmp_path, file):
    import shutil

    shutil.copytree(MINI, tmp_path / "mini")
    path = tmp_path / "mini" / file
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SteerError, match=path.name.replace(".", r"\.")):
        Steerer.load(str(tmp_path / "mini"))
    path.unlink()
    with pytest.raises(SteerError, match=rf"{path.name}.*fetch this one again"):
        Steerer.load(str(tmp_path / "mini"))


def test_the_command_line_draws_a_pair(tmp_path, capsys):
    out, figures = tmp_path / "pair.png", tmp_path / "pair.json"
    arguments = ["steer", "a cat at night", "--edit", "warm light:1.0", "--seed", "1", "--steps", "2"]
    assert main([*arguments, "--out", str(out), "--json", str(figures)]) == 0
    assert out.stat().st_size
    assert json.loads(figures.read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a cat", "--edit", "warm lihgt"], "warm light"),
        (["a cat", "--edit", "warm light:nan"], "finite"),
        (["a cat", "--seed", "-1"], "seed"),
        ([""], "prompt"),
        (["a cat", "--steps", "0"], "steps"),
        (["a cat", "--bank", "/nowhere"], "bank"),
        (["a cat", "--out", "/nowhere/pair.png"], "folder"),
    ],
)
def test_the_command_line_answers_nonsense_with_one_line(arguments, message, capsys, tmp_path):
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "pair.png")]
    assert main(["steer", *arguments, *out]) == 2
    error = capsys.readouterr().err
    line = [line for line in error.splitlines() if line.startswith("mmsteer: ")]
    assert len(line) == 1, error
    assert message in line[0], error
    assert "Traceback" not in error
