"""What a drawing tells between its steps, for every family: how far it is, and a preview that is near the picture to come."""

from typing import Any

import diffusers
import pytest
import torch
from PIL import Image

from mmsteer import Edit, Recipe, Sampler, Steerer
from mmsteer.models.backbone import Backbone
from mmsteer.steering.progress.estimate import clean
from mmsteer.steering.progress.linear_decoder import decoder_of
from mmsteer.steering.progress.step import Step

FIRST_ORDER = [
    ("DDIMScheduler", {}), ("EulerDiscreteScheduler", {}), ("FlowMatchEulerDiscreteScheduler", {}),
    ("DPMSolverMultistepScheduler", {"solver_order": 1}),
    ("DPMSolverMultistepScheduler", {"solver_order": 1, "use_flow_sigmas": True, "prediction_type": "flow_prediction"}),
]  # fmt: skip


class StoppedError(Exception):
    """Raised between two steps."""


def watched(steerer: Steerer, listener: Any) -> Steerer:
    """A steerer with the same models and caches of its own."""
    fresh = Steerer(steerer.backbone, steerer.bank)
    fresh.between_steps = listener
    return fresh


@pytest.mark.parametrize(("kind", "options"), FIRST_ORDER)
def test_two_states_of_a_straight_line_give_its_end(kind: str, options: dict[str, Any]):
    scheduler = getattr(diffusers, kind)(**options)
    scheduler.set_timesteps(6)
    random = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(1, 4, 8, 8, generator=random) for _ in range(2))

    def state(time: torch.Tensor) -> torch.Tensor:
        at = time.reshape(1)
        return scheduler.scale_noise(x0, at, noise) if "FlowMatch" in kind else scheduler.add_noise(x0, noise, at)

    times = scheduler.timesteps
    for first in range(1, 4):
        torch.testing.assert_close(
            clean(scheduler, times[first : first + 2], state(times[first]), state(times[first + 1])),
            x0,
            atol=1e-3,
            rtol=1e-3,
        )


def test_where_a_sampler_adds_noise_of_its_own_a_state_speaks_for_itself():
    scheduler = diffusers.DDIMScheduler()
    scheduler.set_timesteps(6)
    random = torch.Generator().manual_seed(0)
    x0, one, other = (torch.randn(1, 4, 8, 8, generator=random) for _ in range(3))
    times = scheduler.timesteps[2:4]
    found = clean(scheduler, times, scheduler.add_noise(x0, one, times[:1]), scheduler.add_noise(x0, other, times[1:]))
    alone = clean(scheduler, times, None, scheduler.add_noise(x0, other, times[1:]))
    torch.testing.assert_close(found, alone)
    assert (found - x0).square().mean() < x0.square().mean()  # nearer than knowing nothing


def test_a_scheduler_that_does_not_say_how_noisy_a_state_is_has_no_preview():
    scheduler = diffusers.IPNDMScheduler()
    scheduler.set_timesteps(4)
    assert clean(scheduler, scheduler.timesteps[:2], None, torch.zeros(1, 4, 8, 8)) is None


@pytest.fixture(scope="module")
def mini() -> Steerer:
    return Steerer.load("mini")


def near(preview: Image.Image, picture: Image.Image) -> float:
    """The root mean square difference of a preview and a picture, from 0 to 1."""
    small = picture.resize(preview.size, Image.Resampling.BOX)
    first, second = (
        torch.frombuffer(bytearray(one.tobytes()), dtype=torch.uint8).float() / 255 for one in (preview, small)
    )
    return float((first - second).square().mean().sqrt())


def test_previews_are_a_quarter_of_the_size_and_come_ever_nearer_to_the_picture(mini: Steerer):
    seen: list[Image.Image | None] = []
    picture = watched(mini, lambda step: seen.append(step.preview())).picture(Recipe("a cat in the snow", 3))
    assert seen[-1] is None  # after the last step the picture itself comes
    distances = [near(preview, picture) for preview in seen[:-1] if preview is not None]
    assert [preview and preview.size for preview in seen] == [(64, 64)] * 3 + [None]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.15


def test_the_map_agrees_with_the_decoder_it_was_fitted_to(mini: Steerer):
    vae = mini.backbone.pipeline.vae
    with torch.no_grad():
        for colour in ((0.8, -0.2, -0.6), (-0.5, 0.4, 0.7), (0.9, 0.9, 0.9)):
            flat = torch.tensor(colour).reshape(1, 3, 1, 1).expand(1, 3, 256, 256)
            preview = decoder_of(mini.backbone).picture(vae.encode(flat).latents)
            middle = torch.tensor(preview.getpixel((32, 32))) / 127.5 - 1
            assert (middle - torch.tensor(colour)).abs().max() < 0.25


def test_every_family_is_watched_and_drawn_bit_by_bit_as_before(steerers: dict[str, Steerer]):
    recipe = Recipe("a cat", 4, Sampler(3, 2.0), (Edit("night"),))
    for name, steerer in steerers.items():
        steps: list[Step] = []
        previews: list[Image.Image | None] = []

        def look(step: Step, steps: list[Step] = steps, previews: list[Image.Image | None] = previews) -> None:
            steps.append(step)
            previews.append(step.preview())

        assert watched(steerer, look).picture(recipe).tobytes() == steerer.picture(recipe).tobytes(), name
        assert [step.fraction for step in steps] == pytest.approx([(k + 1) / len(steps) for k in range(len(steps))]), (
            name
        )
        assert previews[-1] is None, name
        assert all(isinstance(preview, Image.Image) for preview in previews[:-1]), name


def test_a_drawing_that_is_stopped_leaves_nothing_behind(steerers: dict[str, Steerer]):
    def stop(_: Step) -> None:
        raise StoppedError

    for name, steerer in steerers.items():
        stopped = watched(steerer, stop)
        with pytest.raises(StoppedError):
            stopped.steer("a cat", [Edit("night")], seed=5)
        assert len(stopped.befores) == 0, name
        stopped.between_steps = lambda _: None
        assert stopped.picture(Recipe("a cat", 5)).tobytes() == steerer.picture(Recipe("a cat", 5)).tobytes(), name


def test_an_autoencoder_in_half_precision_is_fitted_too(tiny_folder: Any):
    whole, half = Backbone.load(str(tiny_folder)), Backbone.load(str(tiny_folder), dtype="float16")
    torch.testing.assert_close(decoder_of(half).weights, decoder_of(whole).weights, atol=0.1, rtol=0.1)
