"""From what a UNet reads, and seeds, to pictures: the only caller of the diffusion pipeline.

Calls share nothing but weights: each works on a shallow copy of the pipeline with a scheduler of its own, since schedulers keep
their step index on themselves.
"""

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.errors import SteerError
from mmsteer.models import image_adapter
from mmsteer.steering.denoiser import Decoder, Denoiser
from mmsteer.steering.progress.step import Step, Steps

if TYPE_CHECKING:
    import torch

    from mmsteer.models.backbone import Backbone
    from mmsteer.models.conditioning import Conditioning
    from mmsteer.models.sampler import Sampler
    from mmsteer.recipes.region import Region
    from mmsteer.recipes.start import Start
    from mmsteer.steering.schedule import Schedule


class Drawn(NamedTuple):
    """Pictures, and what the checkpoint's own safety checker says of them."""

    pictures: "torch.Tensor"
    """uint8 [B, 3, H, W]"""
    blanked: tuple[bool, ...]
    """Per picture, whether the safety checker made it black; never, for checkpoints without one."""


def render(
    backbone: "Backbone",
    schedule: "Schedule",
    empty: "Conditioning",
    seeds: Sequence[int],
    sampler: "Sampler",
    between_steps: Callable[[Step], None],
    region: "Region | None" = None,
    start: "Start | None" = None,
) -> Drawn:
    """Draw B pictures.

    What the denoiser reads in a call depends on the fraction of the run at that call: the number of calls before it, divided by the
    number of all calls, which is that of the timesteps that are drawn. Most schedulers have one timestep a step. Heun and KDPM2
    have two in all steps but the last; PNDM, as Stable Diffusion 1.x brings it, has two in its first. By this definition a
    boundary between two steps parts the calls of one step from those of the next with these, too.

    Args:
        backbone: whose pipeline draws.
        schedule: what the UNet reads for B prompts, at each moment of the run.
        empty: what guidance steers away from, of one prompt.
        seeds: picture i starts from the noise of seeds[i], drawn on the CPU, whatever the batch.
        sampler: steps and guidance.
        between_steps: called after every step. It may draw other pictures; an error that it raises ends this drawing.
        region: where the edits act; None: everywhere. With a region, *before* is drawn beside each picture: twice the work.
        start: a picture to draw from, encoded and noised as far as its freedom says, by the seed of each; None: from noise alone.

    Raises:
        SteerError: edit guidance, where a pipeline reads the prompt once for the whole run; an adapter's scale without an adapter;
            a start, where no pipeline of the family takes one; or the denoiser or the VAE gives numbers that are not finite.
    """
    import torch

    if region is not None:
        schedule, seeds = schedule.beside_before(), [*seeds, *seeds]
    asked = slice(len(seeds) // 2 if region is not None else 0, None)
    pipeline = copy.copy(backbone.pipeline if start is None else backbone.from_picture)
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    family = backbone.family
    guided = sampler.guidance > 1 and backbone.compares
    against = empty.repeated(len(seeds))
    denoiser = _denoiser(backbone, schedule, sampler, region, start is not None)
    if denoiser is not None:
        setattr(pipeline, family.denoiser, denoiser)
    pipeline.vae = Decoder(pipeline.vae)
    arguments: dict[str, Any] = family.arguments(schedule.at(0.0), against, guided) | {
        "guidance_scale": sampler.guidance,
        "generator": [torch.Generator().manual_seed(seed) for seed in seeds],
        "output_type": "pt",
    }
    arguments |= _adapter_arguments(backbone, sampler.adapter_scale) | _steps(
        backbone, sampler.steps, start, len(seeds)
    )
    steps = Steps(backbone, len(seeds) * (2 if guided else 1), asked.start, between_steps)
    if not family.phases:
        arguments |= {"callback": lambda call, _, latents: steps.done(pipeline, call, latents), "callback_steps": 1}
    else:
        current = schedule.at(0.0)

        def on_step_end(
            run: Any, call: int, time: Any, tensors: dict[str, "torch.Tensor"]
        ) -> dict[str, "torch.Tensor"]:
            nonlocal current
            steps.done(run, call, tensors["latents"])
            calls = run.num_timesteps
            wanted = schedule.at((call + 1) / calls) if call + 1 < calls else current
            if wanted is current:
                return {}
            current = wanted
            if denoiser is not None:
                denoiser.current = current
            return family.next_tensors(current, against, guided)

        arguments["callback_on_step_end"] = on_step_end
        arguments["callback_on_step_end_tensor_inputs"] = ["latents", "prompt_embeds"]
    try:
        with torch.no_grad():
            output = pipeline(**arguments)
    finally:
        backbone.pipeline.maybe_free_model_hooks()  # where parts move to the GPU in turn, the copy has lost sight of some
    blanked = getattr(output, "nsfw_content_detected", None) or [False] * len(seeds)
    pictures = (output.images.float() * 255).round().to(torch.uint8).cpu()
    return Drawn(pictures[asked], tuple(bool(flag) for flag in blanked[asked]))


def _steps(backbone: "Backbone", steps: int, start: "Start | None", count: int) -> dict[str, Any]:
    """What the pipeline is called with for its steps and, where it starts from a picture, for `count` pictures from that."""
    if start is None:
        return {"num_inference_steps": steps}
    run, picture = start.run(steps), start.image(backbone.side)
    return {"num_inference_steps": run.of, "strength": run.drawn / run.of, "image": [picture] * count}


def _adapter_arguments(backbone: "Backbone", scale: float) -> dict[str, Any]:
    """What the pipeline is called with for its image adapter's scale."""
    if scale != 1 and backbone.adapter_reads is None:
        raise SteerError(
            f"{backbone.name} has no image adapter that `adapter_scale` {scale:g} could scale: leave it at 1, or load it with an adapter"
        )
    return image_adapter.arguments(backbone.pipeline.unet, scale) if scale != 1 else {}


def _denoiser(
    backbone: "Backbone", schedule: "Schedule", sampler: "Sampler", region: "Region | None", from_picture: bool
) -> Denoiser | None:
    """What stands in for the pipeline's denoiser, where the pipeline's own arguments cannot do what is asked."""
    towards, family = sampler.edit_guidance if schedule.moves else 1.0, backbone.family
    if towards != 1 and not family.phases:
        raise SteerError(
            f"pipelines of {family.title} read the prompt once for the whole run: leave `edit_guidance` at 1, not {towards:g}"
        )
    # by a callback: an image embedding, or a pooled vector, which not all pipelines that start from a picture let change
    unreachable = backbone.image_width or (family.pooled and (from_picture or not family.pooled_callback))
    if towards == 1 and region is None and not (unreachable and family.phases and schedule.changes):
        return None
    denoiser = Denoiser(backbone, schedule.prompt, sampler.guidance > 1 and backbone.compares, towards, region)
    denoiser.current = schedule.at(0.0)
    return denoiser
