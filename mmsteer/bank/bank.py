"""A bank: every feature of one pair of dictionaries, with the dictionaries, in one folder.

`FeatureBank.load` reads bank.json and the headers of the weights, and needs no torch; dictionaries and tensors are read on
first use. How features were found and named is the business of `mmsteer.labelling`.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsteer.bank.feature import Feature, is_printable
from mmsteer.bank.folder import CURE, make_room, put_in_place, read_index, write_index
from mmsteer.bank.search import by_spelling, by_words
from mmsteer.bank.tensors import FILE, on_disk, read_tensors, write_tensors
from mmsteer.errors import SteerError, first_line

if TYPE_CHECKING:
    import torch

    from mmsteer.models.sae import SparseAutoencoder

_LONGEST_NAME = 60  # characters


def _fits_an_edit(name: str) -> bool:
    """Whether the text form of an edit can hold a name, and gives it back."""
    return not set(name) & set(":@[]") and not name.isdecimal()


class FeatureBank:
    """Features, the dictionaries they come from, and what steering needs of the text encoder they were made for.

    Example:
        >>> from mmsteer import FeatureBank
        >>> bank = FeatureBank.load("assets/banks/mini")
        >>> bank.get("warm light").modality
        'vision'
    """

    def __init__(
        self,
        features: list[Feature],
        meta: dict[str, Any],
        dictionaries: "dict[str, SparseAutoencoder] | None" = None,
        tensors: "dict[str, torch.Tensor] | None" = None,
        folder: Path | None = None,
    ) -> None:
        """Put a bank together; `load` reads one.

        Args:
            features: with ids and names of their own each.
            meta: what bank.json says of the bank as a whole (`mmsteer.bank.folder`).
            dictionaries: `image` and `text`, or `shared`; None reads them from `folder` on first use.
            tensors: by the names in `mmsteer.bank.tensors`; None reads them from `folder` on first use.
            folder: where the bank lies, if it lies anywhere.
        """
        self.meta, self.folder = meta, folder
        if dictionaries is not None:
            self.dictionaries = dictionaries
        if tensors is not None:
            self.tensors = tensors
        self._index(features)

    def _index(self, features: list[Feature]) -> None:
        self.features = features
        self._by_name = {feature.name.lower(): feature for feature in features}
        self._by_id = {feature.id: feature for feature in features}

    @classmethod
    def load(cls, folder: str | Path) -> "FeatureBank":
        """Read a bank.

        Args:
            folder: as `save`, `bank build` or `bank pull` wrote it.

        Raises:
            SteerError: a file is missing or damaged, or anything in it is not as `mmsteer.bank.schema` has it. Of the weights only the
                headers are read here.
        """
        folder = Path(folder)
        meta, features = read_index(folder)
        return cls(features, meta, folder=folder)

    @cached_property
    def dictionaries(self) -> "dict[str, SparseAutoencoder]":
        """The sparse autoencoders: `image` and `text`, or `shared`."""
        from mmsteer.models.sae import SparseAutoencoder

        assert self.folder is not None
        return {side: SparseAutoencoder.load(self.folder / side) for side in self.meta["dictionaries"]}

    @cached_property
    def tensors(self) -> "dict[str, torch.Tensor]":
        """Text-to-joint map, steering vectors and statistics, by the names in `mmsteer.bank.tensors`."""
        assert self.folder is not None
        try:
            return read_tensors(self.folder)
        except Exception as error:
            raise SteerError(f"cannot read {self.folder / FILE}: {first_line(error)}. {CURE}") from error

    def push(self, feature: Feature) -> "torch.Tensor":
        """What strength 1 of a feature adds in the joint space, `[d_joint]`: its activation scale times its steering vector."""
        return self.tensors[f"steering_{feature.side}"][feature.latent].float() * feature.activation_scale

    @cached_property
    def directions(self) -> "torch.Tensor":
        """The steering vector of each feature scaled to unit length, `[n_features, d_joint]`."""
        import torch

        vectors: torch.Tensor = torch.stack(
            [self.tensors[f"steering_{f.side}"][f.latent] for f in self.features]
        ).float()
        lengths: torch.Tensor = vectors.norm(dim=1, keepdim=True).clamp(min=1e-12)
        return vectors / lengths

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of everything by which the bank changes pictures.

        That is the features' ids and what these stand for, the dictionaries and the tensors. Names are left out, since a
        feature that a person renames acts as before; so are scores, captions and examples.
        """
        from mmsteer.models.digest import of_tensors

        shapes = {side: asdict(dictionary.config) for side, dictionary in sorted(self.dictionaries.items())}
        weights = {
            f"{side}.{name}": tensor
            for side, dictionary in self.dictionaries.items()
            for name, tensor in dictionary.state_dict().items()
        }
        # recipes of every age name a bank by its digest, so the tensors count under their names on disk
        return of_tensors(json.dumps([self._acting, shapes]), weights | on_disk(self.tensors))

    @cached_property
    def quick_digest(self) -> str:
        """Of what `digest` is of, in a folder's files, from a sample of each tensor; needs no torch."""
        from mmsteer.models.digest import of_files

        assert self.folder is not None, "a bank in memory has no files"
        sides = sorted(self.meta["dictionaries"])
        files = [self.folder / side / name for side in sides for name in ("cfg.json", "sae_weights.safetensors")]
        return of_files(json.dumps(self._acting), [*files, self.folder / FILE])

    @property
    def _acting(self) -> list[tuple[Any, ...]]:
        """By what features change pictures."""
        return [(f.id, f.side, f.latent, f.activation_scale, f.image_only, f.mutually_exclusive) for f in self.features]

    @property
    def origin(self) -> str:
        """The pairs it was made of, in words."""
        source = self.meta.get("source", "an unnamed source")
        return f"{source['name']} ({source['kind']})" if isinstance(source, dict) else str(source)

    @property
    def faithfulness(self) -> str:
        """How exact the map between the text encoder and the joint space is, in words."""
        fitted = self.meta["text_to_joint"]
        if fitted["kind"] != "fitted":
            return "exact map to the joint space" if fitted["kind"] == "exact" else "not yet fitted to a backbone"
        return f"fitted map to the joint space, R² {fitted['r2']:.2f} on unseen prompts"

    def save(self, folder: str | Path) -> None:
        """Write the whole bank: beside the folder first, then in its place. Example sheets and other files there stay.

        Args:
            folder: a bank, an empty folder, or one that does not exist.

        Raises:
            SteerError: and nothing changed, where the folder holds something else, the disk is full, nothing can be written, or
                the bank could not be loaded again.
        """
        from safetensors import SafetensorError

        from mmsteer.bank.schema import check_sizes

        folder = Path(folder).resolve()
        partial = make_room(folder)
        try:
            if (folder / "examples").is_dir():
                shutil.copytree(folder / "examples", partial / "examples")
            write_index({**self.meta, "dictionaries": sorted(self.dictionaries)}, self.features, partial)
            for side, dictionary in self.dictionaries.items():
                dictionary.save(partial / side)
            write_tensors(self.tensors, partial)
            check_sizes(partial, self.features, self.dictionaries)
        except SteerError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise SteerError(f"cannot write {folder}: it could not be loaded again, since {error}") from None
        except (OSError, SafetensorError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise SteerError(
                f"cannot write {folder} ({first_line(error)}): free the disk, or give another folder, and run it again"
            ) from error
        put_in_place(partial, folder)

    def rename(self, feature: str | int, name: str) -> Feature:
        """Give a feature another name, here and in the folder's bank.json; the score of the old name goes with it.

        Args:
            feature: its name or id.
            name: 1 to 60 characters, none of `:@[]`, not a bare number, and no other feature's name.

        Returns:
            The renamed feature.

        Raises:
            SteerError: there is no such feature, or the name cannot be used.
        """
        old, name = self.get(feature), " ".join(name.split())
        asked = f"cannot rename feature {old.id}, {old.name!r}, to {name[:80]!r}"
        if not 0 < len(name) <= _LONGEST_NAME:
            raise SteerError(f"{asked}: a name has 1 to {_LONGEST_NAME} characters, this one {len(name)}; give another")
        if not is_printable(name):
            raise SteerError(f"{asked}: it has characters that nobody sees; give another name")
        if not _fits_an_edit(name):
            raise SteerError(
                f"{asked}: a name is not a bare number and holds none of : @ [ ], or edits could not say it"
            )
        taken = self._by_name.get(name.lower(), old)
        if taken.id != old.id:
            raise SteerError(f"{asked}: that is feature {taken.id}; give another name, or rename that one first")
        self._change({old.id: {"name": name, "name_confidence": None, "named_by": "person", "share": None}})
        return self._by_id[old.id]

    def set_found_in(self, builds: Mapping[int, tuple[int, int]]) -> None:
        """Write into features, by id, in how many of how many builds they were found; also into the folder's bank.json."""
        self._change({number: {"found_in": found} for number, found in builds.items()})

    def set_example_activations(self, measured: Mapping[int, dict[str, tuple[float, ...]]]) -> None:
        """Write into features, by id, `picture_activations` and `caption_activations`; also into the folder's bank.json."""
        self._change(measured)

    def _change(self, fields: Mapping[int, Mapping[str, Any]]) -> None:
        """Give features, by id, other values of some fields, here and in the folder's bank.json."""
        assert self.folder is not None
        meta, stored = read_index(self.folder)
        write_index(meta, [replace(feature, **fields.get(feature.id, {})) for feature in stored], self.folder)
        self._index([replace(feature, **fields.get(feature.id, {})) for feature in self.features])

    def get(self, feature: str | int) -> Feature:
        """A feature by id or, in any case, by name; SteerError lists the nearest names."""
        known = self.find(feature)
        if known is None:
            if isinstance(feature, int):
                raise SteerError(f"there is no feature {feature}; numbers go from 0 to {max(self._by_id, default=0)}")
            near = ", ".join(other.name for other in self.near(feature))
            raise SteerError(
                f"there is no feature {feature.strip()[:80]!r}; "
                + (f"the nearest are {near}" if near else "search the bank for one by word")
            )
        return known

    def find(self, feature: str | int) -> Feature | None:
        """A feature by id or, in any case, by name; None where there is none."""
        return self._by_id.get(feature) if isinstance(feature, int) else self._by_name.get(feature.strip().lower())

    def near(self, name: str) -> list[Feature]:
        """At most five features whose names are spelt most like a name, nearest first."""
        return [self._by_name[other] for other in by_spelling(list(self._by_name), name)]

    def reference(self, feature: Feature) -> str | int:
        """How an edit refers to a feature: by its name, which outlives a bank built again; by its id where it has no name."""
        own = feature.named_by is not None and self._by_name.get(feature.name.lower()) is feature
        return feature.name if own and _fits_an_edit(feature.name) else feature.id

    def search(self, text: str = "", modality: str | None = None) -> list[Feature]:
        """Features whose name or words contain `text`, best first (`mmsteer.bank.search.by_words`); all for no text."""
        return by_words(self.features, text, modality)
