"""Training of the world's models: each stage takes its steps, a kill costs nothing, and what is promised of the parts holds."""

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mmsteer.__main__ import main
from mmsteer.errors import SteerError
from mmsteer.models.backbone import STEERABLE
from mmsteer.models.image_adapter import attach, read_adapter
from mmsteer.world.draws import other_look, random_scenes
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.models.adapter import FILE, AdapterTask, weights_of
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.autoencoder import AutoencoderTask, Shape, build_autoencoder, cut, known, windows
from mmsteer.world.models.clip import LOOKS, ClipTask, ClipWords, build_clip, looks
from mmsteer.world.models.growth import grow
from mmsteer.world.models.judge import JudgeTask
from mmsteer.world.models.tokenizer import build_tokenizer
from mmsteer.world.models.unet import GUIDANCE, UnetShape, build_scheduler, build_unet, velocity
from mmsteer.world.training.conditioning import Counts
from mmsteer.world.training.loop import Box, Budget, Task, rate, train
from mmsteer.world.training.optimizers import Muon
from mmsteer.world.training.ordinary import OrdinaryTask
from mmsteer.world.training.pool import Pool, Ring
from mmsteer.world.training.stages import STAGES, boxes
from mmsteer.world.training.student import Settling, StudentTask, follow
from mmsteer.world.training.teacher import TeacherTask, noise_shares, sprite_weights
from mmsteer.world.training.workers import Workers

CPU = torch.device("cpu")
TINY = Budget(batch=3, rate=1e-3, warm=2, average=0.9)
RING = Ring(chunk=2, chunks=2, every=1)
SMALL = Shape(8, (0, 0, 1, 0, 0), 8, (1, 1, 0, 0, 0))
COUNTS = Counts(directions=60, undrawn=8, means=4)


# -- the loop --


class Line(Task):
    """The smallest task: one weight, its noise from the loop's generators, dying on request."""

    name = "line"

    def __init__(self, die_at=None, clock=None, average=0.9):
        super().__init__(Budget(batch=4, rate=0.1, warm=1, decay=0.5, average=average), CPU, seed=3)
        self.model = nn.Linear(3, 1)
        self.die_at, self.clock, self.rates, self.steps = die_at, clock, [], []

    def optimizers(self):
        self.optimizer = super().optimizers()[0]
        return [self.optimizer]

    def losses(self, step, rng, generator):
        if step == self.die_at:
            raise KeyboardInterrupt
        self.steps.append(step)
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        if self.clock:
            self.clock.now += 1
        x = torch.randn(4, 3, generator=generator) + float(rng.random())
        return {"loss": (self.model(x) - x.sum(1, keepdim=True)).square().mean()}

    def export(self, folder):
        self.exported = {k: v.clone() for k, v in self.model.state_dict().items()}


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_training_killed_and_run_again_takes_the_steps_an_unbroken_run_does(tmp_path):
    whole, killed, again = Line(), Line(die_at=8), Line()
    train(whole, tmp_path / "whole", Box(steps=12), every=0)
    with pytest.raises(KeyboardInterrupt):
        train(killed, tmp_path / "killed", Box(steps=12), every=0)
    train(again, tmp_path / "killed", Box(steps=12), every=0)
    assert (killed.steps, again.steps) == (list(range(8)), list(range(8, 12)))
    assert killed.rates + again.rates == whole.rates
    assert all(torch.equal(again.exported[k], v) for k, v in whole.exported.items())
    assert not list(tmp_path.rglob("*.partial"))


