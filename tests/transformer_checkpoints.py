"""Untrained pipelines that draw with a transformer and read a T5 beside CLIP, in the folder format of the real checkpoints."""

from pathlib import Path

import torch
from checkpoints import (
    WIDTH,
    build_clip,
    build_tokenizer,
    captions,
    joint_vectors,
    projection_of,
    text_tower,
    with_clip,
)
from conftest import make_bank

from mmsteer import Steerer
from mmsteer.labelling.text_to_joint import fit_text_to_joint
from mmsteer.models.backbone import Backbone

NARROW, T5_WIDTH = 24, 64  # d_text of the first of two CLIPs; as wide as what the transformer reads


def _t5():
    """A T5 encoder and its tokenizer, whose pieces are letters."""
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    torch.manual_seed(3)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    config = T5Config(vocab_size=len(pieces), d_model=T5_WIDTH, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    return T5EncoderModel(config).eval(), T5Tokenizer(vocab=pieces, extra_ids=0)


def _vae():
    from diffusers import AutoencoderKL

    torch.manual_seed(4)
    return AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4, norm_num_groups=2, layers_per_block=1, use_quant_conv=False, use_post_quant_conv=False,
        shift_factor=0.06, scaling_factor=1.53,
    )  # fmt: skip


def make_sd3(folder: Path, t5: bool = True) -> Path:
    """Stable Diffusion 3: two towers of unlike width with projections, with or without T5; `clip/` is the second's."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    tokenizer = build_tokenizer()
    first, second = build_clip(tokenizer, NARROW, "quick_gelu"), build_clip(tokenizer, WIDTH, "gelu", seed=1)
    text_encoder_3, tokenizer_3 = _t5() if t5 else (None, None)
    torch.manual_seed(5)
    StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=8, patch_size=1, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=4,
            caption_projection_dim=32, joint_attention_dim=T5_WIDTH, pooled_projection_dim=NARROW + WIDTH, pos_embed_max_size=8,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=_vae(), tokenizer=tokenizer, tokenizer_2=tokenizer,
        text_encoder=text_tower(first, 3, projected=True), text_encoder_2=text_tower(second, 3, projected=True),
        text_encoder_3=text_encoder_3, tokenizer_3=tokenizer_3,
    ).save_pretrained(folder)  # fmt: skip
    return with_clip(folder, second, tokenizer)


def make_flux(folder: Path, dev: bool = True) -> Path:
    """FLUX.1 dev, which reads the guidance scale, or schnell."""
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    tokenizer = build_tokenizer()
    clip = build_clip(tokenizer, WIDTH, "quick_gelu")
    text_encoder_2, tokenizer_2 = _t5()
    torch.manual_seed(5)
    transformer = FluxTransformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=T5_WIDTH, pooled_projection_dim=WIDTH, guidance_embeds=dev, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    FluxPipeline(
        transformer=transformer, vae=_vae(), tokenizer=tokenizer, text_encoder=text_tower(clip, 3), tokenizer_2=tokenizer_2,
        text_encoder_2=text_encoder_2,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0 if dev else 1.0, use_dynamic_shifting=dev),
    ).save_pretrained(folder)  # fmt: skip
    return with_clip(folder, clip, tokenizer)


def steerer_of(folder: Path) -> Steerer:
    """With a map fitted on 800 captions, or exact, and a bank of random directions."""
    backbone, texts = Backbone.load(str(folder)), captions(800)
    joint, fitted = fit_text_to_joint(
        Backbone.load(str(folder), words_only=True), texts, joint_vectors(folder, texts), projection_of(folder)
    )
    if backbone.family.title == "FLUX.1":
        for pipeline in (backbone.pipeline, backbone.from_picture):
            pipeline.default_sample_size = 8  # diffusers has 128 for every FLUX.1: 4,096 rows of picture
    bank = make_bank(joint, folder.name)
    bank.meta["text_to_joint"] = fitted
    return Steerer(backbone, bank)
