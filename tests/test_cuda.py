"""What must be true on a graphics card, with the same tiny models; the rest of the suite means a CPU and float32."""

import base64
import os
import re
from io import BytesIO

import numpy as np
import pytest
import torch
from captioned import write_folder
from conftest import CUDA
from PIL import Image
from served import served

from mmsteer import Edit, FeatureBank, Sampler, Steerer
from mmsteer.__main__ import main
from mmsteer.bench.page_client import Visitor
from mmsteer.models.backbone import Backbone
from mmsteer.models.clip import Clip

pytestmark = pytest.mark.skipif(not CUDA, reason="there is no graphics card with CUDA here")
CARD = "cuda"
PROMPT, FAST = "a big red dog", Sampler(steps=3, guidance=4.0)
EDITS = [Edit("penguin", strength=2.0), Edit("night", start=0.3)]
VISIBLE = os.environ.get("CUDA_VISIBLE_DEVICES")
FAMILIES = ("sd1", "sd2", "turbo", "sdxl", "unclip")


@pytest.fixture(scope="module", autouse=True)
def on_the_card(on_the_cpu):
    """The card, shown again; float32 means float32, not TF32."""
    with pytest.MonkeyPatch.context() as patch, torch.backends.cudnn.flags(allow_tf32=False):
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.delenv("CUDA_VISIBLE_DEVICES") if VISIBLE is None else patch.setenv("CUDA_VISIBLE_DEVICES", VISIBLE)
        yield


def edits_for(steerer: Steerer) -> list[Edit]:
    """Where the prompt is read once for the whole run, no edit has a step range."""
    return EDITS if steerer.backbone.family.phases else EDITS[:1]


def drawn(steerer: Steerer, sampler: Sampler = FAST) -> np.ndarray:
    """Before and after, in 0..255."""
    result = steerer.steer(PROMPT, edits_for(steerer), 3, sampler)
    return np.stack([result.before, result.after]).astype(int)


@pytest.fixture(scope="module", params=FAMILIES)
def both(request, folders, steerers) -> tuple[Steerer, Steerer]:
    """One checkpoint in float32 on the CPU and on the card."""
    here = steerers[request.param]
    return here, Steerer(Backbone.load(str(folders[request.param]), CARD, "float32"), here.bank)


def test_the_same_numbers_as_on_the_cpu(both):
    here, there = both
    ours, theirs = (s.read([PROMPT]) for s in both)
    assert torch.allclose(ours.encoded.hidden, theirs.encoded.hidden.cpu(), atol=1e-4)
    assert torch.allclose(ours.x, theirs.x.cpu(), atol=1e-4)
    assert there.backbone.denoiser.device.type == CARD
    assert np.abs(drawn(here) - drawn(there)).max() <= 2  # of 255: one seed, one picture, on every device


def test_one_seed_one_picture_there(both):
    _, there = both
    first = drawn(there)
    assert np.array_equal(first, drawn(there))
    assert not np.array_equal(first[0], first[1])
    state = there.read([PROMPT])
    assert not there.schedule(state, [Edit("penguin", strength=0.0)]).moves
    many = there.render_many([PROMPT] * 2, edits_for(there), [3, 4], FAST)
    assert np.abs(many[0].permute(1, 2, 0).numpy().astype(int) - first[1]).max() <= 2


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("dtype", [None, "bfloat16"])
def test_half_precision_stays_within_its_tolerance(folders, steerers, name, dtype):
    half = Steerer(Backbone.load(str(folders[name]), None, dtype), steerers[name].bank)  # the card is the default
    assert half.backbone.device == CARD
    assert half.backbone.denoiser.dtype == (torch.float16 if dtype is None else torch.bfloat16)
    assert np.abs(drawn(half) - drawn(steerers[name])).mean() < 3  # of 255


@pytest.mark.parametrize("name", FAMILIES)
def test_parts_that_move_to_the_card_in_turn_draw_the_same(folders, steerers, name):
    offloaded = Steerer(Backbone.load(str(folders[name]), CARD, "float32", offload=True), steerers[name].bank)
    whole = Steerer(Backbone.load(str(folders[name]), CARD, "float32"), steerers[name].bank)
    samplers = [FAST] + [Sampler(3, 4.0, edit_guidance=2.0)] * whole.backbone.family.phases
    for sampler in (*samplers, FAST):
        assert np.abs(drawn(offloaded, sampler) - drawn(whole, sampler)).max() <= 1
        assert offloaded.backbone.denoiser.device.type == "cpu"  # it waits there for its turn


def test_a_bank_is_built_on_the_card(tiny_folder, tmp_path):
    pictures = write_folder(tmp_path / "pictures", 600)
    command = ["bank", "build", "--clip", str(tiny_folder / "clip"), "--pairs", str(pictures), "--steps", "20"]
    command += ["--backbone", str(tiny_folder), "--out", str(tmp_path / "bank"), "--work", str(tmp_path / "work")]
    assert main([*command, "--device", CARD]) == 0
    bank = FeatureBank.load(tmp_path / "bank")
    assert bank.features
    assert Steerer(Backbone.load(str(tiny_folder), CARD), bank).steer("a cat", [], 3, Sampler(2, 1.0)).before
    ours, theirs = (Clip(tiny_folder / "clip", device).embed_texts(["a cat", "a house"]) for device in ("cpu", CARD))
    assert (ours * theirs).sum(1).min() > 0.999  # half precision there


def test_the_page_draws_on_the_card(tiny_folder, tiny_bank):
    steerer = Steerer.load(str(tiny_folder), tiny_bank, CARD)
    row = {"id": 1, "mode": "slide", "strength": 1, "on": True, "locked": False, "words": [], "start": 0, "end": 1}
    with served(steerer, tiny_bank) as address:
        pair, _ = Visitor(address).draw("a cat", 3, {"rows": [row], "silent": []})
    after = re.findall(r'src="data:image/png;base64,([^"]+)"', pair)[1]
    expected = steerer.steer("a cat", [Edit("night")], 3).after
    assert Image.open(BytesIO(base64.b64decode(after))).tobytes() == expected.tobytes()