def test_the_rate_falls_to_zero_at_the_end_of_the_box_and_a_killed_run_goes_on_with_the_rest(tmp_path):
    clock = Clock()
    whole = Line(clock=clock)
    train(whole, tmp_path / "whole", Box(minutes=0.5), clock=clock)
    assert len(whole.rates) == 30
    assert whole.rates[:15] == [0.1] * 15  # stays until half of the box is used
    assert np.diff(whole.rates[15:]) == pytest.approx([-0.1 / 15] * 14)
    assert whole.rates[-1] == pytest.approx(0.1 / 15)  # and one step on it is zero
    with pytest.raises(KeyboardInterrupt):
        train(Line(die_at=10, clock=clock), tmp_path / "killed", Box(minutes=0.5), every=0, clock=clock)
    clock.now += 1000  # nobody trains
    again = Line(clock=clock)
    train(again, tmp_path / "killed", Box(minutes=0.5), clock=clock)
    assert again.steps == list(range(10, 30))
    assert again.rates == pytest.approx(whole.rates[10:])
    assert all(torch.equal(again.exported[k], v) for k, v in whole.exported.items())


def test_the_rate_rises_stays_and_falls():
    budget = Budget(batch=1, rate=2.0, warm=4, decay=0.5)
    assert [rate(budget, step, share) for step, share in ((0, 0), (1, 0.1), (9, 0.5), (20, 0.75), (30, 1), (31, 1.2))] == [
        0.5, 1.0, 2.0, 1.0, 0.0, 0.0,
    ]  # fmt: skip


def test_a_finished_run_only_exports_and_goes_on_in_a_larger_box(tmp_path):
    train(Line(), tmp_path, Box(steps=3), every=0)
    same, more = Line(), Line()
    train(same, tmp_path, Box(steps=3), every=0)
    train(more, tmp_path, Box(steps=5), every=0)
    assert (same.steps, more.steps) == ([], [3, 4])
    assert same.exported
    assert len((tmp_path / "line.log.jsonl").read_text().splitlines()) == 5


def test_a_rollout_is_never_broken(tmp_path):
    class Rollouts(Line):
        rollout = 4

    with pytest.raises(KeyboardInterrupt):
        train(Rollouts(die_at=6), tmp_path, Box(steps=6), every=0)
    again = Rollouts()
    train(again, tmp_path, Box(steps=6), every=0)
    assert again.steps == [4, 5, 6, 7]
    assert again.rates[-1] == 0


def test_a_damaged_checkpoint_and_a_loss_that_is_no_number_are_named(tmp_path):
    train(Line(), tmp_path, Box(steps=2))
    path = tmp_path / "line.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SteerError, match=r"line\.safetensors.*remove it"):
        train(Line(), tmp_path, Box(steps=4))
    lost = Line()
    lost.losses = lambda step, rng, generator: {"loss": lost.model.weight.sum() * float("nan")}
    with pytest.raises(SteerError, match="no longer finite"):
        train(lost, tmp_path / "lost", Box(steps=4))
    assert not (tmp_path / "lost" / "line.safetensors").exists()


@pytest.mark.parametrize("given", [{"minutes": 0}, {"minutes": -1.0}, {"steps": 0}, {"minutes": float("nan")}, {}])
def test_a_box_must_hold_something(given):
    with pytest.raises(SteerError, match="minutes" if given.keys() != {"steps"} else "steps"):
        Box(**given)


def test_all_shares_one_box_out():
    assert sum(STAGES.values()) == pytest.approx(1)
    shared = dict(boxes("all", 60.0, None))
    assert list(shared) == list(STAGES)
    assert sum(box.minutes for box in shared.values()) == pytest.approx(60)
    assert dict(boxes("judge", 60.0, None)) == {"judge": Box(minutes=60.0)}
    assert {box.steps for box in dict(boxes("all", None, 7)).values()} == {7}


# -- what the stages share --


