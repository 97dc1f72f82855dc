"""What steering costs: steered pictures against the bare diffusers pipeline, drawn in turn."""

import statistics
from typing import Any

from mmsteer.bench.timing import in_turn

PROMPT, SEED = "a big cat in a meadow", 3
_FIRST_STEPS, _FIRST_GUIDANCE = 12, 5.0  # how the first generation of the embedded model was drawn


def measure(repeats: int, threads: int) -> dict[str, Any]:
    """Time pictures of the embedded backbone with and without one edit.

    Args:
        repeats: Pictures of each kind.
        threads: torch threads; 0 leaves torch's default.
    """
    import torch

    from mmsteer.recipes.edit import Edit
    from mmsteer.recipes.recipe import Recipe
    from mmsteer.steering.steerer import Steerer

    if threads:
        torch.set_num_threads(threads)
    steerer = Steerer.load("mini")
    edit = Edit(next(f.id for f in steerer.bank.features if f.modality == "cross"))
    pipeline, first = steerer.backbone.pipeline, _first_generation(steerer.backbone.pipeline)

    def draw(pipe: Any, steps: int, guidance: float) -> None:
        noise = torch.Generator().manual_seed(SEED)
        pipe(PROMPT, num_inference_steps=steps, guidance_scale=guidance, generator=noise)

    def steered() -> None:
        steerer.picture(Recipe(PROMPT, SEED, steerer.sampler, (edit,)))

    def schedule() -> None:
        steerer.schedule(steerer.read([PROMPT]), (edit,))

    calls = {
        "bare": lambda: draw(pipeline, steerer.sampler.steps, steerer.sampler.guidance),
        "steered": steered,
        "first": lambda: draw(first, _FIRST_STEPS, _FIRST_GUIDANCE),
    }
    times = in_turn(calls, repeats)
    editing = in_turn({"schedule": schedule}, repeats)["schedule"]
    ratios = [s / b for s, b in zip(times["steered"], times["bare"], strict=True)]
    faster = [b / f for b, f in zip(times["bare"], times["first"], strict=True)]
    median_bare, median_steered = (statistics.median(times[name]) for name in ("bare", "steered"))
    return {
        "picture, bare pipeline, ms": round(1000 * median_bare, 1),
        "picture, steered, ms": round(1000 * median_steered, 1),
        "steered / bare, median of pairs": round(statistics.median(ratios), 4),
        "bare / first generation's shapes (128 px, 12 guided steps)": round(statistics.median(faster), 3),
        "steered - bare, ms": round(1000 * (median_steered - median_bare), 1),
        "encoding the prompt and editing, ms": round(1000 * statistics.median(editing), 2),
        "memory at its highest, MB": round(_peak_memory() / 2**20),
        "torch threads": torch.get_num_threads(),
        "repeats": repeats,
    }


def _peak_memory() -> int:
    """The largest resident memory of this process so far, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import sys

    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts kilobytes
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _first_generation(pipeline: Any) -> Any:
    """A stock pipeline with the shapes of the embedded model's first generation, untrained: weights do not affect speed."""
    from diffusers import AutoencoderTiny, DPMSolverMultistepScheduler, UNet2DConditionModel

    unet = UNet2DConditionModel(
        sample_size=16, in_channels=12, out_channels=12, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), block_out_channels=(64, 128), layers_per_block=1,
        norm_num_groups=16, cross_attention_dim=128, attention_head_dim=4, addition_embed_type="text",
        addition_embed_type_num_heads=4, resnet_time_scale_shift="scale_shift",
    )  # fmt: skip
    vae = AutoencoderTiny(
        latent_channels=12, encoder_block_out_channels=(32,) * 4, decoder_block_out_channels=(32,) * 4,
        num_encoder_blocks=(0, 1, 3, 3), num_decoder_blocks=(4, 4, 1, 0), scaling_factor=1.0,
    )  # fmt: skip
    scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config, solver_order=2)
    parts = {"unet": unet.eval(), "vae": vae.eval(), "scheduler": scheduler}
    first = type(pipeline)(**{**pipeline.components, **parts, "requires_safety_checker": False})
    first.set_progress_bar_config(disable=True)
    return first
