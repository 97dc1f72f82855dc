"""Assembles the trained models into an ordinary diffusers folder, the embedded backbone.

The folder loads with stock `StableDiffusionPipeline.from_pretrained` and `CLIPModel.from_pretrained`; it needs nothing
of this project.
"""

import json
import shutil
from pathlib import Path

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError

_SHARD = "9MB"  # of the UNet: files in git stay under 10 MB
MINI = ASSETS / "mini"


def assemble(parts: Path, out: Path = MINI) -> Path:
    """Write the embedded backbone.

    UNet and autoencoder are stored in half precision. The text encoder and CLIP are not: transformers would load them
    as they are stored, and half precision beside a float32 UNet does not run on a CPU.

    Args:
        parts: Folder of the exported models: `clip`, `vae`, `unet` and `judge`.
        out: Folder to replace.

    Returns:
        `out`.

    Raises:
        SteerError: If one of the models is missing.
    """
    import torch
    from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTextModel, CLIPTokenizer

    from mmsteer.models.backbone import SAMPLING
    from mmsteer.world.models.parts import replace_folder
    from mmsteer.world.models.unet import STUDENT_STEPS, build_scheduler

    missing = [name for name in ("clip", "vae", "unet", "judge") if not (parts / name).is_dir()]
    if missing:
        raise SteerError(f"{parts} has no {', '.join(missing)}: run `python -m mmsteer world train` to the end first")
    tokenizer = CLIPTokenizer.from_pretrained(parts / "clip")
    scheduler = build_scheduler(solver_order=1)  # the student is distilled along single steps of the flow
    scheduler.register_to_config(**{SAMPLING: {"num_inference_steps": STUDENT_STEPS, "guidance_scale": 1.0}})
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderTiny.from_pretrained(parts / "vae", dtype=torch.float16),
        text_encoder=CLIPTextModel.from_pretrained(parts / "clip", dtype=torch.float32),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel.from_pretrained(parts / "unet", dtype=torch.float16),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )

    def write(folder: Path) -> None:
        pipeline.save_pretrained(folder, max_shard_size=_SHARD)
        # AutoencoderTiny writes a key that its own constructor warns about; the path of the source folder is private
        _drop(folder / "vae" / "config.json", "block_out_channels", "_name_or_path")
        _drop(folder / "unet" / "config.json", "_name_or_path")
        CLIPModel.from_pretrained(parts / "clip", dtype=torch.float32).save_pretrained(folder / "clip")
        tokenizer.save_pretrained(folder / "clip")
        CLIPImageProcessorPil.from_pretrained(parts / "clip").save_pretrained(folder / "clip")
        shutil.copytree(parts / "judge", folder / "judge")

    replace_folder(out, write)
    return out


def assemble_ordinary(parts: dict[str, Path], out: Path) -> Path:
    """Write what an ordinary UNet replaces in the embedded pipeline, and its adapter, to `out`.

    `parts` are the folders of `ordinary`, the UNet, and `adapter`.
    """
    import torch
    from diffusers import UNet2DConditionModel

    from mmsteer.models.backbone import SAMPLING
    from mmsteer.world.models.parts import replace_folder
    from mmsteer.world.models.unet import GUIDANCE, TEACHER_STEPS, build_scheduler

    unet = UNet2DConditionModel.from_pretrained(parts["ordinary"], dtype=torch.float16)
    scheduler = build_scheduler()
    scheduler.register_to_config(**{SAMPLING: {"num_inference_steps": TEACHER_STEPS, "guidance_scale": GUIDANCE}})

    def write(folder: Path) -> None:
        unet.save_pretrained(folder / "unet", max_shard_size=_SHARD)
        _drop(folder / "unet" / "config.json", "_name_or_path")
        scheduler.save_pretrained(folder / "scheduler")
        shutil.copytree(parts["adapter"], folder / "adapter")

    replace_folder(out, write)
    return out


def _drop(config: Path, *keys: str) -> None:
    """Remove keys from a configuration."""
    values = {key: value for key, value in json.loads(config.read_text()).items() if key not in keys}
    config.write_text(json.dumps(values, indent=2) + "\n")
