"""Dictionaries that people publish for CLIP, checked against the formulas of the code that trained them."""

import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_dictionaries import (
    D,
    K,
    N,
    check_same,
    dictionary_learning,
    linear_weights,
    random,
    saelens,
    sparsify,
    top,
    unit_rows,
)

from mmsteer.errors import SteerError
from mmsteer.exchange.dictionaries import locate, read_dictionaries, read_dictionary

W_ENC, B_ENC, W_DEC, B_DEC = linear_weights()
ROWS = {"W_enc": W_ENC, "b_enc": B_ENC, "W_dec": W_DEC, "b_dec": B_DEC}
MATRYOSHKA = ROWS | {
    "k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(0.4), "group_sizes": torch.tensor([4, 4, 4])
}  # fmt: skip
LINEAR = {"encoder.weight": W_ENC.T, "encoder.bias": B_ENC, "decoder.weight": W_DEC.T}


# -- dictionary_learning and sae-for-vlm --


@pytest.mark.parametrize("kind", ["MatryoshkaBatchTopKSAE", "MatroyshkaBatchTopKSAE", "MyMatryoshka", None])
@pytest.mark.parametrize("threshold", [0.4, -1.0])
def test_a_matryoshka_batch_topk_dictionary_fires_above_its_threshold(
    tmp_path: Path, kind: str | None, threshold: float
):
    """`encode` of sae-for-vlm's matroyshka_batch_top_k.py with use_threshold, its default; -1 until it is measured."""
    folder = dictionary_learning(tmp_path / "sae", kind, MATRYOSHKA | {"threshold": torch.tensor(threshold)})
    after_relu = torch.nn.functional.relu((unit_rows() - B_DEC) @ W_ENC + B_ENC)
    code = after_relu * (after_relu > threshold)
    check_same(folder, code, code @ W_DEC + B_DEC)


def test_an_auto_encoder_new_subtracts_nothing_from_its_input(tmp_path: Path):
    """`encode` and `decode` of AutoEncoderNew: two linear layers with biases."""
    folder = dictionary_learning(tmp_path / "sae", "AutoEncoderNew", LINEAR | {"decoder.bias": B_DEC})
    encoder, decoder = torch.nn.Linear(D, N), torch.nn.Linear(N, D)
    encoder.load_state_dict({"weight": W_ENC.T, "bias": B_ENC})
    decoder.load_state_dict({"weight": W_DEC.T, "bias": B_DEC})
    with torch.no_grad():
        code = encoder(unit_rows()).relu()
        check_same(folder, code, decoder(code))


@pytest.mark.parametrize("trainer", [None, {}, {"dict_class": None}])
def test_without_a_class_the_tensors_say_what_is_computed(tmp_path: Path, trainer: Any):
    folder = dictionary_learning(tmp_path / "sae", "", LINEAR | {"bias": B_DEC})
    (folder / "config.json").write_text(json.dumps({"trainer": trainer}))
    before = torch.relu((unit_rows() - B_DEC) @ W_ENC + B_ENC)
    check_same(folder, before * W_DEC.norm(dim=1), before @ W_DEC + B_DEC)


def test_topk_and_batch_topk_look_the_same_and_are_not_guessed(tmp_path: Path):
    tensors = LINEAR | {"b_dec": B_DEC, "k": torch.tensor(K), "threshold": torch.tensor(0.4)}
    with pytest.raises(SteerError, match="does not say whether it is a TopK or a BatchTopK"):
        read_dictionary(dictionary_learning(tmp_path / "a", None, tensors))
    before = torch.relu((unit_rows() - B_DEC) @ W_ENC + B_ENC)
    top_k, batch = top(before), before * (before > 0.4)
    check_same(dictionary_learning(tmp_path / "b", "AutoEncoderTopK", tensors), top_k, top_k @ W_DEC + B_DEC)
    check_same(dictionary_learning(tmp_path / "c", "BatchTopKSAE", tensors), batch, batch @ W_DEC + B_DEC)


# -- MSAE --


def msae(
    folder: Path, name: str, factor: Any = 2.5, target: Any = None, drop: str = "", **tensors: torch.Tensor
) -> Path:
    """A file of MSAE's train.py: `mean_center` and `scaling_factor` as its data set measured them, `target_norm` a numpy number."""
    model = {
        "encoder": W_ENC, "decoder": W_DEC, "pre_bias": B_DEC, "latent_bias": B_ENC,
        "latents_activation_frequency": torch.zeros(N, dtype=torch.int64), **tensors,
    }  # fmt: skip
    content = {
        "model": {key: value for key, value in model.items() if key != drop},
        "mean_center": 0.1 * random(D, seed=8),
    }
    content |= {"scaling_factor": factor, "target_norm": np.sqrt(D) if target is None else target}
    folder.mkdir(exist_ok=True)
    torch.save({key: value for key, value in content.items() if key != drop}, folder / f"{N}_{D}_{name}.pth")
    return folder


