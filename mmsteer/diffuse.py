"""Hidden states and seeds into pictures: the only caller of the diffusion pipeline.

Nothing is shared between two calls but weights: each works on a shallow copy of the pipeline with a scheduler of its
own, since schedulers keep their step index on themselves.
"""

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from mmsteer.backbone import Backbone
    from mmsteer.recipe import Sampler


def render(
    backbone: "Backbone",
    states: "Callable[[float], torch.Tensor]",
    empty: "torch.Tensor",
    seeds: Sequence[int],
    sampler: "Sampler",
) -> "torch.Tensor":
    """Draw B pictures, `uint8 [B, 3, H, W]`.

    `states(f)` gives the hidden states `[B, T, d_text]` at fraction f of the run: the same tensor object as long as
    nothing changes. `empty [1, T, d_text]` is what guidance steers away from. Picture i starts from the noise of
    seeds[i], drawn on the CPU, whatever the batch.
    """
    import torch

    pipeline = copy.copy(backbone.pipeline)
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    current = states(0.0)
    unconditional = empty.expand(len(seeds), -1, -1)

    def next_states(_: Any, step: int, time: Any, tensors: dict[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
        nonlocal current
        wanted = states((step + 1) / sampler.steps)
        if wanted is current:
            return {}
        current = wanted
        return {"prompt_embeds": torch.cat([unconditional, wanted]) if sampler.guidance > 1 else wanted}

    with torch.no_grad():
        pictures = pipeline(
            prompt_embeds=current,
            negative_prompt_embeds=unconditional if sampler.guidance > 1 else None,
            num_inference_steps=sampler.steps,
            guidance_scale=sampler.guidance,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            output_type="pt",
            callback_on_step_end=next_states,
            callback_on_step_end_tensor_inputs=["prompt_embeds"],
        ).images
    return (pictures * 255).round().to(torch.uint8).cpu()
