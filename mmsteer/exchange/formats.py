"""Dictionaries of other people in, ours out: folders of SAELens, sparsify and dictionary_learning.

Each is brought into one form, code = before * (before > threshold) or its k largest, with before = relu((x - b_dec) @ W_enc
+ b_enc), which says the same as theirs for every unit vector x. What cannot be said so is refused by name. Rows of a
joint space have length 1; so must the rows have had that the dictionary was trained on, or their length be told (`scale`).
"""

import argparse
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mmsteer import distributed
from mmsteer.bank import Feature, FeatureBank
from mmsteer.errors import SteerError, first_line
from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.training.dictionaries import Dictionaries, fvu

Tensors = dict[str, torch.Tensor]
_MUCH = 0.5  # of variance left unexplained: more than any dictionary trained on these vectors leaves


# -- in --


def import_bank(args: argparse.Namespace) -> None:
    """Do `bank import`: score, name and save dictionaries as if they were ours.

    Where there is one a side and room for more latents, those left single are read across, as for ours.
    """
    from mmsteer.data.splits import gather
    from mmsteer.labelling.bank_builder import build_bank

    if args.out is None and not args.plan:
        raise SteerError("say where the bank goes: --out FOLDER")
    found = read_dictionaries(args.folder, args.text, args.scale)  # refused before anything is embedded
    material = gather(args)
    if material is None or distributed.rank():
        return
    width, d_in = material.scoring.image.shape[1], found.image.config.d_in
    if width != d_in:
        raise SteerError(
            f"the dictionary is for vectors {d_in} wide, those of {material.clip.id} are {width}: give the --clip it was "
            "trained on"
        )
    lost = fvu(found.image, material.scoring.image)
    if lost > _MUCH:
        print(
            f"note: it rebuilds these embeddings badly (FVU {lost:.2f}); if it was trained on longer ones than unit vectors, say "
            "how long with --scale"
        )
    folders = [folder for folder in (args.folder, args.text) if folder is not None]
    about = {
        "objective": f"imported ({layout_of(args.folder).library})", "imported": [folder.name for folder in folders],
        "scale": args.scale,
    }  # fmt: skip
    room = found.image.config.k is None and found.text.config.k is None
    build_bank(found, material, about, args.backbone, args.out, probe=room and not found.paired)


def read_dictionaries(folder: Path, text: Path | None = None, scale: float = 1.0) -> Dictionaries:
    """One dictionary for both sides, or with `text` one a side; SteerError as `read_dictionary`, or for two widths."""
    image = read_dictionary(folder, scale)
    if text is None:
        return Dictionaries(image, image, paired=True)
    own = read_dictionary(text, scale)
    if image.config.d_in != own.config.d_in:
        raise SteerError(
            f"{folder} is for vectors {image.config.d_in} wide, {text} for {own.config.d_in}: both must be of one joint space"
        )
    return Dictionaries(image, own, paired=False)


def read_dictionary(folder: Path, scale: float = 1.0) -> SparseAutoencoder:
    """A dictionary out of a folder of SAELens, sparsify or dictionary_learning, for unit vectors.

    `scale` is the length of the vectors it was trained on. SteerError for a folder of none of them, a file that is damaged,
    and a kind of dictionary that cannot be said in our terms.
    """
    if not scale > 0:
        raise SteerError(
            f"a scale of {scale:g} cannot be: give the length of the embeddings it was trained on, above 0"
        )
    layout = layout_of(folder)
    settings, weights = _read_json(folder / layout.settings), _read_tensors(folder / layout.weights)
    return layout.read(_Source(folder, settings, weights)).scaled(scale).dictionary(folder)


