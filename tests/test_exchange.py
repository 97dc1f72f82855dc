"""Dictionaries of other libraries: folders written by hand, checked against each library's formula; and export to SAELens."""

import json

import pytest
import torch
import torch.nn.functional as F
from foreign_dictionaries import (
    D,
    K,
    N,
    a_folder_of_pairs,
    an_untrained_sae,
    check_same,
    dictionary_learning,
    linear_weights,
    random,
    saelens,
    sparsify,
    top,
    unit_rows,
)
from safetensors.torch import load_file

from mmsteer.__main__ import main
from mmsteer.bank import FeatureBank
from mmsteer.bank.shared_dictionary import as_shared
from mmsteer.errors import SteerError
from mmsteer.exchange.dictionaries import read_dictionaries, read_dictionary
from mmsteer.exchange.export import export_bank
from mmsteer.exchange.hub import load_complete
from mmsteer.recipes.edit import Edit
from mmsteer.steering.steerer import Steerer


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("kind", ["standard", "topk", "jumprelu", "gated"])
def test_saelens_codes_and_reconstructions_stay_what_they_were(tmp_path, kind, centred):
    W_enc, b_enc, W_dec, b_dec = linear_weights()
    x = unit_rows() - b_dec * centred
    tensors, settings = {"W_enc": W_enc, "W_dec": W_dec, "b_dec": b_dec, "b_enc": b_enc}, {}
    before = torch.relu(x @ W_enc + b_enc)
    if kind == "topk":
        settings, code = {"k": K}, top(before)
    elif kind == "jumprelu":
        tensors["threshold"] = random(N, seed=5)
        code = before * (x @ W_enc + b_enc > tensors["threshold"])
    elif kind == "gated":
        del tensors["b_enc"]
        tensors |= {"b_gate": random(N, seed=6), "b_mag": b_enc, "r_mag": 0.5 * random(N, seed=7)}
        code = (x @ W_enc + tensors["b_gate"] > 0) * torch.relu(x @ (W_enc * tensors["r_mag"].exp()) + b_enc)
    else:
        code = before
    folder = saelens(tmp_path / "sae", tensors, architecture=kind, apply_b_dec_to_input=centred, **settings)
    check_same(folder, code, code @ W_dec + b_dec)


def test_saelens_topk_by_decoder_length_and_inputs_of_one_length(tmp_path):
    W_enc, b_enc, W_dec, b_dec = linear_weights()
    tensors = {"W_enc": W_enc, "W_dec": W_dec, "b_dec": b_dec, "b_enc": b_enc}
    lengths, x = W_dec.norm(dim=1), unit_rows()
    code = top(torch.relu((x - b_dec) @ W_enc + b_enc) * lengths)
    folder = saelens(tmp_path / "a", tensors, architecture="topk", k=K, rescale_acts_by_decoder_norm=True)
    check_same(folder, code, (code / lengths) @ W_dec + b_dec)

    code = torch.relu((x * D**0.5 - b_dec) @ W_enc + b_enc)
    folder = saelens(tmp_path / "b", tensors, architecture="standard", normalize_activations="constant_norm_rescale")
    check_same(folder, code, (code @ W_dec + b_dec) / D**0.5)


def test_saelens_settings_from_before_its_version_6(tmp_path):
    W_enc, b_enc, W_dec, b_dec = linear_weights()
    tensors = {"W_enc": W_enc, "W_dec": W_dec, "b_dec": b_dec, "b_enc": b_enc}
    before = torch.relu((unit_rows() - b_dec) @ W_enc + b_enc)
    folder = saelens(tmp_path / "a", tensors, activation_fn_str="topk", activation_fn_kwargs={"k": K}, hook_point="x")
    check_same(folder, top(before), top(before) @ W_dec + b_dec)
    tensors["log_threshold"] = 0.3 * random(N, seed=5) - 0.5
    folder = saelens(tmp_path / "b", tensors, architecture="jumprelu", normalize_activations=False)
    code = before * (before > tensors["log_threshold"].exp())
    check_same(folder, code, code @ W_dec + b_dec)