def published(x: torch.Tensor, code_of: Any, decoder: torch.Tensor = W_DEC) -> tuple[torch.Tensor, torch.Tensor]:
    """`SAE.preprocess`, `encode`, `decode` and `postprocess` of MSAE's sae.py."""
    mean, factor = 0.1 * random(D, seed=8), 2.5
    code = code_of(((x - mean) * factor - B_DEC) @ W_ENC + B_ENC)
    return code, (code @ decoder + B_DEC) / factor + mean


LOG_THRESHOLD = 0.3 * random(N, seed=5) - 0.5


@pytest.mark.parametrize(
    ("name", "code_of", "more"),
    [
        ("ReLU_003_False_False_0.0_cc3m_ViT-L~14_train_image_2905936_768", torch.relu, {}),
        (f"TopKReLU_{K}_False_False_0.0_cc3m", lambda before: torch.relu(top(before)), {}),
        ("TopKReLU_64_UW_False_False_0.0_cc3m_ViT-B~16_train_image_2905936_512", torch.relu, {}),
        ("TopKReLU_64_RW_False_False_0.0_cc3m", torch.relu, {}),
        ("BatchTopKReLU_32_False_False_0.0_cc3m", torch.relu, {}),
        (
            f"JumpReLU_{N}_False_False_0.0_cc3m", lambda before: torch.relu(before) * (before > LOG_THRESHOLD.exp()),
            {"activation.log_threshold": LOG_THRESHOLD, "dead_activations.log_threshold": LOG_THRESHOLD},
        ),
    ],
)  # fmt: skip
def test_msae_centres_and_scales_before_it_encodes(tmp_path: Path, name: str, code_of: Any, more: dict[str, Any]):
    folder = msae(tmp_path / "sae", name, **more)
    check_same(folder, *published(unit_rows(), code_of))
    assert torch.equal(
        read_dictionary(next(folder.iterdir())).W_enc, read_dictionary(folder).W_enc
    )  # the file by its name


def test_msae_with_one_matrix_for_both_ways(tmp_path: Path):
    folder = msae(tmp_path / "sae", "ReLU_003_True_False_0.0_cc3m", drop="decoder")
    check_same(folder, *published(unit_rows(), torch.relu, W_ENC.T))


def test_msae_of_embeddings_that_were_longer(tmp_path: Path):
    dictionary = read_dictionary(msae(tmp_path / "sae", "ReLU_003_False_False_0.0_cc3m"), scale=10)
    code, rebuilt = published(10 * unit_rows(), torch.relu)
    assert torch.allclose(dictionary.encode(unit_rows()), code, atol=1e-4)
    assert torch.allclose(10 * dictionary(unit_rows()), rebuilt, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        (
            "TopK_64_False_False_0.0_x",
            {},
            "codes can be negative.*Modality Dominance Score.*Give a dictionary with a ReLU",
        ),
        ("TopKReLU_64_UW_False_True_0.0_x", {}, "normalizes each vector by its own mean"),
        ("TopKReLU_64_UW_False_False_30.0_x", {}, "soft cap of 30.0"),
        ("TopKabsReLU_64_False_False_0.0_x", {}, "activation 'TopKabsReLU'"),
        ("ReLU_003_False_False_0.0_x", {"factor": math.nan}, "scaling_factor is nan, not a number above 0"),
        ("ReLU_003_False_False_0.0_x", {"factor": "2"}, "not a number above 0|does not contain weights"),
        ("ReLU_003_False_False_0.0_x", {"drop": "mean_center"}, "lack mean_center"),
        ("ReLU_003_False_False_0.0_x", {"drop": "latent_bias"}, "lack latent_bias"),
        ("ReLU_003_False_False_0.0_x", {"drop": "model"}, "no weights under `model`"),
        ("weights", {}, "no weights under `model`: give a file that MSAE's train.py saved"),
        (f"TopKReLU_{N + 1}_False_False_0.0_x", {}, "impossible"),
    ],
)
def test_msae_without_a_normal_form_is_one_sentence(tmp_path: Path, name: str, change: dict[str, Any], sentence: str):
    with pytest.raises(SteerError, match=sentence):
        read_dictionary(msae(tmp_path / "sae", name, **change))


def test_of_several_files_of_msae_one_must_be_named(tmp_path: Path):
    msae(tmp_path / "sae", "ReLU_003_False_False_0.0_x")
    folder = msae(tmp_path / "sae", "ReLU_003_False_False_0.0_y")
    with pytest.raises(
        SteerError, match=r"contains 2 dictionaries: add the name of one, of 12_6_ReLU.*x.pth, 12_6_ReLU"
    ):
        locate(folder)
    assert locate(folder / f"{N}_{D}_ReLU_003_False_False_0.0_x.pth").layout.library == "MSAE"


# -- what no library should have to say --