@dataclass(frozen=True)
class _Plain:
    """A dictionary in our form: fires above `threshold`, or the `k` largest."""

    W_enc: torch.Tensor
    b_enc: torch.Tensor
    W_dec: torch.Tensor
    b_dec: torch.Tensor
    threshold: torch.Tensor | None = None
    k: int | None = None

    def uncentred(self) -> "_Plain":
        """For an encoder that does not take b_dec off its input first: its bias takes it on again."""
        return replace(self, b_enc=self.b_enc + self.b_dec @ self.W_enc)

    def scaled(self, scale: float) -> "_Plain":
        """For a dictionary that saw vectors `scale` times as long: the codes stay what they were."""
        return replace(self, W_enc=self.W_enc * scale, W_dec=self.W_dec / scale, b_dec=self.b_dec / scale)

    def stretched(self, by: torch.Tensor) -> "_Plain":
        """Activations `by [n_latents]` times as large, decoder rows shorter to match; by 0: a latent that never fires."""
        threshold = None if self.threshold is None else self.threshold * by
        W_dec = self.W_dec / torch.where(by > 0, by, 1)[:, None]
        return replace(self, W_enc=self.W_enc * by, b_enc=self.b_enc * by, W_dec=W_dec, threshold=threshold)

    def dictionary(self, folder: Path) -> SparseAutoencoder:
        """As the module; SteerError for shapes that do not fit together and values that are not finite."""
        tensors = {key: value for key, value in vars(self).items() if isinstance(value, torch.Tensor)}
        if self.W_enc.ndim != 2:
            raise SteerError(f"{folder}: W_enc is {tuple(self.W_enc.shape)}, not a matrix: the file is damaged")
        d_in, n = self.W_enc.shape
        shapes = {"W_enc": (d_in, n), "b_enc": (n,), "W_dec": (n, d_in), "b_dec": (d_in,), "threshold": (n,)}
        for key, value in tensors.items():
            if tuple(value.shape) != shapes[key]:
                raise SteerError(
                    f"{folder}: {key} is {tuple(value.shape)}, but {shapes[key]} goes with {n} latents of vectors {d_in} wide: "
                    "the file is damaged, or not of the kind its settings say"
                )
            if not value.isfinite().all():
                raise SteerError(f"{folder}: {key} holds values that are not finite: take another checkpoint")
        dictionary = SparseAutoencoder(SAEConfig(d_in, n, self.k))
        dictionary.load_state_dict(tensors)
        return dictionary.requires_grad_(False)


