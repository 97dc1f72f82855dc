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
from mmsteer.training.auxiliary_k import AuxiliaryK
from mmsteer.training.config import DictionarySizes, MatryoshkaGroup, TrainingConfig
from mmsteer.training.objectives import OBJECTIVES, find_objective, objective_name, train_dictionaries
from mmsteer.training.rows import mean_and_covariance
from mmsteer.training.scaling import fit_scaling
from mmsteer.training.sparse import Support, batch_topk_support, sparse_encode, topk_support
from mmsteer.training.trainer import new_dictionary, train


def random_dictionary(d_in=5, n=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    dictionary = new_dictionary(SAEConfig(d_in, n), generator)
    with torch.no_grad():
        dictionary.b_enc.copy_(0.3 * torch.randn(n, generator=generator))
        dictionary.b_dec.copy_(0.3 * torch.randn(d_in, generator=generator))
    return dictionary.double()


def rows(count=20, d_in=5, seed=1):
    return torch.randn(count, d_in, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def dense_batch_topk(pre_activations, count):
    """Of all pre-activations the `count` largest, by sorting."""
    smallest = pre_activations.flatten().sort(descending=True).values[count - 1]
    return pre_activations * (pre_activations >= smallest)


@pytest.mark.parametrize("kind", ["topk", "batch topk"])
def test_sparse_codes_and_all_gradients_equal_dense_ones(kind):
    dictionary, x = random_dictionary(), rows()
    weights = [p for name, p in dictionary.named_parameters() if name != "threshold"]
    pre_activations = dictionary.pre_activations(x)
    expected = topk(pre_activations, 3) if kind == "topk" else dense_batch_topk(pre_activations, 60)
    loss = (x - dictionary.decode(expected)).square().mean() + expected.square().sum()
    dense = torch.autograd.grad(loss, weights)

    with torch.no_grad():
        pre_activations = dictionary.pre_activations(x)
    support = topk_support(pre_activations, 3) if kind == "topk" else batch_topk_support(pre_activations, 60)[0]
    code = sparse_encode(dictionary, x, pre_activations, support)
    reconstruction = code.decode(dictionary.W_dec) + dictionary.b_dec
    sparse = torch.autograd.grad((x - reconstruction).square().mean() + code.dense().square().sum(), weights)
    assert torch.equal(code.dense(), expected)
    assert torch.equal(code.active(), (expected > 0).any(0))
    for a, b in zip(sparse, dense, strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_one_support_can_hold_several_codes_of_the_same_rows():
    dictionary, x = random_dictionary(), rows(4)
    with torch.no_grad():
        pre_activations = dictionary.pre_activations(x)
    row, latent = topk_support(pre_activations, 2)
    twice = Support(torch.cat([row, row + 4]), latent.repeat(2))
    both = sparse_encode(dictionary, x, pre_activations, twice, n_codes=2)
    once = sparse_encode(dictionary, x, pre_activations, Support(row, latent))
    assert torch.equal(both.dense(), once.dense().repeat(2, 1))
    assert torch.allclose(both.decode(dictionary.W_dec), once.decode(dictionary.W_dec).repeat(2, 1))


def test_the_largest_of_a_batch_by_hand():
    pre_activations = torch.tensor([[0.0, 3.0, 1.0], [0.5, 0.0, 2.0]])
    support, smallest = batch_topk_support(pre_activations, 3)
    assert (support.row.tolist(), support.latent.tolist(), smallest.item()) == ([0, 0, 1], [1, 2, 2], 1.0)
    support, smallest = batch_topk_support(pre_activations, 5)  # only four are above zero
    assert (support.row.tolist(), support.latent.tolist(), smallest.item()) == ([0, 0, 1, 1], [1, 2, 0, 2], 0.0)


@pytest.mark.parametrize("busy", [0.02, 0.5, 1.0])
def test_the_largest_of_a_batch_are_exact_however_bad_the_first_guess(busy):
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(64, 170, generator=generator)
    values = values * (torch.rand(64, 170, generator=generator) < busy)
    values[:, ::17] *= 100  # every latent that is sampled is far larger than the others
    support, smallest = batch_topk_support(values, 640)
    chosen = torch.zeros_like(values).index_put(tuple(support), values[tuple(support)])
    assert torch.equal(chosen, dense_batch_topk(values, 640))
    assert smallest == values.flatten().sort(descending=True).values[639]


def test_dead_latents_learn_what_the_others_leave_over():
    dictionary, x = random_dictionary(), rows()
    auxiliary = AuxiliaryK(dictionary, 2, TrainingConfig(dead_after=1))
    pre_activations, residual = dictionary.pre_activations(x).detach(), rows(seed=2)
    active = torch.arange(9) < 6
    assert auxiliary(x, pre_activations, active, residual) == 0  # silent once is not dead yet
    loss = auxiliary(x, pre_activations, active, residual)
    by_the_dead = topk(dictionary.pre_activations(x) * ~active, 2) @ dictionary.W_dec
    assert loss.item() == pytest.approx(((residual - by_the_dead).square().mean() / 32).item())
    loss.backward()
    assert not dictionary.W_dec.grad[:6].any()
    assert dictionary.W_dec.grad[6:].any()
    assert auxiliary(x, pre_activations, torch.ones(9, dtype=torch.bool), residual) == 0


class OnDisk:
    """Rows that support nothing but `len`, `shape`, an index and a slice."""

    def __init__(self, x):
        self._x, self.shape = x, x.shape

    def __len__(self):
        return len(self._x)

    def __getitem__(self, which):
        assert isinstance(which, slice | torch.Tensor)
        return self._x[which]


def random_pairs(count=300, d=6):
    generator = torch.Generator().manual_seed(3)
    return [F.normalize(torch.randn(count, d, generator=generator) + 0.5, dim=1) for _ in range(2)]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_rows_may_lie_on_disk(name):
    sizes = DictionarySizes((MatryoshkaGroup(4, 1), MatryoshkaGroup(8, 2)), (MatryoshkaGroup(12, 3),))
    config = TrainingConfig(3, batch_size=32)
    image, text = random_pairs()
    in_memory = train_dictionaries(name, image, text, sizes, config)
    on_disk = train_dictionaries(name, OnDisk(image), OnDisk(text), sizes, config)
    for a, b in zip(in_memory[:2], on_disk[:2], strict=True):
        assert all(torch.equal(value, b.state_dict()[key]) for key, value in a.state_dict().items())


ONE_GROUP = DictionarySizes((MatryoshkaGroup(8, 2),), (MatryoshkaGroup(8, 2),))


def test_training_shows_its_progress_if_asked_to(capsys):
    image, text = (rows(40, seed=seed).float() for seed in (1, 2))
    for show in (False, True):
        train_dictionaries("matryoshka", image, text, ONE_GROUP, TrainingConfig(3, batch_size=16, show_progress=show))
        assert len(re.findall(r"trained: 100%.* 3/3 ", capsys.readouterr().err)) == 2 * show  # once a side


def test_rows_are_checked_once_before_training(monkeypatch):
    checked = []
    monkeypatch.setattr("mmsteer.training.objectives.check_rows", lambda x, n, side: checked.append((side, len(x), n)))
    monkeypatch.setattr("mmsteer.training.objectives.matryoshka.check_rows", lambda *row: checked.append(row))
    image, text = random_pairs()
    train_dictionaries("matryoshka", image, text, ONE_GROUP, TrainingConfig(1, batch_size=16))
    assert checked == [("image", 300, 16), ("text", 300, 16)]


def test_an_objective_is_known_by_its_former_name():
    assert find_objective("levels") is OBJECTIVES["matryoshka"]
    assert [objective_name(name) for name in ("levels", "matryoshka", "shared")] == [
        "matryoshka",
        "matryoshka",
        "shared",
    ]
    assert "levels" not in OBJECTIVES


def test_mean_and_covariance_of_several_sides_are_those_of_all_their_rows():
    image, text = random_pairs()
    mean, covariance = mean_and_covariance(image, text)
    everything = torch.cat([image, text])
    assert torch.allclose(mean, everything.mean(0), atol=1e-6)
    assert torch.allclose(covariance, everything.T.cov(correction=0), atol=1e-6)
    assert fit_scaling(image, 0, text).apply(everything).square().mean().item() == pytest.approx(1, abs=1e-5)


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
from test_train import train_several
save_file(train_several(), f"{sys.argv[2]}/{dist.get_rank()}.safetensors")
dist.destroy_process_group()
"""
STEPS = 15


def train_several():
    """Dictionaries of several objectives, by name; latents die on the way, and 65 rows do not divide evenly.

    In double: in single precision sums that are rounded in another order grow apart step by step (Adam divides by them).
    """
    torch.set_default_dtype(torch.float64)
    image, text = (x.double() for x in random_pairs(400, 8))
    sizes = DictionarySizes((MatryoshkaGroup(6, 1), MatryoshkaGroup(58, 2)), (MatryoshkaGroup(64, 2),))
    config = TrainingConfig(STEPS, batch_size=65, dead_after=1)
    trained = {}
    for name in ("matryoshka", "matched", "batchtopk", "group", "global", "ncl"):
        dictionaries = train_dictionaries(name, image, text, sizes, config)
        for side, dictionary in (("image", dictionaries.image), ("text", dictionaries.text)):
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
    first, second, alone = load_file(tmp_path / "0.safetensors"), load_file(tmp_path / "1.safetensors"), train_several()
    for key, value in alone.items():
        assert torch.equal(first[key], second[key]), key
        assert torch.allclose(first[key], value, rtol=0, atol=1e-9 * float(value.abs().max())), key


def test_more_processes_than_rows_are_refused(monkeypatch):
    monkeypatch.setattr("mmsteer.distributed.count", lambda: 4)
    with pytest.raises(SteerError, match="a batch of 3 rows for 4 processes"):
        train(
            [random_dictionary()],
            lambda indices: torch.zeros(()),
            10,
            TrainingConfig(1, batch_size=3),
            torch.Generator(),
        )
