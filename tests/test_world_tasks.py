"""What each model of the world is trained on: every task takes its steps, exports, and resumes to the same weights."""

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mmsteer.errors import SteerError
from mmsteer.models.backbone import STEERABLE
from mmsteer.models.image_adapter import attach, read_adapter
from mmsteer.world.draws import random_scenes
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.models.adapter import FILE, weights_of
from mmsteer.world.models.autoencoder import Shape, build_autoencoder
from mmsteer.world.models.clip import build_clip
from mmsteer.world.models.growth import grow
from mmsteer.world.models.judge import Judge
from mmsteer.world.models.tokenizer import build_tokenizer
from mmsteer.world.models.unet import GUIDANCE, UnetShape, build_scheduler, build_unet, velocity
from mmsteer.world.training.conditioning import Counts
from mmsteer.world.training.loop import Box, Budget, train
from mmsteer.world.training.pool import PoolSchedule
from mmsteer.world.training.tasks.adapter import AdapterTask
from mmsteer.world.training.tasks.autoencoder import AutoencoderTask
from mmsteer.world.training.tasks.clip import ClipTask
from mmsteer.world.training.tasks.judge import JudgeTask
from mmsteer.world.training.tasks.ordinary import OrdinaryTask
from mmsteer.world.training.tasks.student import PooledInvariance, StudentTask, follow
from mmsteer.world.training.tasks.teacher import TeacherTask, noise_shares, sprite_weights
from mmsteer.world.training.tasks.windows import cut, decodable, windows

CPU = torch.device("cpu")
TINY = Budget(batch=3, rate=1e-3, warm=2, average=0.9)
SCHEDULE = PoolSchedule(chunk=2, chunks=2, every=1)
SMALL = Shape(8, (0, 0, 1, 0, 0), 8, (1, 1, 0, 0, 0))
COUNTS = Counts(directions=60, language=8, means=4)


# -- the autoencoder --


def test_windows_are_cut_where_they_lie_and_mostly_contain_the_sprite():
    pictures = torch.arange(2 * 3 * 6 * 6).view(2, 3, 6, 6)
    corners = torch.tensor([[1, 3], [0, 2]])
    pieces = cut(pictures, corners, 3)
    assert torch.equal(pieces[0], pictures[0, :, 0:3, 1:4])
    assert torch.equal(pieces[1], pictures[1, :, 2:5, 3:6])
    values = random_scenes(np.random.default_rng(0), 500).values
    x, y = windows(np.random.default_rng(1), values, cells=16, side=8)
    assert min(x.min(), y.min()) >= 0
    assert max(x.max(), y.max()) <= 8
    middle = 4.5 + 3.5 * values[:, INDEX["position"]]
    assert ((x + 1 < middle) & (middle < x + 7) & (y + 1 < 9) & (y + 7 > 9)).mean() > 0.6


def test_inner_edges_of_a_window_do_not_count_and_the_pictures_own_do():
    mask = decodable(torch.tensor([[0, 4], [2, 0]]), cells=16, side=12)
    assert mask.shape == (2, 1, 192, 192)
    assert torch.equal(mask[0, 0], by_hand(left=0, right=24, top=24, bottom=24))
    assert torch.equal(mask[1, 0], by_hand(left=24, right=0, top=0, bottom=24))


def by_hand(left, right, top, bottom):
    mask = torch.zeros(192, 192)
    mask[top : 192 - bottom, left : 192 - right] = 1
    return mask


def test_a_grown_decoder_computes_what_the_smaller_one_did_and_can_learn_more():
    torch.manual_seed(0)
    old = build_autoencoder(SMALL)
    new = grow(old, Shape(8, (0, 0, 1, 0, 0), 12, (3, 2, 0, 0, 0)))
    latents = torch.randn(2, 16, 4, 4)
    assert torch.allclose(new.decode(latents).sample, old.decode(latents).sample, atol=1e-5)
    for name, value in old.encoder.state_dict().items():
        assert torch.equal(new.encoder.state_dict()[name], value), name
    new.decode(latents).sample.square().mean().backward()
    last = new.decoder.layers[4].conv[-1]  # of a new block
    assert last.weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    "shape", [Shape(8, (0, 1, 1, 0, 0), 8), Shape(8, (0, 0, 1, 0, 0), 4), Shape(8, (0, 0, 1, 0, 0), 8, (1, 1, 0, 0, 1))]
)
def test_what_cannot_grow_is_refused(shape):
    with pytest.raises(SteerError, match="only its decoder may be smaller"):
        grow(build_autoencoder(SMALL), shape)


