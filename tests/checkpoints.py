"""Untrained pipelines of every family, of the classes and configuration shapes of the real checkpoints, in their folder format.

Beside each lies `clip/`, the whole CLIP that its text encoder was cut from, as people have it from another repository.
"""

import random
from pathlib import Path

import torch

WIDTH, T = 32, 77
WORDS = (
    "cat", "dog", "house", "tree", "night", "snow", "red", "blue", "big", "small", "old", "wooden", "paper", "glass", "river",
    "street", "light", "garden", "bird", "boat",
)  # fmt: skip


def captions(count: int, seed: int = 0) -> list[str]:
    """Made-up captions of one to six words."""
    chance = random.Random(seed)
    return ["a " + " ".join(chance.choices(WORDS, k=chance.randint(1, 6))) for _ in range(count)]


def build_tokenizer():
    """Byte-pair encoding as CLIP's, with hardly any merges: most words are several tokens."""
    from transformers import CLIPTokenizer

    letters = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?'-")
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "ca", "cat</w>", "do", "dog</w>"]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    merges = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>")]
    tokenizer = CLIPTokenizer(vocab={piece: k for k, piece in enumerate(pieces)}, merges=merges)
    tokenizer.model_max_length = T
    return tokenizer


def build_clip(tokenizer, width: int, act: str, layers: int = 3, seed: int = 0):
    """A CLIP whose text tower tells words apart although it is untrained."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(seed)
    shape = {"hidden_size": width, "intermediate_size": 2 * width, "num_attention_heads": 2, "hidden_act": act}
    text = shape | {
        "num_hidden_layers": layers, "vocab_size": len(tokenizer), "max_position_embeddings": T, "projection_dim": width,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    vision = shape | {"num_hidden_layers": 2, "image_size": 32, "patch_size": 16, "projection_dim": width}
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=width))
    with torch.no_grad():
        clip.text_model.embeddings.token_embedding.weight.mul_(50)
        for layer in clip.text_model.encoder.layers:
            layer.self_attn.out_proj.weight.mul_(20)
            layer.mlp.fc2.weight.mul_(20)
        torch.nn.init.orthogonal_(clip.text_projection.weight)
    return clip.eval()


def text_tower(clip, layers: int, projected: bool = False):
    """The first `layers` layers of a CLIP's text tower, as pipelines carry it."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(**(clip.config.text_config.to_dict() | {"num_hidden_layers": layers}))
    if projected:
        tower = CLIPTextModelWithProjection(config)
        tower.text_model.load_state_dict(clip.text_model.state_dict(), strict=False)
        tower.text_projection.load_state_dict(clip.text_projection.state_dict())
    else:
        tower = CLIPTextModel(config)
        tower.load_state_dict(clip.text_model.state_dict(), strict=False)
    return tower.eval()


def _unet(width: int, **more):
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=width, attention_head_dim=2, **more,
    )  # fmt: skip


def _vae():
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4, norm_num_groups=2, layers_per_block=1,
    )  # fmt: skip


def _ddim():
    from diffusers import DDIMScheduler

    return DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1)


def make_sd1(folder: Path) -> Path:
    """Stable Diffusion 1.x, with a safety checker that flags every picture with much light in it or none."""
    from diffusers import StableDiffusionPipeline
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = build_tokenizer()
    clip = build_clip(tokenizer, WIDTH, "quick_gelu")
    size = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(vision_config=size | {"image_size": 32, "patch_size": 16}, text_config=size, projection_dim=16)
    )
    StableDiffusionPipeline(
        vae=_vae(), text_encoder=text_tower(clip, 3), tokenizer=tokenizer, unet=_unet(WIDTH), scheduler=_ddim(),
        safety_checker=checker, feature_extractor=CLIPImageProcessorPil(size=32, crop_size=32),
    ).save_pretrained(folder)  # fmt: skip
    return with_clip(folder, clip, tokenizer)


