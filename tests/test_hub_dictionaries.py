"""Dictionaries from a stand-in of the hub: which files are fetched, and which commit is written down."""

from pathlib import Path

import pytest
from foreign_dictionaries import (
    D,
    N,
    a_folder_of_pairs,
    an_untrained_sae,
    dictionary_learning,
    linear_weights,
    random,
    saelens,
)
from hub_stand_in import StandIn, go_online, stand_in
from safetensors.torch import load_file

from mmsteer.__main__ import main
from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError
from mmsteer.exchange.dictionaries import read_dictionary
from mmsteer.exchange.published import find_dictionary

COMMIT = "c" * 40
W_ENC, B_ENC, W_DEC, B_DEC = linear_weights()
ROWS = {"W_enc": W_ENC, "b_enc": B_ENC, "W_dec": W_DEC, "b_dec": B_DEC}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A repository with a dictionary at its top, one in each of two folders, and much else."""
    folder = saelens(tmp_path / "served", ROWS, architecture="standard")
    (folder / "optimizer.pt").write_bytes(b"x" * 5000)
    (folder / "sparsity.safetensors").write_bytes(b"x" * 5000)
    (folder / "layers").mkdir()
    saelens(folder / "layers" / "last", ROWS | {"b_enc": random(N, seed=20)}, architecture="standard")
    linear = {"encoder.weight": W_ENC.T, "encoder.bias": B_ENC, "decoder.weight": W_DEC.T, "decoder.bias": B_DEC}
    dictionary_learning(folder / "trainer_0", "AutoEncoderNew", linear)
    (folder / "trainer_0" / "checkpoints").mkdir()
    (folder / "trainer_0" / "checkpoints" / "ae_1000.pt").write_bytes(b"x" * 5000)
    with stand_in() as hub:
        hub.add("model", "someone/saes", COMMIT, folder)
        go_online(hub, tmp_path / "cache", monkeypatch)
        yield hub


@pytest.mark.parametrize(
    ("place", "name", "files"),
    [
        ("hub:someone/saes", f"hub:someone/saes@{COMMIT}", ["cfg.json", "sae_weights.safetensors"]),
        (f"hub:someone/saes@{COMMIT}/", f"hub:someone/saes@{COMMIT}", ["cfg.json", "sae_weights.safetensors"]),
        (
            "hub:someone/saes@main/layers/last", f"hub:someone/saes@{COMMIT}/layers/last",
            ["layers/last/cfg.json", "layers/last/sae_weights.safetensors"],
        ),
        ("hub:someone/saes/trainer_0", f"hub:someone/saes@{COMMIT}/trainer_0", ["trainer_0/ae.pt", "trainer_0/config.json"]),
    ],
)  # fmt: skip
def test_only_the_files_of_one_dictionary_are_fetched(hub: StandIn, capsys, place: str, name: str, files: list[str]):
    source = find_dictionary(place)
    assert source.name == name
    assert sorted(hub.fetched()) == files
    assert f"{name}: " in capsys.readouterr().out
    dictionary = read_dictionary(source)
    assert (dictionary.config.d_in, dictionary.config.n_latents) == (D, N)
    assert find_dictionary(name).folder == source.folder  # what a bank stores leads back to the same files
    assert len(hub.fetched()) == 2


def test_offline_it_comes_from_the_cache(hub: StandIn, monkeypatch: pytest.MonkeyPatch):
    place = f"hub:someone/saes@{COMMIT}"
    folder = find_dictionary(place).folder
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    asked = len(hub.asked)
    again = find_dictionary(place)
    assert again.folder == folder
    assert set(load_file(again.folder / "sae_weights.safetensors")) == set(ROWS)
    assert len(hub.asked) == asked


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("hub:someone", "write hub:OWNER/NAME"),
        ("hub:someone/saes@", "write hub:OWNER/NAME"),
        ("hub:someone/saes@v9", "someone/saes"),
        ("hub:nobody/nothing", "nobody/nothing"),
        (
            "hub:someone/saes/trainer_1",
            "no dictionary of a known library.*Weights are in its folders layers/last, trainer_0",
        ),
        ("hub:someone/saes/../..", "no dictionary of a known library"),
    ],
)
def test_what_is_not_there_is_one_sentence(hub: StandIn, place: str, sentence: str):
    with pytest.raises(SteerError, match=sentence) as error:
        find_dictionary(place)
    assert "\n" not in str(error.value)
    assert hub.fetched() == []


def test_the_bank_says_from_which_commit_it_came(hub: StandIn, tiny_folder: Path, tmp_path: Path, capsys):
    hub.add("model", "someone/clip-saes", COMMIT, tmp_path / "clip-saes")
    (tmp_path / "clip-saes").mkdir()
    an_untrained_sae(tmp_path / "clip-saes" / "joint")
    pairs = a_folder_of_pairs(tmp_path / "pairs")
    words = ["bank", "import", "hub:someone/clip-saes@main/joint", "--clip", str(tiny_folder / "clip"), "--pairs", str(pairs),
             "--held-out", "0.5", "--out", str(tmp_path / "bank"), "--work", str(tmp_path / "work"), "--device", "cpu"]  # fmt: skip
    assert main(words) == 0
    name = f"hub:someone/clip-saes@{COMMIT}/joint"
    assert f"{name}: cfg.json and sae_weights.safetensors" in capsys.readouterr().out
    assert FeatureBank.load(tmp_path / "bank").meta["imported"] == [name]