@pytest.mark.parametrize("decoder_only", [False, True])
def test_the_autoencoder_trains_and_a_frozen_encoder_stays_as_it_is(tmp_path, decoder_only):
    torch.manual_seed(0)
    vae = build_autoencoder(SMALL)
    before = copy.deepcopy(vae.state_dict())
    task = AutoencoderTask(TINY, CPU, 0, SCHEDULE, vae, decoder_only)
    train(task, tmp_path, Box(steps=2))
    (sheet,) = tmp_path.glob("*-samples/*.png")
    assert sheet.stat().st_size > 1000
    after = vae.state_dict()
    changed = {name.split(".")[0] for name, value in before.items() if not torch.equal(after[name], value.half())}
    assert changed == ({"decoder"} if decoder_only else {"encoder", "decoder"})


# -- the other stages --


def test_judge_and_clip_train_and_are_read_back(tmp_path):
    from transformers import AutoTokenizer, CLIPModel

    train(JudgeTask(TINY, CPU, 0), tmp_path, Box(steps=2))
    black = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    assert Judge.load(tmp_path / "export" / "judge").read(black).shape == (1, len(FACTORS))
    task = ClipTask(Budget(batch=6, rate=1e-3), CPU, 0)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    train(task, tmp_path, Box(steps=2))
    unchanged = [name for name, value in task.model.named_parameters() if torch.equal(before[name], value)]
    assert not [name for name in unchanged if "bias" not in name], unchanged  # every head and both towers take part
    clip = CLIPModel.from_pretrained(tmp_path / "export" / "clip")
    assert clip.config.vision_config.image_size == 128
    assert AutoTokenizer.from_pretrained(tmp_path / "export" / "clip")("a cat")["input_ids"]


@pytest.fixture(scope="module")
def readers():
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    return {"clip": build_clip(tokenizer), "tokenizer": tokenizer, "vae": build_autoencoder(SMALL), "counts": COUNTS}


def a_unet():
    torch.manual_seed(1)
    return build_unet(UnetShape((16, 32), 0))


def a_task(name, readers):
    if name in ("teacher", "ordinary"):
        task = (TeacherTask if name == "teacher" else OrdinaryTask)(TINY, CPU, 0, SCHEDULE, a_unet(), **readers)
    else:
        task = StudentTask(
            TINY, CPU, 0, SCHEDULE, a_unet(), **readers, teacher=a_unet(), invariance=PooledInvariance(2, 3, SCHEDULE)
        )
    task.steps = 2  # of its samples
    return task


@pytest.mark.parametrize(("name", "folder"), [("teacher", "teacher"), ("student", "unet"), ("ordinary", "ordinary")])
def test_unets_train_and_a_killed_run_takes_the_very_same_steps(tmp_path, readers, name, folder, monkeypatch):
    from diffusers import UNet2DConditionModel

    monkeypatch.setattr("mmsteer.world.training.loop.SHEETS", 1)

    def weights(where):
        unet = UNet2DConditionModel.from_pretrained(where / "export" / folder)
        return unet.state_dict()

    train(a_task(name, readers), tmp_path / "unbroken", Box(steps=8), every=0)
    killed = a_task(name, readers)
    losses = killed.losses
    killed.losses = lambda step, *random: losses(step, *random) if step < 6 else 1 / 0
    with pytest.raises(ZeroDivisionError):
        train(killed, tmp_path / "killed", Box(steps=8), every=0)
    train(a_task(name, readers), tmp_path / "killed", Box(steps=8), every=0)
    unbroken, again = weights(tmp_path / "unbroken"), weights(tmp_path / "killed")
    assert all(torch.equal(again[key], value) for key, value in unbroken.items())
    assert any(not torch.equal(value, again[key].float()) for key, value in a_unet().state_dict().items())
    assert [path.name for path in (tmp_path / "unbroken" / f"{name}-samples").iterdir()] == ["0000008.png"]
    steerable = json.loads((tmp_path / "unbroken" / "export" / folder / "config.json").read_text()).get(
        STEERABLE, False
    )
    assert steerable == (name != "ordinary")


def test_an_ordinary_unet_reads_captions_as_they_are_and_never_an_edit(readers):
    teacher, ordinary = (a_task(name, readers) for name in ("teacher", "ordinary"))
    edited = {name: [] for name in ("teacher", "ordinary")}
    for task in (teacher, ordinary):
        for step in range(12):
            arrays = task.batches.get(step)
            _, hidden = task.conditioning(arrays, task.pool.at(step), torch.Generator().manual_seed(step))
            plain = task.encoder.encode_ids(torch.from_numpy(arrays["ids"])).hidden
            edited[task.name] += (hidden - plain).abs().amax((1, 2)).gt(0).tolist()
    assert not any(edited["ordinary"])
    assert 0.3 < np.mean(edited["teacher"]) < 0.9


