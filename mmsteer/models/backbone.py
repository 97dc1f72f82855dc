"""A backbone: a diffusion pipeline and the CLIP text encoder that conditions it, loaded. The only caller of `from_pretrained` of
diffusers.

Knows whether weights are what they should be; knows nothing of features or edits.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mmsteer.errors import SteerError, first_line, quoted
from mmsteer.models.checkpoint import Checkpoint
from mmsteer.models.families import FAMILIES, Family, family_of
from mmsteer.models.image_adapter import attach, find_adapter, image_width, read_adapter
from mmsteer.models.loading.distillation import embeds_guidance, few_steps
from mmsteer.models.loading.preprocessing import check_processor, check_tokenizer
from mmsteer.models.loading.single_file import load_file
from mmsteer.models.registry import Spec, public_name
from mmsteer.models.sampler import Sampler

SAMPLING = "_sampling"
"""Key of a scheduler's configuration: with how many steps and how much guidance its checkpoint is drawn. Diffusers carries keys
that begin with an underscore along, from one scheduler to the next and into what it saves."""
STEERABLE = "_trained_to_be_steered"
"""Key of a UNet's configuration: true where it was trained on edits. Carried along likewise."""
DTYPES = ("float32", "float16", "bfloat16")


@dataclass
class Backbone:
    """A loaded pipeline. Shared by all requests and never changed by them."""

    name: str
    """As `public_name` gives it: never a path."""
    checkpoint: Checkpoint
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
        adapter_reads: int | None = None,
        spec: Spec | None = None,
        families: Sequence[Family] = FAMILIES,
    ) -> "Backbone":
        """Load a backbone. A checkpoint's safety checker stays on.

        Args:
            name: a known backbone, a folder that diffusers saved, a safetensors file of a whole checkpoint, or a hub id, with
                `@COMMIT` if you like. Weights are read from safetensors only; a folder is read without the network, a hub id from
                the cache where it is there.
            device: `cpu`, `cuda` or `mps`; None takes the best there is.
            dtype: `float32`, `float16` or `bfloat16`; None takes float32 on a CPU, else what suits its family.
            offload: keep only the part at work on the GPU.
            words_only: leave out what draws; such a backbone reads prompts.
            adapter: an image adapter: a file, a folder, or `hub:OWNER/NAME[@REVISION]` (`mmsteer.models.image_adapter`).
            adapter_reads: d_joint of the image embeddings that it is to read, where there are several to choose from.
            spec: what the name stands for, unless it is the usual.
            families: those a checkpoint may be of.

        Raises:
            SteerError: there is no such checkpoint, device or adapter, or it is damaged or of no known family.
        """
        checkpoint = Checkpoint(name, spec)
        family = family_of(checkpoint, families)
        import torch

        device = choose_device(device)
        precision = getattr(torch, dtype or ("float32" if device == "cpu" else family.half))
        pipeline = _load_pipeline(checkpoint, family, precision, words_only)
        _check_preprocessing(checkpoint, family, pipeline)
        pipeline.set_progress_bar_config(disable=True)
        adapter_file = None
        if (adapter := adapter or checkpoint.spec.adapter) and not words_only:
            check_takes_adapter(name, family)
            adapter_file = find_adapter(adapter, pipeline.unet.config.cross_attention_dim, adapter_reads)
            attach(pipeline.unet, read_adapter(adapter_file))
        _freeze(pipeline)
        _place(pipeline, device, offload)
        steps, guidance = _sampling(checkpoint, family, pipeline)
        public = public_name(name) if spec is None else name
        return cls(public, checkpoint, family, pipeline, device, steps, guidance, adapter_file)

    @property
    def spec(self) -> Spec:
        """What its name stands for."""
        return self.checkpoint.spec

    @property
    def denoiser(self) -> Any:
        """The part that draws: a UNet or a transformer; None where it was left out."""
        return getattr(self.pipeline, self.family.denoiser)

    @property
    def compares(self) -> bool:
        """Whether guidance compares with the prediction for the empty prompt; else the denoiser reads the scale as a number."""
        return self.family.compares and not embeds_guidance(self.denoiser)

    @cached_property
    def from_picture(self) -> Any:
        """The pipeline of the same parts that starts from a picture; SteerError if its family has none."""
        return self.family.starting_from_picture(self.pipeline)

    @property
    def side(self) -> int:
        """Pixels a side of its pictures."""
        latents = self.denoiser.config.get("sample_size") or self.pipeline.default_sample_size
        return int(latents) * int(self.pipeline.vae_scale_factor)

    @property
    def commit(self) -> str | None:
        """Its commit on the hub; None for a folder."""
        folder = self.checkpoint.folder
        return None if self.checkpoint.local or folder is None else folder.name

    @property
    def steers_image_only(self) -> bool:
        """Whether features that no prompt contains can steer it: its denoiser was trained on edits, or reads an image embedding."""
        return bool(self.denoiser.config.get(STEERABLE)) or self.image_width is not None

    @property
    def image_width(self) -> int | None:
        """d_joint of the image embedding that it reads beside the prompt; None where it reads none."""
        if self.family.image:
            return self.family.image_width(self.pipeline)
        return image_width(self.denoiser)

    @property
    def adapter_reads(self) -> int | None:
        """d_joint of the image embedding that its image adapter reads; None without an adapter."""
        return None if self.family.image else self.image_width

    @property
    def length(self) -> int:
        """Token rows T, start and end of text included."""
        return int(self.pipeline.text_encoder.config.max_position_embeddings)

    @property
    def width(self) -> int:
        """d_text: the width of the hidden states that edits change."""
        return sum(int(encoder.config.hidden_size) for encoder in self.family.text_encoders(self.pipeline))

    @cached_property
    def digest(self) -> str:
        """What tells its checkpoint, with its adapter, from any other."""
        return self.checkpoint.digest(self.adapter)

    def compile(self) -> None:
        """Compile the denoiser (`torch.compile`, for each shape anew); this happens when the first picture is drawn, and takes minutes
        for a large one. SteerError if there is no working compiler for its device.
        """
        import torch

        try:
            torch.compile(lambda x: x * 2 + 1)(torch.ones(8, device=self.device))
        except Exception as error:  # whatever torch raises without a C++ compiler or without Triton
            raise SteerError(
                f"--compile finds no working compiler for {self.device} ({first_line(error)}): leave it out"
            ) from error
        self.denoiser.compile(dynamic=False)

    @property
    def scheduler(self) -> str:
        """Class and order of its scheduler, for example "DPMSolverMultistepScheduler, order 2"."""
        scheduler = self.pipeline.scheduler
        # solvers of several orders have theirs configured; of any other class it is the class's own
        return f"{type(scheduler).__name__}, order {scheduler.config.get('solver_order', scheduler.order)}"


