"""The sparse autoencoder (SAE): encode, decode, save, load. Knows vectors; knows nothing of pictures, words or modalities.

JumpReLU (Rajamanoharan et al., 2407.14435): a latent fires where it exceeds a threshold of its own; or TopK (Gao et al.,
2406.04093): the k largest fire. Saved in SAELens' layout (cfg.json + sae_weights.safetensors), so other tools read it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from mmsteer.errors import SteerError, first_line, quoted
from mmsteer.models.weights_header import check_shapes, shapes_in


def topk(before: torch.Tensor, k: int) -> torch.Tensor:
    """Keep the k largest pre-activations of each row of `[..., n]`; all others become zero."""
    best = torch.topk(before, k, dim=-1)
    return torch.zeros_like(before).scatter(-1, best.indices, best.values)


@dataclass(frozen=True)
class SAEConfig:
    """Shape of a dictionary."""

    d_in: int
    n_latents: int
    k: int | None = None
    """How many latents fire for any input (TopK); None for those above their thresholds (JumpReLU)."""

    def __post_init__(self) -> None:
        if not (self.d_in > 0 and self.n_latents > 0 and (self.k is None or 0 < self.k <= self.n_latents)):
            raise SteerError(
                f"a dictionary of {asdict(self)} is impossible: give d_in > 0, n_latents > 0 and, for TopK, 0 < k <= n_latents"
            )

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor of such a dictionary."""
        d, n = self.d_in, self.n_latents
        shapes: dict[str, tuple[int, ...]] = {"W_enc": (d, n), "b_enc": (n,), "W_dec": (n, d), "b_dec": (d,)}
        return shapes if self.k else shapes | {"threshold": (n,)}


class SparseAutoencoder(nn.Module):
    """x `[..., d_in]` <-> code `[..., n_latents]`, sparse and non-negative."""

    threshold: nn.Parameter | None

    def __init__(self, config: SAEConfig) -> None:
        super().__init__()
        self.config = config
        # the weights of a latent are contiguous, since training updates them latent by latent
        self.W_enc = nn.Parameter(torch.zeros(config.n_latents, config.d_in).T)
        self.b_enc = nn.Parameter(torch.zeros(config.n_latents))
        self.W_dec = nn.Parameter(torch.zeros(config.n_latents, config.d_in))
        self.b_dec = nn.Parameter(torch.zeros(config.d_in))
        self.threshold = None if config.k else nn.Parameter(torch.zeros(config.n_latents))

    def pre_activations(self, x: torch.Tensor) -> torch.Tensor:
        """The code without thresholds or TopK, `[..., n_latents]`, after ReLU."""
        return torch.nn.functional.linear(x - self.b_dec, self.W_enc.T, self.b_enc).relu_()

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Rows `[..., d_in]` -> code `[..., n_latents]`: pre-activations that are among the k largest, or above their thresholds."""
        before = self.pre_activations(x)
        if self.threshold is not None:
            return before * (before > self.threshold)
        assert self.config.k is not None
        return topk(before, self.config.k)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Code `[..., n_latents]` -> reconstruction `[..., d_in]`."""
        return code @ self.W_dec + self.b_dec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rows `[B, d_in]` -> their reconstructions, same shape."""
        return self.decode(self.encode(x))

    def save(self, folder: Path, about: dict[str, str] | None = None) -> None:
        """Write cfg.json and sae_weights.safetensors.

        Args:
            folder: made if missing.
            about: SAELens' metadata (`model_name`, `hook_name`, …) on the vectors it is for.
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "architecture": "topk" if self.config.k else "jumprelu", "d_in": self.config.d_in, "d_sae": self.config.n_latents,
            "dtype": "float32", "apply_b_dec_to_input": True, "normalize_activations": "none",
            "reshape_activations": "none", "rescale_acts_by_decoder_norm": False,
            "metadata": {
                "model_name": "clip", "hook_name": "joint space", "sae_lens_version": "6.54.12", **(about or {}),
            },
        }  # fmt: skip
        if self.config.k:
            config["k"] = self.config.k
        save_file(
            {k: v.detach().contiguous() for k, v in self.state_dict().items()}, folder / "sae_weights.safetensors"
        )
        (folder / "cfg.json").write_text(json.dumps(config, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "SparseAutoencoder":
        """Read a folder in SAELens' layout; SteerError names the file that is missing or damaged.

        The sizes in cfg.json are compared with the header of the weights before anything of these sizes is made.
        """
        from safetensors.torch import load_file

        path = folder / "cfg.json"
        try:
            config = _read_config(path)
            path = folder / "sae_weights.safetensors"
            check_shapes(path, shapes_in(path), config.shapes())
            weights = load_file(path)
            if not all(tensor.isfinite().all() for tensor in weights.values()):
                raise ValueError("it has values that are not finite")
            dictionary = cls(config)
            dictionary.load_state_dict(weights)
        except Exception as error:
            raise SteerError(
                f"cannot read {path}: {first_line(error)}. Restore the bank (for the embedded one: git checkout "
                "assets/banks) or build it again with `python -m mmsteer bank build`"
            ) from error
        return dictionary.requires_grad_(False)


def _read_config(path: Path) -> SAEConfig:
    """The shape of a dictionary in SAELens' layout; ValueError if it has none that mmsteer can read."""
    config = json.loads(path.read_text(encoding="utf-8"))
    kind = config.get("architecture")
    if kind not in ("jumprelu", "topk"):
        raise ValueError(f"it is of architecture {quoted(kind)}; mmsteer reads 'jumprelu' and 'topk'")
    sizes = [config["d_in"], config["d_sae"], *([config["k"]] if kind == "topk" else [])]
    if not all(type(size) is int for size in sizes):
        raise ValueError(f"its sizes {quoted(sizes)} are not all integers")
    return SAEConfig(*sizes)