def test_an_adapter_trains_beside_a_frozen_unet_in_the_format_diffusers_reads(tmp_path, readers, monkeypatch):
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPTextModel

    monkeypatch.setattr("mmsteer.world.training.loop.SHEETS", 1)
    task = AdapterTask(TINY, CPU, 0, SCHEDULE, a_unet(), **readers)
    task.steps = 2
    initial = {name: value.clone() for name, value in weights_of(task.unet).items()}
    train(task, tmp_path, Box(steps=6))
    assert all(torch.equal(task.unet.state_dict()[name], value) for name, value in a_unet().state_dict().items())
    file = tmp_path / "export" / "adapter" / FILE
    weights = load_file(file)
    assert weights.keys() == initial.keys()
    assert all(not torch.equal(weights[name], initial[name]) for name in weights)
    assert [path.name for path in (tmp_path / "adapter-samples").iterdir()] == ["0000006.png"]

    ours, stock = a_unet().eval(), a_unet().eval()
    attach(ours, read_adapter(file))
    pipeline = StableDiffusionPipeline(
        vae=readers["vae"], text_encoder=CLIPTextModel(readers["clip"].config.text_config), tokenizer=readers["tokenizer"],
        unet=stock, scheduler=build_scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.load_ip_adapter(str(file.parent), subfolder="", weight_name=FILE, image_encoder_folder=None)
    random = torch.Generator().manual_seed(0)
    noisy, hidden, image = (torch.randn(shape, generator=random) for shape in ((2, 16, 16, 16), (2, 24, 128), (2, 128)))
    outputs = [velocity(unet, noisy, torch.tensor([0.3, 0.9]), hidden, image) for unet in (ours, stock)]
    assert torch.equal(*outputs)
    assert not torch.equal(outputs[0], velocity(ours, noisy, torch.tensor([0.3, 0.9]), hidden, -image))


def test_a_unet_that_does_not_fit_its_readers_is_refused(readers):
    other = {**readers, "vae": copy.deepcopy(readers["vae"])}
    other["vae"].register_to_config(latent_channels=12)
    with pytest.raises(SteerError, match="16 channels.*12 channels"):
        TeacherTask(TINY, CPU, 0, SCHEDULE, a_unet(), **other)


class Constant(nn.Module):
    """A UNet whose velocity is the first number of its hidden states."""

    def set_attn_processor(self, processor):
        pass

    def forward(self, noisy, time, hidden):
        class Output:
            sample = hidden[:, 0, :1, None, None].expand_as(noisy)

        return Output


def test_the_students_target_is_where_the_teachers_guided_flow_leads(readers):
    task = StudentTask(TINY, CPU, 0, SCHEDULE, a_unet(), **readers, teacher=Constant())
    task.empty = torch.full_like(task.empty, 0.5)
    hidden = torch.full((2, *task.empty.shape[1:]), 2.0)
    target = task.target(torch.randn(2, 16, 16, 16), hidden, 1)
    assert torch.allclose(target, torch.full_like(target, 0.5 + GUIDANCE * (2.0 - 0.5)), atol=1e-4)
    assert task.shares[0] == pytest.approx(1, abs=1e-3)
    assert task.shares[-1] == 0


def test_the_flow_is_followed_by_steps_of_second_order():
    # along a velocity that is the noise share itself only the first of four steps, Euler's, errs: by half its square
    start, end = 0.9, 0.5
    even = np.linspace(start / (3 - 2 * start), end / (3 - 2 * end), 5)
    first = 3 * even[1] / (1 + 2 * even[1]) - start
    state = follow(lambda state, share: torch.full_like(state, share), torch.zeros(1), start, end)
    assert state.item() == pytest.approx((end**2 - start**2) / 2 - first**2 / 2, abs=1e-6)


def test_noise_is_mostly_strong_and_the_sprite_weighs_most():
    share = noise_shares(4000, torch.Generator().manual_seed(0))
    assert 0 < share.min() < share.max() <= 1
    assert 0.2 < (share > 0.95).float().mean() < 0.4
    values = torch.zeros(1, len(FACTORS), dtype=torch.long)  # a small one on the left
    weights = sprite_weights(values)[0, 0]
    assert weights.mean().item() == pytest.approx(1)
    heavy = (weights == weights.max()).nonzero()
    assert heavy.min(0).values.tolist() == [5, 1]
    assert heavy.max(0).values.tolist() == [12, 7]
    assert (weights.max() / weights.min()).item() == pytest.approx(4)