def check_takes_adapter(name: str, family: Family) -> None:
    """SteerError if backbones of this family take no image adapter; `name` is that of the backbone."""
    if family.image:
        raise SteerError(f"{name} reads an image embedding by itself: leave the adapter out")
    if family.denoiser != "unet":
        raise SteerError(
            f"{name} is {family.title}, which draws with a transformer, and image adapters go into UNets: leave the adapter out"
        )


def choose_device(device: str | None) -> str:
    """The device asked for, or the best there is; SteerError for one that is missing."""
    import torch

    available = ["cpu"]
    available += ["mps"] if torch.backends.mps.is_available() else []
    available += ["cuda"] if torch.cuda.is_available() else []
    if device is None:
        return available[-1]
    if device.split(":")[0] not in available:
        raise SteerError(f"there is no device {quoted(device)} here: choose one of {', '.join(available)}")
    return device


def _load_pipeline(checkpoint: Checkpoint, family: Family, precision: Any, words_only: bool) -> Any:
    """The pipeline of a checkpoint; with `words_only` without what draws."""
    import diffusers
    import torch

    spec, index, file = checkpoint.spec, checkpoint.index, checkpoint.file
    without = dict.fromkeys(family.drawing) | {"requires_safety_checker": False} if words_only else {}
    left_out = {part: value for part, value in without.items() if part in index}
    left_out |= {part: None for part in family.optional if checkpoint.lacks(part)}
    elsewhere = {part: folder for part, folder in spec.parts.items() if part not in left_out}
    variant = checkpoint.variant(left_out) if checkpoint.local else spec.variant if precision == torch.float16 else None
    try:
        if file and checkpoint.configuration:
            return load_file(file, checkpoint.configuration, family.pipeline, precision, left_out)
        parts = {part: _load_part(folder, precision) for part, folder in elsewhere.items()}
        return getattr(diffusers, family.pipeline).from_pretrained(
            spec.source, local_files_only=checkpoint.local, use_safetensors=True, dtype=precision, revision=spec.revision,
            variant=variant, **left_out, **parts,
        )  # fmt: skip
    except Exception as error:  # whatever the libraries raise for a broken file, the visitor needs its name
        damaged = checkpoint.damaged_weights()
        raise SteerError(
            f"cannot load the backbone in {spec.source}: {first_line(error)}"
            + (f"; damaged: {', '.join(damaged)}" if damaged else "")
            + f". {checkpoint.cure}."
        ) from error


