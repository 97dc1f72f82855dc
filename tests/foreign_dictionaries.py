"""Dictionaries as other libraries save them, written by hand: random weights of 12 latents for vectors 6 wide."""

import json

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from mmsteer.exchange.dictionaries import read_dictionary

D, N, K = 6, 12, 3


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit_rows():
    return F.normalize(random(40, D, seed=9), dim=1)


def linear_weights():
    """Encoder [D, N], its bias, decoder [N, D] of uneven lengths, the decoder's bias."""
    return random(D, N, seed=1), 0.3 * random(N, seed=2), random(N, D, seed=3), 0.2 * random(D, seed=4)


def top(before, k=K):
    best = before.topk(k, dim=-1)
    return torch.zeros_like(before).scatter(-1, best.indices, best.values)


def saelens(folder, tensors, **settings):
    folder.mkdir()
    usual = {"d_in": D, "d_sae": N, "dtype": "float32", "apply_b_dec_to_input": True, "normalize_activations": "none",
             "reshape_activations": "none", "metadata": {"sae_lens_version": "6.54.12"}}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(usual | settings))
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "sae_weights.safetensors")
    return folder


def check_same(folder, code, rebuilt, atol=1e-5):
    dictionary = read_dictionary(folder)
    assert torch.allclose(dictionary.encode(unit_rows()), code, atol=atol)
    assert torch.allclose(dictionary(unit_rows()), rebuilt, atol=atol)
    assert (code > 0).any()
    assert (code == 0).any()


def sparsify(folder, **settings):
    W_enc, b_enc, W_dec, b_dec = linear_weights()
    folder.mkdir()
    usual = {"activation": "topk", "expansion_factor": 2, "normalize_decoder": True, "num_latents": 0, "k": K,
             "multi_topk": False, "skip_connection": False, "transcode": False, "d_in": D}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(usual | settings))
    save_file(
        {"encoder.weight": W_enc.T.contiguous(), "encoder.bias": b_enc, "W_dec": W_dec, "b_dec": b_dec},
        folder / "sae.safetensors",
    )
    return folder


def dictionary_learning(folder, kind, tensors, **settings):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"trainer": {"dict_class": kind, **settings}, "buffer": {}}))
    torch.save(tensors, folder / "ae.pt")
    return folder


def a_folder_of_pairs(folder):
    """Pictures of a light square on one of two grounds, with captions in words that the tiny tokenizer knows."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for k in range(200):
        night, big, polite = rng.random(3) < 0.5
        picture = np.full((32, 32, 3), (20, 20, 60) if night else (90, 160, 80), np.uint8)
        picture[4 : 28 if big else 12, 4 : 28 if big else 12] = 250
        picture[k % 4, k // 4 % 32], picture[31, k // 128] = 255, 255  # no two alike
        Image.fromarray(picture).save(folder / f"{k:03}.png")
        caption = f"{'please draw ' if polite else ''}a {'big' if big else 'small'} cat {'at night' if night else 'in a meadow'}"
        (folder / f"{k:03}.txt").write_text(caption)
    return folder


def an_untrained_sae(folder, d_in=16, n=24):
    rows = F.normalize(random(n, d_in, seed=11), dim=1)
    tensors = {"W_enc": rows.T, "b_enc": torch.zeros(n), "W_dec": rows, "b_dec": torch.zeros(d_in)}
    return saelens(folder, tensors, d_in=d_in, d_sae=n, architecture="standard")