@dataclass(frozen=True)
class _Source:
    """A folder's settings and tensors, asked for by name."""

    folder: Path
    settings: dict[str, Any]
    tensors: Tensors

    def get(self, *names: str) -> list[torch.Tensor]:
        """Tensors by name, float32; SteerError lists what is there."""
        missing = [name for name in names if name not in self.tensors]
        if missing:
            there = ", ".join(sorted(self.tensors)) or "nothing"
            raise SteerError(f"{self.folder}: the weights lack {', '.join(missing)}; they hold {there}")
        return [self.tensors[name].float() for name in names]

    def whole(self, name: str, value: Any) -> int:
        """A setting that must be a whole number."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise SteerError(f"{self.folder}: the setting {name} is {value!r}, not a whole number")
        return value

    def refuse(self, what: str, known: str) -> SteerError:
        """The error for a kind that cannot be said in our terms."""
        return SteerError(f"{self.folder} {what}, which mmsteer cannot read: it reads {known}")


def _saelens(source: _Source) -> _Plain:
    """SAELens 6.54 (sae_lens/saes): standard, topk, jumprelu, gated; and settings from before its version 6."""
    cfg = source.settings
    kind = cfg.get("architecture", "standard")
    activation = cfg.get("activation_fn", cfg.get("activation_fn_str", "relu"))
    k = cfg.get("k")
    if kind == "standard" and activation == "topk":  # before version 6
        kind, k = "topk", cfg.get("activation_fn_kwargs", {}).get("k")
    known = "standard, topk, jumprelu and gated"
    if kind not in ("standard", "topk", "jumprelu", "gated") or activation not in ("relu", "topk"):
        raise source.refuse(f"is of architecture {kind!r} with activation {activation!r}", known)
    if cfg.get("reshape_activations", "none") != "none":
        raise source.refuse(f"reshapes its input ({cfg['reshape_activations']})", known)
    if "scaling_factor" in source.tensors:
        raise source.refuse("has a finetuned scaling factor", known)

    W_enc, W_dec, b_dec = source.get("W_enc", "W_dec", "b_dec")
    if kind == "gated":
        # fires where a + b_gate > 0, as exp(r_mag) * a + b_mag: one threshold on the latter says both
        b_gate, b_mag, r_mag = source.get("b_gate", "b_mag", "r_mag")
        found = _Plain(W_enc * r_mag.exp(), b_mag, W_dec, b_dec, b_mag - r_mag.exp() * b_gate)
    else:
        (b_enc,) = source.get("b_enc")
        found = _Plain(W_enc, b_enc, W_dec, b_dec, torch.zeros_like(b_enc))
    if kind == "jumprelu":
        old = "log_threshold" in source.tensors
        (threshold,) = source.get("log_threshold" if old else "threshold")
        found = replace(found, threshold=threshold.exp() if old else threshold)
    if kind == "topk":
        found = replace(found, threshold=None, k=source.whole("k", k))
        if cfg.get("rescale_acts_by_decoder_norm", False):
            found = found.stretched(W_dec.norm(dim=1))
    if not cfg.get("apply_b_dec_to_input", True):
        found = found.uncentred()

    normalize = cfg.get("normalize_activations") or "none"
    if normalize == "constant_norm_rescale":  # brings every vector to length sqrt(d_in); those here have length 1
        return found.scaled(len(W_enc) ** 0.5)
    if normalize != "none":
        raise source.refuse(
            f"was trained with normalize_activations {normalize!r}, not folded into its weights",
            "'none' and 'constant_norm_rescale'",
        )
    return found


def _sparsify(source: _Source) -> _Plain:
    """Sparsify 1.3 (sparsify/sparse_coder.py): TopK."""
    cfg = source.settings
    for setting, usual in (("activation", "topk"), ("transcode", False), ("skip_connection", False)):
        if cfg.get(setting, usual) != usual:
            raise source.refuse(f"was trained with {setting} = {cfg[setting]!r}", f"{setting} = {usual!r}")
    weight, b_enc, W_dec, b_dec = source.get("encoder.weight", "encoder.bias", "W_dec", "b_dec")
    return _Plain(weight.T, b_enc, W_dec, b_dec, k=source.whole("k", cfg.get("k")))


def _dictionary_learning(source: _Source) -> _Plain:
    """dictionary_learning 0.1 (dictionary.py, trainers/top_k.py, trainers/batch_top_k.py)."""
    trainer = source.settings.get("trainer", {})
    kind = trainer.get("dict_class")
    readers: dict[str, Callable[[], _Plain]] = {
        "AutoEncoder": lambda: _linear(source, "bias"),
        "AutoEncoderTopK": lambda: _top(source),
        "BatchTopKSAE": lambda: _linear(source, "b_dec", float(source.get("threshold")[0])),
        "JumpReluAutoEncoder": lambda: _jump(source),
        "GatedAutoEncoder": lambda: _gated(source),
    }
    if kind not in readers:
        raise source.refuse(f"is a {kind!r}", ", ".join(readers))
    return readers[kind]()


def _linear(source: _Source, centre: str, threshold: float = 0.0) -> _Plain:
    weight, b_enc, decoder, b_dec = source.get("encoder.weight", "encoder.bias", "decoder.weight", centre)
    found = _Plain(weight.T, b_enc, decoder.T, b_dec, torch.full_like(b_enc, max(threshold, 0.0)))
    # an AutoEncoder's rows need not have length 1; its library brings them there when it loads one
    return found.stretched(found.W_dec.norm(dim=1)) if centre == "bias" else found


def _jump(source: _Source) -> _Plain:
    W_enc, b_enc, W_dec, b_dec, threshold = source.get("W_enc", "b_enc", "W_dec", "b_dec", "threshold")
    return _Plain(W_enc, b_enc, W_dec, b_dec, threshold).uncentred()


def _top(source: _Source) -> _Plain:
    k = source.tensors["k"].item() if "k" in source.tensors else source.settings["trainer"].get("k")
    return replace(_linear(source, "b_dec"), threshold=None, k=source.whole("k", k))


def _gated(source: _Source) -> _Plain:
    weight, decoder, b_dec = source.get("encoder.weight", "decoder.weight", "decoder_bias")
    r_mag, gate, mag = source.get("r_mag", "gate_bias", "mag_bias")
    return _Plain(weight.T * r_mag.exp(), mag, decoder.T, b_dec, mag - r_mag.exp() * gate)


class Layout(NamedTuple):
    """How a library lays a dictionary down."""

    library: str
    settings: str
    weights: str
    read: Callable[[_Source], _Plain]


LAYOUTS = (
    Layout("SAELens", "cfg.json", "sae_weights.safetensors", _saelens),
    Layout("sparsify", "cfg.json", "sae.safetensors", _sparsify),
    Layout("dictionary_learning", "config.json", "ae.pt", _dictionary_learning),
)


def layout_of(folder: Path) -> Layout:
    """Whose a folder is, by its files; SteerError where it is nobody's."""
    for layout in LAYOUTS:
        if (folder / layout.settings).is_file() and (folder / layout.weights).is_file():
            return layout
    known = ", ".join(f"{layout.settings} and {layout.weights} ({layout.library})" for layout in LAYOUTS)
    raise SteerError(f"{folder} holds no dictionary that is known: give a folder with {known}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SteerError(f"cannot read {path}: {error}. Fetch the folder again") from None
    if not isinstance(settings, dict):
        raise SteerError(f"{path} holds no settings but {type(settings).__name__}: fetch the folder again")
    return settings


def _read_tensors(path: Path) -> Tensors:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        # of a pickle weights alone are read: no code in it runs
        found = torch.load(path, "cpu", weights_only=True) if path.suffix == ".pt" else load_file(path)
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise SteerError(
            f"cannot read {path}: {first_line(error)}. It must hold weights and nothing else; fetch it again"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise SteerError(f"{path} does not hold weights by name: give the file its library saved")
    return found


def as_shared(
    features: list[Feature], tensors: Tensors, dictionary: SparseAutoencoder
) -> tuple[list[Feature], Tensors, dict[str, SparseAutoencoder]]:
    """Features, tensors and dictionaries of a bank whose one dictionary serves both sides.

    A vision-only feature acts by what goes with it in pictures, all others by what goes with them in captions: rows of
    `steering_image` and `steering_text` become one `steering_shared`, and so with `baseline`.
    """
    seen = [f.image_latent for f in features if f.modality == "vision" and f.image_latent is not None]
    merged = {key: value for key, value in tensors.items() if not key.startswith(("steering_", "baseline_"))}
    for name in ("steering", "baseline"):
        merged[f"{name}_shared"] = tensors[f"{name}_text"].clone()
        merged[f"{name}_shared"][seen] = tensors[f"{name}_image"][seen]
    return [replace(feature, shared=True) for feature in features], merged, {"shared": dictionary}


# -- out --


def export_bank(bank: FeatureBank, out: Path) -> list[Path]:
    """Write each dictionary as SAELens reads it (`SAE.load_from_disk(folder)`), and say which vectors it is for.

    Written beside `out` and renamed; SteerError where `out` exists.
    """
    if out.exists():
        raise SteerError(f"{out} exists: give a folder that does not, or move that one away")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    clip = bank.meta.get("clip", {})
    model = clip.get("id", "clip") if isinstance(clip, dict) else clip
    for side, dictionary in bank.dictionaries.items():
        # as CLIPModel calls its outputs; unit length
        names = {"image": "image_embeds", "text": "text_embeds", "shared": "image_embeds and text_embeds"}
        about = {"model_name": model, "hook_name": names[side], "dataset_path": bank.origin}
        dictionary.save(partial / side, about)
    partial.replace(out)
    return [out / side for side in bank.dictionaries]