class Intruder:
    """An object that runs code where a pickle is loaded the ordinary way."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return exec, (f"open({str(self.mark)!r}, 'w')",)


def test_no_code_in_a_file_of_msae_runs(tmp_path: Path):
    folder = msae(tmp_path / "sae", "ReLU_003_False_False_0.0_x", target=Intruder(tmp_path / "ran"))
    with pytest.raises(SteerError, match="must contain only weights"):
        read_dictionary(folder)
    with next(folder.iterdir()).open("wb") as file:  # not even a zip archive
        pickle.dump({"model": Intruder(tmp_path / "ran")}, file)
    with pytest.raises(SteerError, match="must contain only weights"):
        read_dictionary(folder)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_makes_no_object_of_numpy(tmp_path: Path):
    folder = msae(tmp_path / "sae", "ReLU_003_False_False_0.0_x", target=np.array(["x"], dtype=object))
    with pytest.raises(SteerError, match="must contain only weights"):
        read_dictionary(folder)


def test_signed_codes_are_refused_with_the_reason(tmp_path: Path):
    for folder in (
        saelens(tmp_path / "a", ROWS, architecture="abstopk", k=K),
        sparsify(tmp_path / "b", signed=True),
        dictionary_learning(tmp_path / "c", "AbsTopKSAE", MATRYOSHKA),
    ):
        with pytest.raises(SteerError, match="codes can be negative, and the Modality Dominance Score"):
            read_dictionary(folder)


KINDS: dict[str, dict[str, torch.Tensor]] = {
    "MatryoshkaBatchTopKSAE": MATRYOSHKA,
    "JumpReluAutoEncoder": ROWS | {"threshold": B_ENC},
    "AutoEncoder": LINEAR | {"bias": B_DEC},
    "AutoEncoderNew": LINEAR | {"decoder.bias": B_DEC},
    "BatchTopKSAE": LINEAR | {"b_dec": B_DEC, "threshold": torch.tensor(0.4)},
    "GatedAutoEncoder": {
        "encoder.weight": W_ENC.T, "decoder.weight": W_DEC.T, "decoder_bias": B_DEC, "r_mag": B_ENC, "gate_bias": B_ENC,
        "mag_bias": B_ENC,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, tensors in KINDS.items() for name in sorted(tensors.keys() - {"k", "group_sizes"})],
)
def test_a_tensor_that_is_missing_or_of_another_shape_is_one_sentence(tmp_path: Path, kind: str, name: str):
    tensors = KINDS[kind]
    read_dictionary(dictionary_learning(tmp_path / "whole", kind, tensors))
    wrong = [
        torch.zeros(7),
        torch.zeros(1),
        torch.zeros(2, 3, 4),
        torch.zeros(()),
        torch.tensor(math.nan).expand(tensors[name].shape),
    ]
    for number, tensor in enumerate(wrong):
        folder = dictionary_learning(tmp_path / str(number), kind, tensors | {name: tensor})
        if name == "threshold" and kind != "JumpReluAutoEncoder" and tensor.ndim == 0 and not tensor.isnan():
            continue  # a threshold of 0
        with pytest.raises(SteerError) as error:
            read_dictionary(folder)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 700
    rest = {key: value for key, value in tensors.items() if key != name}
    with pytest.raises(SteerError, match=f"lack {name}"):
        read_dictionary(dictionary_learning(tmp_path / "without", kind, rest))


def test_groups_must_cover_the_latents(tmp_path: Path):
    tensors = MATRYOSHKA | {"group_sizes": torch.tensor([4, 4])}
    with pytest.raises(SteerError, match="groups have 8 latents in all, and its weights 12"):
        read_dictionary(dictionary_learning(tmp_path / "sae", "MatryoshkaBatchTopKSAE", tensors))


@pytest.mark.parametrize("config", ["[]", "null", '{"trainer": [1]}', '{"trainer": "x"}', "{", "[" * 100_000])
def test_settings_of_another_kind_are_one_sentence(tmp_path: Path, config: str):
    folder = dictionary_learning(tmp_path / "sae", "AutoEncoder", LINEAR)
    (folder / "config.json").write_text(config)
    with pytest.raises(SteerError) as error:
        read_dictionary(folder)
    assert "\n" not in str(error.value)


def test_a_tensor_that_is_larger_than_its_file_is_refused(tmp_path: Path):
    huge = torch.zeros(1).expand(100_000, 100_000)
    with pytest.raises(SteerError, match="W_enc is no plain tensor with all of its 10,000,000,000 values"):
        read_dictionary(dictionary_learning(tmp_path / "sae", "MatryoshkaBatchTopKSAE", MATRYOSHKA | {"W_enc": huge}))


def test_two_published_dictionaries_become_the_two_sides(tmp_path: Path):
    image = dictionary_learning(tmp_path / "image", "MatryoshkaBatchTopKSAE", MATRYOSHKA)
    text = msae(tmp_path / "text", "ReLU_003_False_False_0.0_x")
    assert not read_dictionaries(image, text).paired
    assert read_dictionaries(locate(text)).paired
