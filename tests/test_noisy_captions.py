"""A bank of pairs whose captions say nothing."""

import random

from PIL import Image

from mmsteer import Edit, FeatureBank, Sampler, Steerer
from mmsteer.__main__ import main


def test_a_bank_may_have_no_named_feature(tiny_folder, tmp_path):
    """Captions drawn at random: no words go with any feature, so none excludes another, and all else works."""
    chance, pictures = random.Random(0), tmp_path / "pictures"
    pictures.mkdir()
    for k in range(600):
        Image.effect_noise((32, 32), 20 + k % 100).save(pictures / f"{k:03d}.png")
        (pictures / f"{k:03d}.txt").write_text(
            " ".join(chance.choices(("a", "cat", "night", "small", "house", "red"), k=4))
        )
    command = [
        "bank",
        "build",
        "--clip",
        str(tiny_folder / "clip"),
        "--pairs",
        str(pictures),
        "--backbone",
        str(tiny_folder),
    ]
    command += ["--out", str(tmp_path / "bank"), "--work", str(tmp_path / "work"), "--steps", "20", "--device", "cpu"]
    assert main(command) == 0
    bank = FeatureBank.load(tmp_path / "bank")
    captions = [f for f in bank.features if f.side == "text"]
    assert captions
    assert not any(f.named_by for f in captions)
    assert not any(f.mutually_exclusive for f in bank.features)
    steered = Steerer.load(str(tiny_folder), tmp_path / "bank", "cpu").steer(
        "a cat", [Edit(captions[0].id)], 3, Sampler(2, 1.0)
    )
    assert steered.after.tobytes() != steered.before.tobytes()