def make_sd2(folder: Path) -> Path:
    """Stable Diffusion 2.x: OpenCLIP's activation, and the text tower without its last layer."""
    from diffusers import StableDiffusionPipeline

    tokenizer = build_tokenizer()
    clip = build_clip(tokenizer, WIDTH, "gelu", seed=1)
    StableDiffusionPipeline(
        vae=_vae(), text_encoder=text_tower(clip, 2), tokenizer=tokenizer, unet=_unet(WIDTH), scheduler=_ddim(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return with_clip(folder, clip, tokenizer)


def make_turbo(folder: Path) -> Path:
    """SD-Turbo: as 2.x, with a distilled checkpoint's schedule."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline

    make_sd2(folder)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.scheduler = EulerDiscreteScheduler(timestep_spacing="trailing", beta_schedule="scaled_linear")
    pipeline.save_pretrained(folder)
    return folder


def make_sdxl(folder: Path) -> Path:
    """Stable Diffusion XL: two towers of unlike width; `clip/` is the second's."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    tokenizer = build_tokenizer()
    first, second = build_clip(tokenizer, 24, "quick_gelu"), build_clip(tokenizer, WIDTH, "gelu", seed=1)
    StableDiffusionXLPipeline(
        vae=_vae(), text_encoder=text_tower(first, 3), text_encoder_2=text_tower(second, 3, projected=True),
        tokenizer=tokenizer, tokenizer_2=tokenizer, scheduler=EulerDiscreteScheduler(steps_offset=1),
        unet=_unet(
            24 + WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8, transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=6 * 8 + WIDTH,
        ),
    ).save_pretrained(folder)  # fmt: skip
    return with_clip(folder, second, tokenizer)


def make_unclip(folder: Path) -> Path:
    """Stable unCLIP: as 2.x, and an image embedding of the same CLIP."""
    from diffusers import DDPMScheduler, StableUnCLIPImg2ImgPipeline
    from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
    from transformers import CLIPVisionModelWithProjection
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = build_tokenizer()
    clip = build_clip(tokenizer, WIDTH, "gelu", seed=1)
    clip.save_pretrained(folder / "clip")
    normalizer = StableUnCLIPImageNormalizer(embedding_dim=WIDTH)
    torch.nn.init.constant_(normalizer.std, 0.5)
    StableUnCLIPImg2ImgPipeline(
        feature_extractor=CLIPImageProcessorPil(size=32, crop_size=32),
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(folder / "clip"), image_normalizer=normalizer,
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"), tokenizer=tokenizer,
        text_encoder=text_tower(clip, 2), vae=_vae(), scheduler=_ddim(),
        unet=_unet(WIDTH, class_embed_type="projection", projection_class_embeddings_input_dim=2 * WIDTH),
    ).save_pretrained(folder)  # fmt: skip
    return with_clip(folder, clip, tokenizer)


def with_clip(folder: Path, clip, tokenizer) -> Path:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    clip.save_pretrained(folder / "clip")
    tokenizer.save_pretrained(folder / "clip")
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder / "clip"
    )
    return folder


MAKERS = {"sd1": make_sd1, "sd2": make_sd2, "turbo": make_turbo, "sdxl": make_sdxl, "unclip": make_unclip}


def joint_vectors(folder: Path, texts: list[str]) -> torch.Tensor:
    """Joint vectors by transformers' own text tower with projection, `[N, d_joint]`, unit length."""
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder / "clip")
    tower = CLIPTextModelWithProjection.from_pretrained(folder / "clip").eval()
    with torch.no_grad():
        parts = [
            tower(**tokenizer(texts[i : i + 100], padding="max_length", truncation=True, max_length=77, return_tensors="pt"))
            for i in range(0, len(texts), 100)
        ]  # fmt: skip
    return torch.nn.functional.normalize(torch.cat([part.text_embeds for part in parts]), dim=-1)


def projection_of(folder: Path) -> torch.Tensor:
    """The text projection of the CLIP beside a checkpoint, `[d_text, d_joint]`."""
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(folder / "clip").text_projection.weight.detach().T.contiguous()
