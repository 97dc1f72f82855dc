"""The model that embeds: pictures and captions in, unit vectors of one space out, with the checkpoint's own preprocessing.

Any two-tower model of transformers: CLIP (OpenCLIP's exports too), SigLIP, SigLIP 2, … Knows nothing of where pairs come from or
where vectors go.
"""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image

from mmsteer.errors import SteerError, first_line
from mmsteer.models.loading.preprocessing import check_processor, load_tokenizer
from mmsteer.models.loading.weight_files import only_variant, weights_of

NEEDED = ("*.json", "*.txt", "*.model", "model*.safetensors")
"""The files of its repository that are read; no pickle, no code."""
_CURE = "give a folder saved by transformers, or a hub id, of a CLIP or SigLIP with both towers"
# Causal, with the state at the end of the text as embedding: padding behind it changes nothing, so it may be left out.
_CAUSAL = ("clip",)
_MOST_LETTERS = 4000  # of a caption that are tokenized; no model reads as many


class Clip:
    """A two-tower model in a folder or on the hub; weights are read on first use, in half precision on a GPU.

    Args:
        name: a folder saved by transformers, or `OWNER/NAME[@REVISION]` on the hub.
        device: where it runs.

    Raises:
        SteerError: there is no such model, it has no safetensors weights, or it lacks one of the two towers.
    """

    def __init__(self, name: str | Path, device: str = "cpu") -> None:
        self.device = device
        self.dtype = torch.float32 if device == "cpu" else torch.float16
        self.revision: str | None = None
        if Path(name).is_dir():
            self.folder = Path(name)
            self.id = "/".join(self.folder.resolve().parts[-2:])
        else:
            self.id, _, revision = str(name).partition("@")
            self.folder = _fetch(self.id, revision or None)
            self.revision = self.folder.name
        if (self.folder / "model_index.json").is_file():
            raise SteerError(
                f"{name} is a diffusers pipeline, whose text encoder is only a part of its CLIP: give --clip the full CLIP that it "
                "was cut from (`python -m mmsteer doctor` lists it for each family), and the pipeline as --backbone"
            )
        self._variant = only_variant([self.folder])

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What identifies this model: id, commit, SHA-256 of its weights, preprocessing, precision."""
        digest = hashlib.sha256()
        for path in weights_of(self.folder, self._variant):
            with path.open("rb") as file:
                while part := file.read(2**22):
                    digest.update(part)
        return {
            "id": self.id, "revision": self.revision, "digest": digest.hexdigest(), "preprocessing": self._preprocessing,
            "dtype": str(self.dtype).removeprefix("torch."),
        }  # fmt: skip

    @property
    def _preprocessing(self) -> dict[str, Any]:
        for name in ("preprocessor_config.json", "processor_config.json"):
            path = self.folder / name
            if path.is_file():
                content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                preprocessing: dict[str, Any] = content.get("image_processor", content)
                return preprocessing
        raise SteerError(
            f"{self.folder} does not say how pictures are prepared: preprocessor_config.json is missing; fetch it from where "
            "the model is from"
        )

    @cached_property
    def model(self) -> Any:
        """The model, frozen."""
        from transformers import AutoModel

        try:
            model, report = AutoModel.from_pretrained(
                self.folder,
                local_files_only=True,
                use_safetensors=True,
                variant=self._variant,
                dtype=self.dtype,
                output_loading_info=True,
            )
        except Exception as error:  # whatever the library raises for a broken file
            raise SteerError(f"cannot load {self.folder} ({first_line(error)}): {_CURE}") from error
        if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
            raise SteerError(
                f"{self.folder} is a {type(model).__name__}, which does not embed pictures and texts: {_CURE}"
            )
        if report["missing_keys"]:
            missing = sorted(report["missing_keys"])
            raise SteerError(f"{self.folder} lacks {len(missing)} of its weights, such as {missing[0]}: {_CURE}")
        return model.to(self.device).eval().requires_grad_(False)

    @cached_property
    def _config(self) -> Any:
        from transformers import AutoConfig

        try:
            return AutoConfig.from_pretrained(self.folder, local_files_only=True)
        except Exception as error:  # whatever the library raises for a broken file
            raise SteerError(f"cannot read config.json of {self.folder} ({first_line(error)}): {_CURE}") from error

    @cached_property
    def tokenizer(self) -> Any:
        """Its tokenizer; SteerError unless it belongs to the model."""
        return load_tokenizer(self.folder, self._config.get_text_config().vocab_size)

    @cached_property
    def processor(self) -> Any:
        """Its picture processor, the one that works on PIL pictures; SteerError unless it belongs to the model."""
        from transformers import AutoImageProcessor

        self._preprocessing  # noqa: B018  or a default of its class would stand in
        processor = AutoImageProcessor.from_pretrained(self.folder, local_files_only=True, backend="pil")
        check_processor(processor, self._config.vision_config, self.folder)
        return processor

    @cached_property
    def _plain(self) -> bool:
        """Whether scaling values is the last step of preprocessing: then bytes go to the device and are scaled there."""
        from transformers.image_processing_backends import PilBackend

        p = self.processor
        ordinary = isinstance(p, PilBackend) and type(p)._preprocess is PilBackend._preprocess
        return ordinary and p.do_rescale and p.do_normalize and not getattr(p, "do_pad", False)

    @property
    def projection(self) -> torch.Tensor | None:
        """The matrix `[d_text, d_joint]` from the text encoder's last state to the joint space; None if there is more to it."""
        last = getattr(self.model, "text_projection", None)
        if not isinstance(last, torch.nn.Linear) or last.bias is not None:
            return None
        return last.weight.detach().T.float().cpu().contiguous()

    def prepare(self, pictures: list[Image.Image]) -> dict[str, torch.Tensor]:
        """Preprocess pictures into one batch. Safe in background threads: no model, no GPU."""
        late = {"do_rescale": False, "do_normalize": False} if self._plain else {}
        return dict(self.processor(images=pictures, return_tensors="pt", **late))

    def embed_pictures(self, prepared: dict[str, torch.Tensor]) -> torch.Tensor:
        """A batch of prepared pictures -> unit vectors `float32 [B, d_joint]`, left on the device."""
        return F.normalize(self._image_features(prepared), dim=-1)

    def image_norm(self, pictures: list[Image.Image]) -> float:
        """The mean length of its embeddings of pictures before they are scaled to unit length."""
        return float(self._image_features(self.prepare(pictures)).norm(dim=-1).mean())

    def _image_features(self, prepared: dict[str, torch.Tensor]) -> torch.Tensor:
        inputs = {name: value.to(self.device, non_blocking=True) for name, value in prepared.items()}
        pixels = inputs["pixel_values"].float()
        if self._plain:
            step, shift = (torch.tensor(v, device=self.device).view(-1, 1, 1) for v in self._scaling)
            pixels = pixels / step - shift
        inputs["pixel_values"] = pixels.to(self.dtype)
        with torch.inference_mode():
            features: torch.Tensor = self.model.get_image_features(**inputs).pooler_output.float()
        return features

    @cached_property
    def _scaling(self) -> tuple[list[float], list[float]]:
        """Step and shift of each channel: bytes / step - shift is what the processor does, (bytes * factor - mean) / std."""
        p = self.processor
        shift = [mean / std for mean, std in zip(p.image_mean, p.image_std, strict=True)]
        return [std / p.rescale_factor for std in p.image_std], shift

    def embed_captions(self, captions: list[str]) -> torch.Tensor:
        """Captions, cut at the model's length -> unit vectors `float32 [B, d_joint]`, left on the device."""
        inputs = {name: value.to(self.device) for name, value in self.tokens(captions).items()}
        with torch.inference_mode():
            return F.normalize(self.model.get_text_features(**inputs).pooler_output.float(), dim=-1)

    def tokens(self, captions: list[str]) -> dict[str, torch.Tensor]:
        """Token ids `int64 [B, T]`, and what else the model reads beside them."""
        length = min(self.tokenizer.model_max_length, self.model.config.text_config.max_position_embeddings)
        texts = [caption[:_MOST_LETTERS] for caption in captions]
        encoded = self.tokenizer(texts, truncation=True, max_length=length)
        if self.model.config.model_type in _CAUSAL:
            longest = max(len(ids) for ids in encoded["input_ids"])
            length = min(length, -(-longest // 8) * 8)
            encoded = {"input_ids": encoded["input_ids"]}
        padded = self.tokenizer.pad(encoded, padding="max_length", max_length=length, return_tensors="pt")
        names = [name for name in self.tokenizer.model_input_names if name in encoded]
        return {name: padded[name] for name in names}

    def embed_texts(self, texts: list[str], batch: int = 128) -> torch.Tensor:
        """As `embed_captions`, for any number of them, on the CPU."""
        return torch.cat([self.embed_captions(texts[k : k + batch]).cpu() for k in range(0, len(texts), batch)])


def _fetch(name: str, revision: str | None) -> Path:
    """The folder in the hub's cache, fetched where it is not there: configuration and safetensors alone."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        if "/" not in name or name.startswith((".", "/", "~")):
            raise HFValidationError("neither a folder nor OWNER/NAME on the hub")
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(NEEDED)))
    except Exception as error:  # offline, gated, gone, misspelt: the library's words say which
        raise SteerError(f"cannot get {name} ({first_line(error)}): {_CURE}") from error
