"""Sparse codes and training in one process and in two: dense autograd as the independent implementation."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from mmsteer.errors import SteerError
from mmsteer.models.sae import SAEConfig, topk
from mmsteer.training.objectives import OBJECTIVES, Size, train_pair
from mmsteer.training.sparse import Places, batch_topk_places, fire, topk_places
from mmsteer.training.trainer import (
    Descent,
    Level,
    Revival,
    descend,
    even_out,
    moments,
    new_dictionary,
)


def a_dictionary(d_in=5, n=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    dictionary = new_dictionary(SAEConfig(d_in, n), generator)
    with torch.no_grad():
        dictionary.b_enc.copy_(0.3 * torch.randn(n, generator=generator))
        dictionary.b_dec.copy_(0.3 * torch.randn(d_in, generator=generator))
    return dictionary.double()


def rows(count=20, d_in=5, seed=1):
    return torch.randn(count, d_in, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def dense_batch_topk(before, count):
    """Of all pre-activations the `count` largest, by sorting."""
    least = before.flatten().sort(descending=True).values[count - 1]
    return before * (before >= least)


@pytest.mark.parametrize("kind", ["topk", "batch topk"])
def test_sparse_codes_and_all_gradients_equal_dense_ones(kind):
    dictionary, x = a_dictionary(), rows()
    weights = [p for name, p in dictionary.named_parameters() if name != "threshold"]
    before = dictionary.pre_activations(x)
    wanted = topk(before, 3) if kind == "topk" else dense_batch_topk(before, 60)
    loss = (x - dictionary.decode(wanted)).square().mean() + wanted.square().sum()
    dense = torch.autograd.grad(loss, weights)

    with torch.no_grad():
        before = dictionary.pre_activations(x)
    places = topk_places(before, 3) if kind == "topk" else batch_topk_places(before, 60)[0]
    code = fire(dictionary, x, before, places)
    rebuilt = code.decode(dictionary.W_dec) + dictionary.b_dec
    sparse = torch.autograd.grad((x - rebuilt).square().mean() + code.dense().square().sum(), weights)
    assert torch.equal(code.dense(), wanted)
    assert torch.equal(code.fired(), (wanted > 0).any(0))
    for a, b in zip(sparse, dense, strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_several_rounds_are_several_codes_of_the_same_rows():
    dictionary, x = a_dictionary(), rows(4)
    with torch.no_grad():
        before = dictionary.pre_activations(x)
    row, latent = topk_places(before, 2)
    both = fire(dictionary, x, before, Places(torch.cat([row, row + 4]), latent.repeat(2)), rounds=2)
    once = fire(dictionary, x, before, Places(row, latent))
    assert torch.equal(both.dense(), once.dense().repeat(2, 1))
    assert torch.allclose(both.decode(dictionary.W_dec), once.decode(dictionary.W_dec).repeat(2, 1))


def test_the_largest_of_a_batch_by_hand():
    before = torch.tensor([[0.0, 3.0, 1.0], [0.5, 0.0, 2.0]])
    places, least = batch_topk_places(before, 3)
    assert (places.row.tolist(), places.latent.tolist(), least.item()) == ([0, 0, 1], [1, 2, 2], 1.0)
    places, least = batch_topk_places(before, 5)  # only four are above zero
    assert (places.row.tolist(), places.latent.tolist(), least.item()) == ([0, 0, 1, 1], [1, 2, 0, 2], 0.0)


@pytest.mark.parametrize("busy", [0.02, 0.5, 1.0])
def test_the_largest_of_a_batch_are_exact_however_bad_the_first_guess(busy):
    generator = torch.Generator().manual_seed(0)
    before = torch.rand(64, 170, generator=generator)
    before = before * (torch.rand(64, 170, generator=generator) < busy)
    before[:, ::17] *= 100  # every latent that is sampled is far larger than the others
    places, least = batch_topk_places(before, 640)
    wanted = dense_batch_topk(before, 640)
    assert torch.equal(torch.zeros_like(before).index_put(tuple(places), before[tuple(places)]), wanted)
    assert least == before.flatten().sort(descending=True).values[639]


def test_the_dead_learn_what_the_living_leave_over():
    dictionary, x = a_dictionary(), rows()
    revival = Revival(dictionary, 2, Descent(dead_after=1))
    before, residual = dictionary.pre_activations(x).detach(), rows(seed=2)
    fired = torch.arange(9) < 6
    assert revival(x, before, fired, residual) == 0  # silent once is not dead yet
    value = revival(x, before, fired, residual)
    rescue = topk(dictionary.pre_activations(x) * ~fired, 2) @ dictionary.W_dec
    assert value.item() == pytest.approx(((residual - rescue).square().mean() / 32).item())
    value.backward()
    assert not dictionary.W_dec.grad[:6].any()
    assert dictionary.W_dec.grad[6:].any()
    assert revival(x, before, torch.ones(9, dtype=torch.bool), residual) == 0


class OnDisk:
    """Rows of which nothing but `len`, `shape`, an index and a slice can be asked."""

    def __init__(self, x):
        self._x, self.shape = x, x.shape

    def __len__(self):
        return len(self._x)

    def __getitem__(self, which):
        assert isinstance(which, slice | torch.Tensor)
        return self._x[which]


def some_pairs(count=300, d=6):
    generator = torch.Generator().manual_seed(3)
    return [F.normalize(torch.randn(count, d, generator=generator) + 0.5, dim=1) for _ in range(2)]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_rows_may_lie_on_disk(name):
    size, descent = Size((Level(4, 1), Level(8, 2)), (Level(12, 3),)), Descent(3, batch=32)
    image, text = some_pairs()
    in_memory = train_pair(name, image, text, size, descent)
    on_disk = train_pair(name, OnDisk(image), OnDisk(text), size, descent)
    for a, b in zip(in_memory[:2], on_disk[:2], strict=True):
        assert all(torch.equal(value, b.state_dict()[key]) for key, value in a.state_dict().items())


def test_training_tells_how_far_it_is_if_asked_to(capsys):
    image, text = (rows(40, seed=seed).float() for seed in (1, 2))
    for told in (False, True):
        train_pair("levels", image, text, Size((Level(8, 2),), (Level(8, 2),)), Descent(3, batch=16, told=told))
        assert len(re.findall(r"trained: 100%.* 3/3 ", capsys.readouterr().err)) == 2 * told  # once a side


def test_rows_are_looked_through_once_before_training(monkeypatch):
    looked_at = []
    monkeypatch.setattr(
        "mmsteer.training.objectives.check_rows", lambda x, n, side: looked_at.append((side, len(x), n))
    )
    monkeypatch.setattr("mmsteer.training.trainer.check_rows", lambda *given: looked_at.append(given))
    image, text = some_pairs()
    train_pair("levels", image, text, Size((Level(8, 2),), (Level(8, 2),)), Descent(1, batch=16))
    assert looked_at == [("image", 300, 16), ("text", 300, 16)]


def test_moments_of_several_sides_are_those_of_all_their_rows():
    image, text = some_pairs()
    mean, covariance = moments(image, text)
    everything = torch.cat([image, text])
    assert torch.allclose(mean, everything.mean(0), atol=1e-6)
    assert torch.allclose(covariance, everything.T.cov(correction=0), atol=1e-6)
    assert even_out(image, 0, text).apply(everything).square().mean().item() == pytest.approx(1, abs=1e-5)


# -- several processes --

JOB = """
import sys
from datetime import timedelta
import torch
import torch.distributed as dist
torch.set_num_threads(1)
dist.init_process_group("gloo", timeout=timedelta(seconds=60))
sys.path[:0] = [sys.argv[1]]
from safetensors.torch import save_file
from test_train import train_some
save_file(train_some(), f"{sys.argv[2]}/{dist.get_rank()}.safetensors")
dist.destroy_process_group()
"""
STEPS = 15


def train_some():
    """Dictionaries of some objectives, by name; latents die on the way, and 65 rows are not shared out evenly.

    In double: in single precision sums that are rounded in another order grow apart step by step (Adam divides by them).
    """
    torch.set_default_dtype(torch.float64)
    image, text = (x.double() for x in some_pairs(400, 8))
    size = Size((Level(6, 1), Level(58, 2)), (Level(64, 2),))
    descent = Descent(STEPS, batch=65, dead_after=1)
    trained = {}
    for name in ("levels", "matched", "batchtopk", "group", "global", "ncl"):
        found = train_pair(name, image, text, size, descent)
        for side, dictionary in (("image", found.image), ("text", found.text)):
            trained |= {f"{name} {side} {key}": v.clone().contiguous() for key, v in dictionary.state_dict().items()}
    torch.set_default_dtype(torch.float32)
    return trained


def test_two_processes_train_the_same_dictionaries_as_one(tmp_path):
    from safetensors.torch import load_file

    (tmp_path / "job.py").write_text(JOB)
    here = Path(__file__).resolve()
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d",
               "--rdzv-endpoint=localhost:0", str(tmp_path / "job.py"), str(here.parent), str(tmp_path)]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(here.parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second, alone = load_file(tmp_path / "0.safetensors"), load_file(tmp_path / "1.safetensors"), train_some()
    for key, value in alone.items():
        assert torch.equal(first[key], second[key]), key
        assert torch.allclose(first[key], value, rtol=0, atol=1e-9 * float(value.abs().max())), key


def test_more_processes_than_rows_are_refused(monkeypatch):
    monkeypatch.setattr("mmsteer.distributed.count", lambda: 4)
    with pytest.raises(SteerError, match="a batch of 3 rows for 4 processes"):
        descend([a_dictionary()], lambda chosen: torch.zeros(()), 10, Descent(1, batch=3), torch.Generator())
