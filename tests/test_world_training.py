"""Training of the world's models: the loop, what its tasks share, and the command. A kill costs nothing."""

import numpy as np
import pytest
import torch
from torch import nn

from mmsteer.__main__ import main
from mmsteer.errors import SteerError
from mmsteer.world.draws import random_scenes, redraw_vision_factors
from mmsteer.world.factors import FACTORS
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.autoencoder import Shape, build_autoencoder
from mmsteer.world.models.tokenizer import build_tokenizer
from mmsteer.world.training.loop import Box, Budget, Task, rate, train
from mmsteer.world.training.optimizers import Muon
from mmsteer.world.training.pool import PoolSchedule, ScenePool
from mmsteer.world.training.stages import STAGES, boxes
from mmsteer.world.training.tasks.clip import VISION_VALUES, ClipBatches, vision_indicators
from mmsteer.world.training.workers import Workers

CPU = torch.device("cpu")
TINY = Budget(batch=3, rate=1e-3, warm=2, average=0.9)
SMALL = Shape(8, (0, 0, 1, 0, 0), 8, (1, 1, 0, 0, 0))


# -- the loop --


class Line(Task):
    """The smallest task: one layer, noise from the loop's generators; it dies on request."""

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
    unbroken, killed, again = Line(), Line(die_at=8), Line()
    train(unbroken, tmp_path / "unbroken", Box(steps=12), every=0)
    with pytest.raises(KeyboardInterrupt):
        train(killed, tmp_path / "killed", Box(steps=12), every=0)
    train(again, tmp_path / "killed", Box(steps=12), every=0)
    assert (killed.steps, again.steps) == (list(range(8)), list(range(8, 12)))
    assert killed.rates + again.rates == unbroken.rates
    assert all(torch.equal(again.exported[k], v) for k, v in unbroken.exported.items())
    assert not list(tmp_path.rglob("*.partial"))


def test_the_rate_falls_to_zero_at_the_end_of_the_box_and_a_killed_run_goes_on_with_the_rest(tmp_path):
    clock = Clock()
    unbroken = Line(clock=clock)
    train(unbroken, tmp_path / "unbroken", Box(minutes=0.5), clock=clock)
    assert len(unbroken.rates) == 30
    assert unbroken.rates[:15] == [0.1] * 15  # stays until half of the box is used
    assert np.diff(unbroken.rates[15:]) == pytest.approx([-0.1 / 15] * 14)
    assert unbroken.rates[-1] == pytest.approx(0.1 / 15)  # and one step on it is zero
    with pytest.raises(KeyboardInterrupt):
        train(Line(die_at=10, clock=clock), tmp_path / "killed", Box(minutes=0.5), every=0, clock=clock)
    clock.now += 1000  # nobody trains
    again = Line(clock=clock)
    train(again, tmp_path / "killed", Box(minutes=0.5), clock=clock)
    assert again.steps == list(range(10, 30))
    assert again.rates == pytest.approx(unbroken.rates[10:])
    assert all(torch.equal(again.exported[k], v) for k, v in unbroken.exported.items())


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


@pytest.mark.parametrize("arguments", [{"minutes": 0}, {"minutes": -1.0}, {"steps": 0}, {"minutes": float("nan")}, {}])
def test_a_box_must_not_be_empty(arguments):
    with pytest.raises(SteerError, match="minutes" if arguments.keys() != {"steps"} else "steps"):
        Box(**arguments)


def test_all_divides_one_box_among_the_stages():
    assert sum(STAGES.values()) == pytest.approx(1)
    divided = dict(boxes("all", 60.0, None))
    assert list(divided) == list(STAGES)
    assert sum(box.minutes for box in divided.values()) == pytest.approx(60)
    assert dict(boxes("judge", 60.0, None)) == {"judge": Box(minutes=60.0)}
    assert {box.steps for box in dict(boxes("all", None, 7)).values()} == {7}


# -- what the tasks share --


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
    schedule, computed = PoolSchedule(chunk=2, chunks=3, every=2), []

    def compute(number):
        computed.append(number)
        return {"number": torch.full((2,), number), "first": torch.from_numpy(schedule.scenes(number).values[:, 0])}

    unbroken, resumed = ScenePool(schedule, compute), ScenePool(schedule, compute)
    for step in range(9):
        pool = unbroken.at(step)
    assert computed == [0, 1, 2, 3, 4, 5, 6]  # each chunk once
    assert sorted(set(pool["number"].tolist())) == [4, 5, 6]
    assert all(torch.equal(pool[name], value) for name, value in resumed.at(8).items())
    rows = np.array([5, 0, 3])
    assert (schedule.rows(8, rows).values[:, 0] == pool["first"][rows].numpy()).all()


def test_workers_compute_what_this_process_would():
    batches = ClipBatches(batch=3, tokenizer=build_tokenizer(), seed=5)
    workers = Workers(batches, 2)
    workers.start(7)
    try:
        for step in (7, 8, 9):
            remote, local = workers.get(step), batches(step)
            assert all((remote[name] == value).all() for name, value in local.items())
    finally:
        workers.stop()


def test_counterfactuals_differ_in_vision_factors_alone():
    rng = np.random.default_rng(0)
    values = random_scenes(rng, 200).values
    counterfactual = redraw_vision_factors(rng, values)
    for i, factor in enumerate(FACTORS):
        assert (counterfactual[:, i] == values[:, i]).all() == (factor.modality != "vision"), factor.name
    assert {FACTORS[i].modality for i, _ in VISION_VALUES} == {"vision"}
    vision = [i for i, factor in enumerate(FACTORS) if factor.modality == "vision"]
    assert (vision_indicators(values).sum(1) == (values[:, vision] > 0).sum(1)).all()


# -- the command --


@pytest.mark.parametrize(
    ("arguments", "message"),
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
def test_the_command_answers_nonsense_with_one_line(arguments, message, capsys, tmp_path):
    (tmp_path / "EMPTY").mkdir()
    build_autoencoder(SMALL).save_pretrained(tmp_path / "DAMAGED" / "vae")
    shard = tmp_path / "DAMAGED" / "vae" / "diffusion_pytorch_model.safetensors"
    shard.write_bytes(shard.read_bytes()[:300])
    places = [str(tmp_path / word) if word in ("EMPTY", "DAMAGED") else word for word in arguments]
    assert main(["world", "train", *places, "--work", str(tmp_path / "work")]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mmsteer: ")]
    assert message in line


def test_a_stage_trained_from_the_command_line_is_assembled_with_the_others(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mmsteer.world.training.tasks.judge.CPU", TINY)
    work, out = tmp_path / "work", tmp_path / "out"
    arguments = ["judge", "--steps", "1", "--from", "--work", str(work), "--out", str(out), "--threads", "1"]
    assert main(["world", "train", *arguments]) == 0
    assert "judge  step 1" in capsys.readouterr().out
    trained, shipped = ((folder / "judge" / "model.safetensors").read_bytes() for folder in (out, MINI))
    assert trained == (work / "export" / "judge" / "model.safetensors").read_bytes() != shipped
    for name in ("clip", "vae"):  # the rest is what the run started from
        assert len(list((out / name).glob("*.safetensors"))) == 1
    assert (out / "model_index.json").is_file()
