"""Backbones: which diffusion pipeline, with which CLIP text encoder. The only place that calls `from_pretrained`.

Knows where weights lie and whether they are what they should be; knows nothing of features or edits.
"""

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmsteer.errors import SteerError

ASSETS = Path(__file__).resolve().parents[1] / "assets"


@dataclass(frozen=True)
class Spec:
    """What is known of a backbone before it is loaded."""

    folder: Path
    steps: int = 12
    guidance: float = 5.0
    whole_words: bool = False
    """Each known word is one token; a word of several tokens is unknown to the model, and the visitor is told."""
    licence: str = "see the checkpoint's own card"


BACKBONES: dict[str, Spec] = {
    "mini": Spec(ASSETS / "mini", whole_words=True, licence="Apache-2.0; sprites OFL-1.1"),
}
CLASSES = ("StableDiffusionPipeline",)


@dataclass
class Backbone:
    """A loaded pipeline. Shared by all requests and never changed by them."""

    name: str
    spec: Spec
    pipeline: Any
    device: str
    tokenizing: threading.Lock = field(default_factory=threading.Lock)
    """Fast tokenizers are not safe to call from two threads at once."""

    @classmethod
    def load(cls, name: str = "mini", device: str = "cpu") -> "Backbone":
        """Load a known name or any local folder of a known class; SteerError says what is wrong and what would do."""
        spec = BACKBONES.get(name) or Spec(Path(name))
        _check(name, spec.folder)
        import torch
        from diffusers import StableDiffusionPipeline

        try:
            pipeline = StableDiffusionPipeline.from_pretrained(
                spec.folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        except Exception as error:  # whatever the libraries raise for a broken file, the visitor needs its name
            raise SteerError(
                f"cannot load the backbone in {spec.folder}: {_first_line(error)}. {_CURE}{_broken(spec.folder)}"
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
            part.to(device).eval().requires_grad_(False)
        return cls(name, spec, pipeline, device)

    @property
    def length(self) -> int:
        """Token rows T, start and end of text included."""
        return int(self.pipeline.text_encoder.config.max_position_embeddings)


_CURE = "Restore the folder (for the embedded one: git checkout assets/mini) or name another"


def _check(name: str, folder: Path) -> None:
    index = folder / "model_index.json"
    if folder.is_dir() and not index.is_file():
        raise SteerError(f"{folder} is no diffusers pipeline: {index} is missing. {_CURE}.")
    if not index.is_file():
        raise SteerError(
            f"there is no backbone {name!r}: {index} does not exist. Known are {', '.join(BACKBONES)}, or the path of "
            "a folder saved by diffusers"
        )
    try:
        found = json.loads(index.read_text())["_class_name"]
    except (ValueError, KeyError, TypeError) as error:
        raise SteerError(f"{index} is damaged ({error}). {_CURE}.") from None
    if found not in CLASSES:
        raise SteerError(f"{folder} holds a {found}; mmsteer can steer {', '.join(CLASSES)}. Name such a folder.")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__


def _broken(folder: Path) -> str:
    """Name the weight files that cannot be opened, for the end of an error message."""
    from safetensors import safe_open

    broken = []
    for path in sorted(folder.rglob("*.safetensors")):
        try:
            with safe_open(path, "pt"):
                pass
        except Exception:  # any failure means this file is the culprit
            broken.append(str(path.relative_to(folder)))
    return f"; damaged: {', '.join(broken)}." if broken else "."
