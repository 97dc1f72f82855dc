"""What a UNet reads, and seeds, into pictures: the only caller of the diffusion pipeline.

Nothing is shared between two calls but weights: each works on a shallow copy of the pipeline with a scheduler of its
own, since schedulers keep their step index on themselves.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.errors import SteerError
from mmsteer.steering.denoiser import Denoiser

if TYPE_CHECKING:
    import torch

    from mmsteer.models.backbone import Backbone
    from mmsteer.models.prompt import Conditioning
    from mmsteer.models.sampler import Sampler
    from mmsteer.steering.schedule import Plan


class Drawn(NamedTuple):
    """Pictures, and what the checkpoint's own safety checker says of them."""

    pictures: "torch.Tensor"
    """uint8 [B, 3, H, W]"""
    blanked: tuple[bool, ...]
    """Per picture, whether the safety checker made it black; never, for checkpoints without one."""


def render(
    backbone: "Backbone",
    plan: "Plan",
    empty: "Conditioning",
    seeds: Sequence[int],
    sampler: "Sampler",
) -> Drawn:
    """Draw B pictures.

    `plan.at(f)` is what the UNet reads at fraction f of the run, for B prompts. `empty`, of one prompt, is what guidance steers
    away from. Picture i starts from the noise of seeds[i], drawn on the CPU, whatever the batch. SteerError for edit guidance
    where a pipeline reads the prompt once for the whole run.
    """
    import torch

    pipeline = copy.copy(backbone.pipeline)
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    current, guided = plan.at(0.0), sampler.guidance > 1
    against = empty.repeated(len(seeds))
    towards = sampler.edit_guidance if plan.moves else 1.0
    if towards != 1 and not backbone.family.phases:
        raise SteerError(
            f"pipelines of {backbone.family.title} read the prompt once for the whole run: leave `edit_guidance` at 1, not "
            f"{towards:g}"
        )
    stands_in = None
    if towards != 1 or (backbone.image_width and backbone.family.phases and plan.changes):
        stands_in = Denoiser(pipeline.unet, plan.prompt, guided, towards)
        stands_in.current = current
        pipeline.unet = stands_in

    def both(negative: Any, positive: Any) -> Any:
        return torch.cat([negative, positive]) if guided else positive

    def next_states(_: Any, step: int, time: Any, tensors: dict[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
        nonlocal current
        wanted = plan.at((step + 1) / sampler.steps)
        if wanted is current:
            return {}
        current = wanted
        if stands_in:
            stands_in.current = current
        changed = {"prompt_embeds": both(against.hidden, wanted.hidden)}
        return changed | ({} if wanted.pooled is None else {"add_text_embeds": both(against.pooled, wanted.pooled)})

    arguments: dict[str, Any] = {
        "prompt_embeds": current.hidden,
        "negative_prompt_embeds": against.hidden if guided else None,
        "num_inference_steps": sampler.steps,
        "guidance_scale": sampler.guidance,
        "generator": [torch.Generator().manual_seed(seed) for seed in seeds],
        "output_type": "pt",
    }
    if backbone.family.pooled:
        arguments["pooled_prompt_embeds"] = current.pooled
        arguments["negative_pooled_prompt_embeds"] = against.pooled if guided else None
    if backbone.family.image:
        arguments["image_embeds"] = current.image
    elif current.image is not None:  # an adapter's; without a picture it reads zeros, as in its training
        embeddings = both(torch.zeros_like(current.image), current.image)
        arguments["ip_adapter_image_embeds"] = [embeddings[:, None]]
    if backbone.family.phases:
        arguments["callback_on_step_end"] = next_states
        arguments["callback_on_step_end_tensor_inputs"] = ["prompt_embeds"]
    with torch.no_grad():
        output = pipeline(**arguments)
    if stands_in:
        backbone.pipeline.maybe_free_model_hooks()  # where parts move to the GPU in turn, the copy has lost sight of the UNet
    blanked = getattr(output, "nsfw_content_detected", None) or [False] * len(seeds)
    pictures = (output.images.float() * 255).round().to(torch.uint8).cpu()
    return Drawn(pictures, tuple(bool(flag) for flag in blanked))