def test_embeddings_that_were_longer_when_it_was_trained(tmp_path):
    W_enc, b_enc, W_dec, b_dec = linear_weights()
    folder = saelens(
        tmp_path / "sae", {"W_enc": W_enc, "W_dec": W_dec, "b_dec": b_dec, "b_enc": b_enc}, architecture="standard"
    )
    dictionary = read_dictionary(folder, scale=10)
    code = torch.relu((10 * unit_rows() - b_dec) @ W_enc + b_enc)
    assert torch.allclose(dictionary.encode(unit_rows()), code, atol=1e-4)
    assert torch.allclose(10 * dictionary(unit_rows()), code @ W_dec + b_dec, atol=1e-4)


def test_sparsify_codes_and_reconstructions_stay_what_they_were(tmp_path):
    W_enc, b_enc, W_dec, b_dec = linear_weights()
    code = top(torch.relu(F.linear(unit_rows() - b_dec, W_enc.T, b_enc)))
    check_same(sparsify(tmp_path / "sae"), code, code @ W_dec + b_dec)


@pytest.mark.parametrize(
    "kind", ["AutoEncoder", "AutoEncoderTopK", "BatchTopKSAE", "JumpReluAutoEncoder", "GatedAutoEncoder"]
)
def test_dictionary_learning_codes_and_reconstructions_stay_what_they_were(tmp_path, kind):
    W_enc, b_enc, W_dec, b_dec = linear_weights()
    x, settings = unit_rows(), {}
    tensors = {"encoder.weight": W_enc.T, "encoder.bias": b_enc, "decoder.weight": W_dec.T, "b_dec": b_dec}
    before, rebuilt = torch.relu((x - b_dec) @ W_enc + b_enc), None
    if kind == "AutoEncoder":  # on loading, its library gives decoder rows unit length
        tensors["bias"] = tensors.pop("b_dec")
        code, rebuilt = before * W_dec.norm(dim=1), before @ W_dec + b_dec
    elif kind == "AutoEncoderTopK":
        tensors |= {"k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(0.2)}
        code, settings = top(before), {"k": K}
    elif kind == "BatchTopKSAE":
        tensors |= {"k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(0.4)}
        code, settings = before * (before > 0.4), {"k": K}
    elif kind == "JumpReluAutoEncoder":
        tensors = {"W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec, "threshold": random(N, seed=5)}
        jumped = x @ W_enc + b_enc
        code = torch.relu(jumped * (jumped > tensors["threshold"]))
    else:
        gates = {"r_mag": 0.5 * random(N, seed=7), "gate_bias": random(N, seed=6), "mag_bias": b_enc}
        tensors = {
            "encoder.weight": W_enc.T, "decoder.weight": W_dec.T, "decoder_bias": b_dec, **gates
        }  # fmt: skip
        linear = (x - b_dec) @ W_enc
        code = (linear + gates["gate_bias"] > 0) * torch.relu(gates["r_mag"].exp() * linear + b_enc)
    folder = dictionary_learning(tmp_path / "sae", kind, tensors, **settings)
    check_same(folder, code, code @ W_dec + b_dec if rebuilt is None else rebuilt)


def test_a_dictionary_without_a_normal_form_is_refused_by_name(tmp_path):
    W_enc, b_enc, W_dec, b_dec = linear_weights()
    tensors = {"W_enc": W_enc, "W_dec": W_dec, "b_dec": b_dec, "b_enc": b_enc}
    refused = [
        (saelens(tmp_path / "a", tensors, architecture="temporal"), "'temporal'.*standard, topk, jumprelu and gated"),
        (saelens(tmp_path / "b", tensors, normalize_activations="layer_norm"), "'layer_norm'"),
        (saelens(tmp_path / "c", tensors, reshape_activations="hook_z"), "hook_z"),
        (saelens(tmp_path / "d", tensors, activation_fn="tanh-relu"), "tanh-relu"),
        (sparsify(tmp_path / "e", transcode=True), "transcode = True"),
        (sparsify(tmp_path / "f", activation="groupmax"), "groupmax"),
        (dictionary_learning(tmp_path / "g", "CrossCoder", tensors), "'CrossCoder'.*AutoEncoderTopK"),
    ]
    for folder, message in refused:
        with pytest.raises(SteerError, match=message):
            read_dictionary(folder)


def test_errors_of_damaged_folders_name_the_damage(tmp_path):
    W_enc, b_enc, W_dec, b_dec = linear_weights()
    tensors = {"W_enc": W_enc, "W_dec": W_dec, "b_dec": b_dec, "b_enc": b_enc}
    with pytest.raises(SteerError, match="no dictionary of a known library"):
        read_dictionary(tmp_path)
    with pytest.raises(SteerError, match="lack b_enc; they contain W_dec, W_enc, b_dec"):
        read_dictionary(saelens(tmp_path / "a", {key: v for key, v in tensors.items() if key != "b_enc"}))
    with pytest.raises(SteerError, match=r"b_enc is \(7,\), but \(12,\) goes with 12 latents"):
        read_dictionary(saelens(tmp_path / "b", tensors | {"b_enc": torch.zeros(7)}))
    with pytest.raises(SteerError, match="W_dec has values that are not finite"):
        read_dictionary(saelens(tmp_path / "c", tensors | {"W_dec": W_dec * torch.inf}))
    folder = saelens(tmp_path / "d", tensors)
    (folder / "sae_weights.safetensors").write_bytes((folder / "sae_weights.safetensors").read_bytes()[:50])
    with pytest.raises(SteerError, match=r"cannot read .*sae_weights\.safetensors"):
        read_dictionary(folder)
    folder = saelens(tmp_path / "e", tensors, architecture="topk")
    with pytest.raises(SteerError, match="setting k is None, not an integer"):
        read_dictionary(folder)


def test_no_code_in_a_pickle_runs(tmp_path):
    class Intruder:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    folder = dictionary_learning(tmp_path / "sae", "AutoEncoder", {"bias": Intruder()})
    with pytest.raises(SteerError, match="must contain only weights"):
        read_dictionary(folder)
    assert not (tmp_path / "ran").exists()


def test_one_folder_is_shared_and_two_must_be_of_one_width(tmp_path):
    W_enc, b_enc, W_dec, b_dec = linear_weights()
    tensors = {"W_enc": W_enc, "W_dec": W_dec, "b_dec": b_dec, "b_enc": b_enc}
    image = saelens(tmp_path / "image", tensors)
    narrow = {"W_enc": W_enc[:4], "W_dec": W_dec[:, :4], "b_dec": b_dec[:4], "b_enc": b_enc}
    text = saelens(tmp_path / "text", narrow, d_in=4)
    assert read_dictionaries(image).paired
    assert not read_dictionaries(image, sparsify(tmp_path / "other")).paired
    with pytest.raises(SteerError, match="6 wide, .* for 4"):
        read_dictionaries(image, text)


def test_a_shared_feature_acts_along_the_side_it_belongs_to(tiny_bank, tmp_path):
    bank = FeatureBank.load(tiny_bank)
    paired = [  # latent k of one side is latent k of the other
        type(f)(**{**vars(f), "image_latent": f.id, "text_latent": f.id}) for f in bank.features
    ]
    features, tensors, dictionaries = as_shared(paired, bank.tensors, bank.dictionaries["text"])
    assert {feature.side for feature in features} == {"shared"}
    for feature in features:
        own = "steering_image" if feature.modality == "vision" else "steering_text"
        assert torch.equal(tensors["steering_shared"][feature.latent], bank.tensors[own][feature.id])
    FeatureBank(features, bank.meta, dictionaries, tensors).save(tmp_path / "bank")
    again = FeatureBank.load(tmp_path / "bank")
    assert again.features == features
    assert list(again.dictionaries) == ["shared"]


def test_a_vision_feature_of_a_shared_bank_is_removed_by_pushing_it_the_other_way(tiny, tmp_path):
    paired = [type(f)(**{**vars(f), "image_latent": f.id, "text_latent": f.id}) for f in tiny.bank.features]
    features, tensors, dictionaries = as_shared(paired, tiny.bank.tensors, tiny.bank.dictionaries["text"])
    steerer = Steerer(tiny.backbone, FeatureBank(features, tiny.bank.meta, dictionaries, tensors))
    warm = steerer.bank.get("warm light")
    shift = steerer.schedule(steerer.read(["a big cat at night"]), [Edit(warm.id, "remove", 1.5)]).shift[0]
    assert torch.allclose(shift, -1.5 * warm.activation_scale * tensors["steering_shared"][warm.latent], atol=1e-6)


def test_an_exported_bank_is_in_saelens_layout_and_comes_back_the_same(tiny_bank, tmp_path):
    bank = FeatureBank.load(tiny_bank)
    assert export_bank(bank, tmp_path / "out") == [tmp_path / "out" / side for side in bank.dictionaries]
    for side, dictionary in bank.dictionaries.items():
        settings = json.loads((tmp_path / "out" / side / "cfg.json").read_text())
        assert settings["architecture"] == "jumprelu"
        assert settings["metadata"]["hook_name"] == f"{side}_embeds"
        weights = load_file(tmp_path / "out" / side / "sae_weights.safetensors")
        assert weights["W_enc"].shape == (dictionary.config.d_in, dictionary.config.n_latents)
        assert torch.equal(weights["threshold"], dictionary.threshold)
        x = random(20, dictionary.config.d_in)
        assert torch.equal(read_dictionary(tmp_path / "out" / side).encode(x), dictionary.encode(x))
    with pytest.raises(SteerError, match="out exists"):
        export_bank(bank, tmp_path / "out")


# -- a bank from a dictionary trained elsewhere --


@pytest.fixture
def captioned(tmp_path):
    return a_folder_of_pairs(tmp_path / "pairs")


@pytest.mark.parametrize("sides", [1, 2])
def test_an_imported_dictionary_becomes_a_bank_that_steers(sides, captioned, tiny_folder, tmp_path, capsys):
    image, text = an_untrained_sae(tmp_path / "image"), an_untrained_sae(tmp_path / "text")
    words = ["bank", "import", str(image), *(["--text", str(text)] if sides == 2 else []), "--clip", str(tiny_folder / "clip"),
             "--pairs", str(captioned), "--held-out", "0.5", "--backbone", str(tiny_folder), "--out", str(tmp_path / "bank"),
             "--work", str(tmp_path / "work"), "--device", "cpu"]  # fmt: skip
    assert main(words) == 0
    bank = load_complete(tmp_path / "bank")
    assert bank.meta["objective"] == "imported (SAELens)"
    assert list(bank.dictionaries) == (["shared"] if sides == 1 else ["image", "text"])
    assert str(tmp_path) not in (tmp_path / "bank" / "bank.json").read_text()
    steerer = Steerer.load(str(tiny_folder), tmp_path / "bank")
    moved = 0
    for feature in bank.features:
        result = steerer.steer("a cat", [Edit(feature.name, "add", 2.0)])
        moved += result.before.tobytes() != result.after.tobytes()
    assert moved == len(bank.features) > 0


def test_a_dictionary_of_another_width_is_refused_before_features_are_made(captioned, tiny_folder, tmp_path, capsys):
    words = ["bank", "import", str(an_untrained_sae(tmp_path / "sae", d_in=5)), "--clip", str(tiny_folder / "clip"),
             "--pairs", str(captioned), "--held-out", "0.5", "--out", str(tmp_path / "bank"), "--work",
             str(tmp_path / "work")]  # fmt: skip
    assert main(words) == 2
    assert "5 wide, those of" in capsys.readouterr().err
    assert not (tmp_path / "bank").exists()
    assert main(words[:3] + ["--pairs", str(captioned)]) == 2
    assert "--out FOLDER" in capsys.readouterr().err
