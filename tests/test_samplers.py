"""Edits act in exactly the denoiser calls that they name, with every sampler of diffusers that these pipelines accept; and what is
not finite becomes no picture.
"""

import contextlib
import copy
import warnings
from dataclasses import replace

import diffusers
import pytest
import torch
from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers

from mmsteer import Edit, Sampler, Steerer, SteerError
from mmsteer.models.backbone import Backbone
from mmsteer.recipes.recipe import Recipe
from mmsteer.steering.sampling import render

PROMPT = "a red dog"
KARRAS = {kind.name for kind in KarrasDiffusionSchedulers}
# all that diffusers calls exchangeable with these (but inverses, which turn pictures into noise, and CogVideoX's, which step otherwise),
# and what fits besides
EXCHANGEABLE = KARRAS | {
    name
    for name, kind in vars(diffusers).items()
    if KARRAS & set(getattr(kind, "_compatibles", [])) and "Inverse" not in name and "CogVideoX" not in name
}
EDM = {"sigma_min": 0.002, "sigma_max": 80.0}  # others say None, which EDM's do not take
SAMPLERS = [(name, EDM if name.startswith("EDM") else {}) for name in sorted(EXCHANGEABLE)]
SAMPLERS += [
    ("LCMScheduler", {}),
    ("TCDScheduler", {}),
    ("IPNDMScheduler", {}),
    ("EDMDPMSolverMultistepScheduler", EDM),
]
SAMPLERS += [("PNDMScheduler", {"skip_prk_steps": True})]  # as Stable Diffusion 1.x brings it
ZERO_SNR = {"timestep_spacing": "trailing", "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
SAMPLERS += [("DDIMScheduler", ZERO_SNR)]
SAMPLERS += [
    (name, {"use_flow_sigmas": True, "prediction_type": "flow_prediction"})
    for name in (
        "DPMSolverMultistepScheduler",
        "UniPCMultistepScheduler",
        "DEISMultistepScheduler",
        "SASolverScheduler",
    )
]


def with_sampler(steerer: Steerer, kind: str, options: dict) -> Steerer:
    """The same models with another scheduler."""
    cls = getattr(diffusers, kind)
    missing = [name for name in getattr(cls, "_backends", ()) if name not in ("torch",)]
    if missing:
        pytest.skip(f"{kind} needs {' and '.join(missing)}, which mmsteer does not install")
    pipeline = copy.copy(steerer.backbone.pipeline)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.scheduler = cls.from_config(pipeline.scheduler.config, **options)
    return Steerer(replace(steerer.backbone, pipeline=pipeline), steerer.bank)


@contextlib.contextmanager
def reads(steerer: Steerer):
    """What the denoiser reads in each call: the rows of the prompt, `[T, d_text]`, and the pooled vector where there is one."""
    calls = []

    def note(_module, args, kwargs):
        hidden = args[2] if len(args) > 2 else kwargs["encoder_hidden_states"]
        pooled = (kwargs.get("added_cond_kwargs") or {}).get("text_embeds")
        calls.append((hidden[-1].clone(), None if pooled is None else pooled[-1].clone()))

    seen = steerer.backbone.pipeline.unet.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield calls
    finally:
        seen.remove()


def acting(steerer: Steerer, edit: Edit, steps: int) -> str:
    """Of each call of the denoiser a letter: `e` where it reads what the edit makes, `-` where it reads the prompt."""
    sampler = Sampler(steps, 4.0)
    state = steerer.read([PROMPT])
    schedule = steerer.schedule(state, [edit])
    edited = steerer.schedule(state, [replace(edit, start=0.0, end=1.0)]).at(0)
    with reads(steerer) as calls:
        render(steerer.backbone, schedule, steerer.empty, [3], sampler, lambda step: None)
    letters = ""
    for hidden, pooled in calls:
        options = {
            letter: torch.equal(hidden, c.hidden[0]) and (pooled is None or torch.equal(pooled, c.pooled[0]))
            for letter, c in (("e", edited), ("-", schedule.prompt))
        }
        assert sum(options.values()) == 1, "it reads the one or the other"
        letters += max(options, key=options.get)
    return letters


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
@pytest.mark.parametrize(("kind", "options"), SAMPLERS, ids=lambda value: value if isinstance(value, str) else None)
def test_edits_act_in_the_calls_they_name(steerers, family, kind, options):
    steerer = with_sampler(steerers[family], kind, options)
    for steps, start, end in ((4, 0.5, 1.0), (7, 0.25, 0.75)):
        whole = acting(steerer, Edit("penguin", strength=2.0), steps)
        calls = len(whole)
        assert calls >= steps
        assert whole == "e" * calls  # from the first call to the last
        expected = "".join("e" if start <= call / calls < end else "-" for call in range(calls))
        assert acting(steerer, Edit("penguin", strength=2.0, start=start, end=end), steps) == expected


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("EulerDiscreteScheduler", {}, "--ee"),
        ("HeunDiscreteScheduler", {}, "-- -- ee e"),  # two calls a step, one in the last
        ("KDPM2DiscreteScheduler", {}, "-- -- ee e"),
        ("PNDMScheduler", {"skip_prk_steps": True}, "-- - e e"),  # two calls in the first step
    ],
)
def test_a_range_between_steps_is_kept_by_samplers_that_call_more_often(steerers, kind, options, expected):
    steerer = with_sampler(steerers["sd1"], kind, options)
    assert acting(steerer, Edit("penguin", strength=2.0, start=0.5), 4) == expected.replace(" ", "")


def broken(backbone: Backbone, part: str) -> Backbone:
    """The same models, of which one part gives a number that is not finite."""
    pipeline = copy.copy(backbone.pipeline)
    for name in ("unet", "vae"):
        setattr(pipeline, name, copy.deepcopy(getattr(pipeline, name)))
    last = pipeline.unet.conv_out if part == "unet" else pipeline.vae.decoder.conv_out
    last.bias[1] = float("nan" if part == "unet" else "inf")
    return replace(backbone, pipeline=pipeline)


@pytest.mark.parametrize("family", ["sd1", "sdxl", "unclip"])
@pytest.mark.parametrize(("part", "named"), [("unet", "the denoiser"), ("vae", "the VAE")])
def test_numbers_that_are_not_finite_become_no_picture(steerers, family, part, named):
    steerer = Steerer(broken(steerers[family].backbone, part), steerers[family].bank)
    draw = [
        lambda: steerer.steer(PROMPT, [Edit("penguin")], 3, Sampler(2, 4.0)),
        lambda: steerer.picture(Recipe(PROMPT, 3, Sampler(2, 1.0))),
        lambda: steerer.render_many([PROMPT] * 2, [], [3, 4], Sampler(2, 1.0)),
    ]
    for picture in draw:
        with pytest.raises(SteerError, match=f"{named} gave numbers that are not finite, in float32.*damaged"):
            picture()
    assert steerers[family].steer(PROMPT, [], 3, Sampler(2, 4.0)).before  # the shared models are as they were


@pytest.mark.parametrize(("part", "cure"), [("unet", "float32"), ("vae", "float32, or a VAE.*sdxl-vae-fp16-fix")])
def test_in_half_precision_the_error_says_what_to_try(folders, steerers, part, cure):
    half = Backbone.load(str(folders["sd1"]), "cpu", "bfloat16")
    with pytest.raises(SteerError, match=f"in bfloat16.*try --dtype {cure}"):
        Steerer(broken(half, part), steerers["sd1"].bank).steer(PROMPT, [], 3, Sampler(2, 4.0))