def _check_preprocessing(checkpoint: Checkpoint, family: Family, pipeline: Any) -> None:
    """SteerError unless tokenizers and picture processor belong to the models that read what they make."""
    where = checkpoint.folder or Path(checkpoint.source)
    folders = [where / name for name in ("tokenizer", "tokenizer_2")]
    encoders = zip(family.tokenizers(pipeline), family.text_encoders(pipeline), strict=True)
    for folder, (tokenizer, encoder) in zip(folders, encoders, strict=False):
        check_tokenizer(tokenizer, encoder.get_input_embeddings().num_embeddings, folder)
    checker = getattr(pipeline, "safety_checker", None)
    if checker is not None:
        check_processor(pipeline.feature_extractor, checker.config.vision_config, where / "feature_extractor")


def _load_part(folder: Path, precision: Any) -> Any:
    """A part of a pipeline from a folder of its own."""
    import diffusers

    config = next(path for path in (folder / "config.json", folder / "scheduler_config.json") if path.is_file())
    kind = getattr(diffusers, json.loads(config.read_text())["_class_name"])
    options = {} if config.name == "scheduler_config.json" else {"dtype": precision, "use_safetensors": True}
    return kind.from_pretrained(folder, local_files_only=True, **options)


def _freeze(pipeline: Any) -> None:
    """Make every part read only, and convolutions fast."""
    import torch

    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    for name in ("unet", "vae"):
        if (part := getattr(pipeline, name, None)) is not None:
            part.to(memory_format=torch.channels_last)  # convolutions are faster so, on CPUs and GPUs


def _place(pipeline: Any, device: str, offload: bool) -> None:
    """Put the parts where they run."""
    if not offload:
        pipeline.to(device)
        return
    if device == "cpu":
        raise SteerError("--offload moves parts to a GPU in turn, and there is none here: leave it out")
    pipeline.enable_model_cpu_offload(device=device)


def _sampling(checkpoint: Checkpoint, family: Family, pipeline: Any) -> tuple[int, float]:
    """Steps and guidance: those of the name, else those in the scheduler's configuration, else those of distilled checkpoints or of
    its family. They are written into that configuration, so that a copy which `save_pretrained` writes keeps them.
    """
    scheduler, spec = pipeline.scheduler, checkpoint.spec
    usual = few_steps(checkpoint, family, pipeline) or (family.steps, family.guidance)
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