def test_stacked_muon_steps_each_matrix_as_torchs_own_does():
    generator = torch.Generator().manual_seed(0)
    shapes = [(6, 4), (6, 4), (4, 9), (5, 3, 3, 3), (5, 3, 3, 3)]
    weights = [torch.randn(shape, generator=generator) for shape in shapes]
    weights = [w.contiguous(memory_format=torch.channels_last) if w.ndim == 4 else w for w in weights]
    stacked = [nn.Parameter(w.clone()) for w in weights]
    flat = [nn.Parameter((w.permute(0, 2, 3, 1).flatten(1) if w.ndim == 4 else w).clone()) for w in weights]
    own = Muon(stacked, rate=0.1, weight_decay=0.2)
    other = torch.optim.Muon(flat, lr=0.1, weight_decay=0.2, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        for a, b in zip(stacked, flat, strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.permute(0, 2, 3, 1).flatten(1) if a.ndim == 4 else a.grad
        own.step()
        other.step()
    for a, b, before in zip(stacked, flat, weights, strict=True):
        a = a.permute(0, 2, 3, 1).flatten(1) if a.ndim == 4 else a
        assert torch.allclose(a, b, atol=0.01 * 0.1)  # the iteration itself is in bfloat16
        assert (a - before.reshape(a.shape)).norm() > 0.1


def test_the_pool_follows_from_the_step_alone():
    ring, made = Ring(chunk=2, chunks=3, every=2), []

    def make(number):
        made.append(number)
        return {"number": torch.full((2,), number), "first": torch.from_numpy(ring.scenes(number).values[:, 0])}

    unbroken, resumed = Pool(ring, make), Pool(ring, make)
    for step in range(9):
        pool = unbroken.at(step)
    assert made == [0, 1, 2, 3, 4, 5, 6]  # each chunk once
    assert sorted(set(pool["number"].tolist())) == [4, 5, 6]
    assert all(torch.equal(pool[name], value) for name, value in resumed.at(8).items())
    rows = np.array([5, 0, 3])
    assert (ring.rows(8, rows).values[:, 0] == pool["first"][rows].numpy()).all()


def test_workers_word_what_this_process_would():
    words = ClipWords(batch=3, tokenizer=build_tokenizer(), seed=5)
    workers = Workers(words, 2)
    workers.start(7)
    try:
        for step in (7, 8, 9):
            apart, here = workers.get(step), words(step)
            assert all((apart[name] == value).all() for name, value in here.items())
    finally:
        workers.stop()


def test_twins_differ_in_looks_alone():
    rng = np.random.default_rng(0)
    values = random_scenes(rng, 200).values
    twin = other_look(rng, values)
    for i, factor in enumerate(FACTORS):
        assert (twin[:, i] == values[:, i]).all() == (factor.modality != "vision"), factor.name
    assert {FACTORS[i].modality for i, _ in LOOKS} == {"vision"}
    vision = [i for i, factor in enumerate(FACTORS) if factor.modality == "vision"]
    assert (looks(values).sum(1) == (values[:, vision] > 0).sum(1)).all()


# -- the autoencoder --


def test_windows_are_cut_where_they_lie_and_mostly_hold_the_sprite():
    whole = torch.arange(2 * 3 * 6 * 6).view(2, 3, 6, 6)
    corners = torch.tensor([[1, 3], [0, 2]])
    pieces = cut(whole, corners, 3)
    assert torch.equal(pieces[0], whole[0, :, 0:3, 1:4])
    assert torch.equal(pieces[1], whole[1, :, 2:5, 3:6])
    values = random_scenes(np.random.default_rng(0), 500).values
    x, y = windows(np.random.default_rng(1), values, cells=16, side=8)
    assert min(x.min(), y.min()) >= 0
    assert max(x.max(), y.max()) <= 8
    middle = 4.5 + 3.5 * values[:, INDEX["position"]]
    assert ((x + 1 < middle) & (middle < x + 7) & (y + 1 < 9) & (y + 7 > 9)).mean() > 0.6


def test_inner_edges_of_a_window_do_not_count_and_the_pictures_own_do():
    mask = known(torch.tensor([[0, 4], [2, 0]]), cells=16, side=12)
    assert mask.shape == (2, 1, 192, 192)
    assert torch.equal(mask[0, 0], known_by_hand(left=0, right=24, top=24, bottom=24))
    assert torch.equal(mask[1, 0], known_by_hand(left=24, right=0, top=0, bottom=24))


def known_by_hand(left, right, top, bottom):
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
    task = AutoencoderTask(TINY, CPU, 0, RING, vae, decoder_only)
    train(task, tmp_path, Box(steps=2))
    (sheet,) = tmp_path.glob("*-samples/*.png")
    assert sheet.stat().st_size > 1000
    after = vae.state_dict()
    changed = {name.split(".")[0] for name, value in before.items() if not torch.equal(after[name], value.half())}
    assert changed == ({"decoder"} if decoder_only else {"encoder", "decoder"})


# -- the other stages --


def test_judge_and_clip_train_and_are_read_back(tmp_path):
    from transformers import AutoTokenizer, CLIPModel

    from mmsteer.world.models.judge import Judge

    train(JudgeTask(TINY, CPU, 0), tmp_path, Box(steps=2))
    black = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    assert Judge.load(tmp_path / "export" / "judge").read(black).shape == (1, len(FACTORS))
    task = ClipTask(Budget(batch=6, rate=1e-3), CPU, 0)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    train(task, tmp_path, Box(steps=2))
    still = [name for name, value in task.model.named_parameters() if torch.equal(before[name], value)]
    assert not [name for name in still if "bias" not in name], still  # every head and both towers take part
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
        task = (TeacherTask if name == "teacher" else OrdinaryTask)(TINY, CPU, 0, RING, a_unet(), **readers)
    else:
        task = StudentTask(TINY, CPU, 0, RING, a_unet(), **readers, teacher=a_unet(), settling=Settling(2, 3, RING))
    task.steps = 2  # of its samples
    return task


@pytest.mark.parametrize(("name", "folder"), [("teacher", "teacher"), ("student", "unet"), ("ordinary", "ordinary")])
def test_unets_train_and_a_killed_run_takes_the_very_same_steps(tmp_path, readers, name, folder, monkeypatch):
    from diffusers import UNet2DConditionModel

    monkeypatch.setattr("mmsteer.world.training.loop.SHEETS", 1)

    def weights(where):
        unet = UNet2DConditionModel.from_pretrained(where / "export" / folder)
        return unet.state_dict()

    train(a_task(name, readers), tmp_path / "whole", Box(steps=8), every=0)
    killed = a_task(name, readers)
    losses = killed.losses
    killed.losses = lambda step, *random: losses(step, *random) if step < 6 else 1 / 0
    with pytest.raises(ZeroDivisionError):
        train(killed, tmp_path / "killed", Box(steps=8), every=0)
    train(a_task(name, readers), tmp_path / "killed", Box(steps=8), every=0)
    whole, again = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(again[key], value) for key, value in whole.items())
    assert any(not torch.equal(value, again[key].float()) for key, value in a_unet().state_dict().items())
    assert [path.name for path in (tmp_path / "whole" / f"{name}-samples").iterdir()] == ["0000008.png"]
    steerable = json.loads((tmp_path / "whole" / "export" / folder / "config.json").read_text()).get(STEERABLE, False)
    assert steerable == (name != "ordinary")


def test_an_ordinary_unet_reads_captions_as_they_are_and_never_an_edit(readers):
    teacher, ordinary = (a_task(name, readers) for name in ("teacher", "ordinary"))
    edited = {name: [] for name in ("teacher", "ordinary")}
    for task in (teacher, ordinary):
        for step in range(12):
            words = task.words.get(step)
            _, hidden = task.conditioning(words, task.pool.at(step), torch.Generator().manual_seed(step))
            plain = task.conditions.read_ids(torch.from_numpy(words["ids"]))[0]
            edited[task.name] += (hidden - plain).abs().amax((1, 2)).gt(0).tolist()
    assert not any(edited["ordinary"])
    assert 0.3 < np.mean(edited["teacher"]) < 0.9


def test_an_adapter_trains_beside_a_frozen_unet_in_the_format_diffusers_reads(tmp_path, readers, monkeypatch):
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPTextModel

    monkeypatch.setattr("mmsteer.world.training.loop.SHEETS", 1)
    task = AdapterTask(TINY, CPU, 0, RING, a_unet(), **readers)
    task.steps = 2
    began = {name: value.clone() for name, value in weights_of(task.unet).items()}
    train(task, tmp_path, Box(steps=6))
    assert all(torch.equal(task.unet.state_dict()[name], value) for name, value in a_unet().state_dict().items())
    file = tmp_path / "export" / "adapter" / FILE
    weights = load_file(file)
    assert weights.keys() == began.keys()
    assert all(not torch.equal(weights[name], began[name]) for name in weights)
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
        TeacherTask(TINY, CPU, 0, RING, a_unet(), **other)


class Constant(nn.Module):
    """A UNet whose velocity is the first number of what it reads."""

    def set_attn_processor(self, processor):
        pass

    def forward(self, noisy, time, hidden):
        class Output:
            sample = hidden[:, 0, :1, None, None].expand_as(noisy)

        return Output


def test_the_students_target_is_where_the_teachers_guided_flow_leads(readers):
    task = StudentTask(TINY, CPU, 0, RING, a_unet(), **readers, teacher=Constant())
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


# -- the command --


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["judge", "--minutes", "0"], "--minutes must be above 0"),
        (["judge", "--minutes", "1", "--device", "cuda:77"], "--device cuda:77"),
        (["judge", "--minutes", "1", "--device", "abacus"], "--device abacus"),
        (["judge", "--minutes", "1", "--from", "/nowhere"], "--from /nowhere"),
        (["judge", "--minutes", "1", "--decoder-only"], "--decoder-only goes with"),
        (["judge", "--minutes", "1", "--workers", "-1"], "negative"),
        (["teacher", "--minutes", "1"], "there is no clip in"),
        (["student", "--minutes", "1", "--from", "EMPTY"], "there is no clip in"),
        (["clip", "--minutes", "1", "--from", "EMPTY"], "has no clip"),
        (["autoencoder", "--minutes", "1", "--decoder-only"], "there is no vae in"),
        (["autoencoder", "--minutes", "1", "--from", "DAMAGED"], "cannot read the autoencoder in"),
    ],
)
def test_the_command_answers_nonsense_with_one_line(arguments, told, capsys, tmp_path):
    (tmp_path / "EMPTY").mkdir()
    build_autoencoder(SMALL).save_pretrained(tmp_path / "DAMAGED" / "vae")
    shard = tmp_path / "DAMAGED" / "vae" / "diffusion_pytorch_model.safetensors"
    shard.write_bytes(shard.read_bytes()[:300])
    places = [str(tmp_path / word) if word in ("EMPTY", "DAMAGED") else word for word in arguments]
    assert main(["world", "train", *places, "--work", str(tmp_path / "work")]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mmsteer: ")]
    assert told in line


def test_a_stage_trained_from_the_command_line_is_put_together_with_the_others(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mmsteer.world.models.judge.CPU", TINY)
    work, out = tmp_path / "work", tmp_path / "out"
    arguments = ["judge", "--steps", "1", "--from", "--work", str(work), "--out", str(out), "--threads", "1"]
    assert main(["world", "train", *arguments]) == 0
    assert "judge  step 1" in capsys.readouterr().out
    trained, shipped = ((folder / "judge" / "model.safetensors").read_bytes() for folder in (out, MINI))
    assert trained == (work / "export" / "judge" / "model.safetensors").read_bytes() != shipped
    for name in ("clip", "vae"):  # the rest is what the run started from
        assert len(list((out / name).glob("*.safetensors"))) == 1
    assert (out / "model_index.json").is_file()
