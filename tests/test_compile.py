"""The compiled denoiser draws what it draws without; and what cannot be compiled is refused."""

import functools

import numpy as np
import pytest
import torch

from mmsteer import Edit, Sampler, Steerer, SteerError

FAST = Sampler(2, 4.0)


def test_a_compiled_denoiser_draws_the_same_picture(tiny_folder, tiny_bank, monkeypatch):
    """Traced and run as any compiler would have it. Generating code for this tiny UNet takes two minutes more, on two cores."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    plain, compiled = (Steerer.load(str(tiny_folder), tiny_bank, "cpu", "float32", compiled=c) for c in (False, True))
    ours, theirs = (
        np.asarray(s.steer("a cat", [Edit("penguin")], 3, FAST).after).astype(int) for s in (compiled, plain)
    )
    assert np.abs(ours - theirs).max() <= 1  # of 255
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0  # it was compiled
    assert compiled.backbone.digest == plain.backbone.digest


def test_where_it_cannot_work_it_is_refused(tiny_folder, tiny_bank, monkeypatch):
    def no_compiler(*_args, **_options):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(SteerError, match="finds no working compiler for cpu .no C.. compiler.: leave it out"):
        Steerer.load(str(tiny_folder), tiny_bank, "cpu", compiled=True)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    with pytest.raises(SteerError, match="--compile does not work on ZeroGPU"):
        Steerer.load(str(tiny_folder), tiny_bank, "cpu", compiled=True)
