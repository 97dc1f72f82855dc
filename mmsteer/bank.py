"""A bank: every feature of one dictionary pair, with the dictionaries, in one folder. Load, save, search.

The JSON half (`FeatureBank.load`, `features`, `search`) needs no torch; dictionaries and bridge are read on first use.
Knows what is known of features; how that was found out is `mmsteer.build`'s business.
"""

import difflib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from mmsteer.errors import SteerError, first_line

if TYPE_CHECKING:
    import torch

    from mmsteer.sae import SparseAutoencoder

Modality = Literal["vision", "language", "cross"]
NamedBy = Literal["truth", "words", "property", "person"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
SCHEMA = 4  # where a text lies along an effect that is absent
_LONGEST_NAME = 60  # characters
_CURE = "Restore the bank (for the embedded one: git checkout assets/banks) or build it again with `python -m mmsteer bank build`"


@dataclass(frozen=True)
class Feature:
    """A latent, or a matched pair of latents, and what is known of it from held-out pairs."""

    id: int
    name: str
    """Words a person reads; "feature 17" where no name is sure."""
    sure: float | None
    """Held-out score of the name: F1 where the known truth named it, AUC where words or properties did; None where no
    name is sure."""
    modality: Modality
    """By the absolute rule (`mmsteer.mds.absolute_rule`): what fires on both sides of the same pairs is cross."""
    modality_paper: Modality
    """By the paper's rule: mean plus or minus one standard deviation over features (2502.14888, Sec. 2.1)."""
    mds: float
    """Modality Dominance Score, 0 = only captions, 1 = only pictures."""
    mds_low: float
    mds_high: float
    """95 % bootstrap interval over pairs."""
    n_pairs: int
    """Held-out pairs the score rests on: those where either side fires."""
    energy_ratio: float
    """E[z_img^2] / (E[z_img^2] + E[z_txt^2])."""
    cofiring: float
    """P(both fire) over what chance would give."""
    p_both: float
    """P(both fire | either fires)."""
    rate_image: float
    """Share of pictures it fires on."""
    rate_text: float
    """Share of captions it fires on."""
    image_latent: int | None
    """Row in the image dictionary, if it has an image direction."""
    text_latent: int | None
    """Row in the text dictionary, if it has a text direction."""
    unit: float
    """Its mean activation where it fires, on the side it acts on: strength 1.0."""
    named_by: NamedBy | None = None
    """Where the name comes from; None where the feature has only its number."""
    share: float | None = None
    """Held-out share of its activation that an automatic name accounts for; None for any other name."""
    automatic: str | None = None
    """The name that words of captions or measured properties of pictures give it, whatever it is called; None if unsure."""
    automatic_score: float | None = None
    """Held-out AUC of the best automatic candidate, sure or not."""
    mds_both: float | None = None
    """MDS over the pairs where both sides fire; None if there are none."""
    usable: tuple[float, float] = (-2.0, 2.0)
    """Strengths at which a typical prompt leaves the usual range (gauge 1), in units: past them pictures get odd."""
    words: tuple[str, ...] = ()
    """Words of captions that go with its firing, strongest first."""
    top_captions: tuple[str, ...] = ()
    """Captions of the pairs on which it fires most."""
    rivals: tuple[int, ...] = ()
    """Named features that are practically never in a caption together with it: what recedes as it is added."""
    shared: bool = False
    """One latent of one dictionary for both sides."""
    found_in: tuple[int, int] | None = None
    """In how many of how many builds with different seeds, this one included, a feature with its steering vector is there
    (`mmsteer.studies.stability`); None where that was not measured."""

    @property
    def telling(self) -> bool:
        """Whether its name says most of what it fires for: "banana" may be no more than the largest of a dozen things."""
        return self.named_by is not None and (self.share is None or self.share >= 0.5)

    @property
    def side(self) -> str:
        """The dictionary whose direction it acts along: pictures' for vision-only features, captions' for all others."""
        if self.shared:
            return "shared"
        return "image" if self.modality == "vision" or self.text_latent is None else "text"

    @property
    def unsaid(self) -> bool:
        """Whether no prompt carries it: it acts by what goes with it in pictures."""
        return self.side == "image" or (self.shared and self.modality == "vision")

    @property
    def latent(self) -> int:
        """Its row in the dictionary of `side`."""
        row = self.image_latent if self.side == "image" else self.text_latent
        assert row is not None
        return row


def make_room(folder: Path) -> Path:
    """An empty folder beside the one that a bank is to take, which is another bank, empty or not there; SteerError else, or
    where nothing can be written."""
    if not (folder / "bank.json").is_file() and (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
        raise SteerError(f"{folder} exists and is no bank: give a folder that does not exist")
    partial = folder.with_name(folder.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    except OSError as error:
        raise SteerError(f"cannot write to {folder.parent} ({error.strerror}): give a folder somewhere else") from error
    return partial


def _sayable(name: str) -> bool:
    """Whether the text form of an edit can hold a name, and gives it back."""
    return not set(name) & set(":@[]") and not name.isdecimal()


def _feature(record: dict[str, Any]) -> Feature:
    """A feature as JSON has it: lists where the record has tuples."""
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in record.items()}
    return Feature(**fields)


def _json(meta: dict[str, Any], features: list[dict[str, Any]]) -> str:
    """bank.json, a line a feature: a person reads it, and a change of one feature is a change of one line."""
    lines = ",\n  ".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    return f'{{\n "meta": {json.dumps(meta, ensure_ascii=False)},\n "features": [\n  {lines}\n ]\n}}\n'


class FeatureBank:
    """Features, their dictionaries, and the bridge to the text encoder they were made for."""

    def __init__(
        self,
        features: list[Feature],
        meta: dict[str, Any],
        dictionaries: "dict[str, SparseAutoencoder] | None" = None,
        bridge: "dict[str, torch.Tensor] | None" = None,
        folder: Path | None = None,
    ) -> None:
        self.meta, self.folder = meta, folder
        if dictionaries is not None:
            self.dictionaries = dictionaries
        if bridge is not None:
            self.bridge = bridge
        self._index(features)

    def _index(self, features: list[Feature]) -> None:
        self.features = features
        self._by_name = {feature.name.lower(): feature for feature in features}
        self._by_id = {feature.id: feature for feature in features}

    @classmethod
    def load(cls, folder: str | Path) -> "FeatureBank":
        """Read a bank folder; SteerError names the file that is missing, damaged or too new, and the cure."""
        folder = Path(folder)
        path = folder / "bank.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            meta = data["meta"]
            if meta["schema"] != SCHEMA:
                cure = "update mmsteer" if meta["schema"] > SCHEMA else "build the bank again"
                raise SteerError(f"{path} has schema {meta['schema']}; this mmsteer reads schema {SCHEMA}: {cure}")
            features = [_feature(record) for record in data["features"]]
        except SteerError:
            raise
        except FileNotFoundError:
            raise SteerError(f"there is no bank in {folder}: {path} does not exist. {_CURE}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SteerError(f"{path} is damaged ({type(error).__name__}: {error}). {_CURE}") from None
        return cls(features, meta, folder=folder)

    @cached_property
    def dictionaries(self) -> "dict[str, SparseAutoencoder]":
        """`image` and `text`, or `shared`."""
        from mmsteer.sae import SparseAutoencoder

        assert self.folder is not None
        sides = self.meta["dictionaries"]
        return {side: SparseAutoencoder.load(self.folder / side) for side in sides}

    @cached_property
    def bridge(self) -> "dict[str, torch.Tensor]":
        """projection `[d_text, d_joint]`; of a fitted map also offset `[d_joint]`, inverse `[d_joint, d_text]` and, for
        backbones with a pooled vector, inverse_pooled `[d_joint, d_pooled]`; probes `[n_probes, d_joint]`; effect_image,
        effect_text `[n_latents, d_joint]`, rest_image, rest_text `[n_latents]`: where a vector without the latent lies along
        its effect, in activation (or effect_shared, rest_shared); mean_text, mean_image, gauge_mean `[d_joint]`; gauge_precision
        `[d_joint, d_joint]`; gauge_p99 `[]`; image_norm `[]`: how long CLIP's embeddings of pictures are."""
        from safetensors.torch import load_file

        assert self.folder is not None
        path = self.folder / "bridge.safetensors"
        try:
            return load_file(path)
        except Exception as error:
            raise SteerError(f"cannot read {path}: {first_line(error)}. {_CURE}") from error

    @cached_property
    def directions(self) -> "torch.Tensor":
        """Where each feature points, `[n_features, d_joint]` of unit length: what goes with it on the side it acts on."""
        import torch

        effects = torch.stack([self.bridge[f"effect_{f.side}"][f.latent] for f in self.features]).float()
        return effects / effects.norm(dim=1, keepdim=True).clamp(min=1e-12)

    @cached_property
    def digest(self) -> str:
        """What tells this bank from any other: 16 hexadecimal digits of all by which it changes pictures.

        That is the features' numbers and what these stand for, the dictionaries and the bridge. Names are left out, as a
        feature that a person renames acts as before; so are scores, captions and examples.
        """
        from mmsteer.digest import of_tensors

        features = [(f.id, f.side, f.latent, f.unit, f.unsaid, f.rivals) for f in self.features]
        shapes = {side: asdict(dictionary.config) for side, dictionary in sorted(self.dictionaries.items())}
        weights = {
            f"{side}.{name}": tensor
            for side, dictionary in self.dictionaries.items() for name, tensor in dictionary.state_dict().items()
        }  # fmt: skip
        return of_tensors(json.dumps([features, shapes]), weights | self.bridge)

    @property
    def origin(self) -> str:
        """Which pairs it was made of, in words."""
        source = self.meta.get("source", "an unnamed source")
        return f"{source['name']} ({source['kind']})" if isinstance(source, dict) else str(source)

    @property
    def faithfulness(self) -> str:
        """How true the map between the text encoder and the joint space is, in words."""
        told = self.meta["bridge"]
        if told["kind"] != "fitted":
            return "exact map to the joint space" if told["kind"] == "exact" else "not yet fitted to a backbone"
        return f"fitted map to the joint space, R² {told['r2']:.2f} on unseen prompts"

    def save(self, folder: str | Path) -> None:
        """Write the whole bank: beside the folder first, then in its place. Example sheets already there are kept.

        SteerError, and nothing changed, for a folder that is no bank, a full disk, or a place that cannot be written to.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        folder = Path(folder).resolve()
        partial = make_room(folder)
        try:
            if (folder / "examples").is_dir():
                shutil.copytree(folder / "examples", partial / "examples")
            meta = {**self.meta, "schema": SCHEMA, "dictionaries": sorted(self.dictionaries)}
            (partial / "bank.json").write_text(_json(meta, [asdict(f) for f in self.features]), encoding="utf-8")
            for side, dictionary in self.dictionaries.items():
                dictionary.save(partial / side)
            save_file({k: v.contiguous() for k, v in self.bridge.items()}, partial / "bridge.safetensors")
        except (OSError, SafetensorError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise SteerError(
                f"cannot write {folder} ({first_line(error)}): free the disk, or give another folder, and run it again"
            ) from error
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)

    def rename(self, feature: str | int, name: str) -> Feature:
        """Give a feature another name, here and in the folder's bank.json; the old name's score goes with it.

        SteerError for a name that is empty, too long, another feature's, or that an edit cannot say.
        """
        old, name = self.get(feature), " ".join(name.split())
        asked = f"cannot rename feature {old.id}, {old.name!r}, to {name[:80]!r}"
        if not 0 < len(name) <= _LONGEST_NAME:
            raise SteerError(f"{asked}: a name has 1 to {_LONGEST_NAME} characters, this one {len(name)}; give another")
        if not _sayable(name):
            raise SteerError(
                f"{asked}: a name is not a bare number and holds none of : @ [ ], or edits could not say it"
            )
        taken = self._by_name.get(name.lower(), old)
        if taken.id != old.id:
            raise SteerError(f"{asked}: that is feature {taken.id}; give another name, or rename that one first")
        self._change({old.id: {"name": name, "sure": None, "named_by": "person", "share": None}})
        return self._by_id[old.id]

    def set_found_in(self, builds: Mapping[int, tuple[int, int]]) -> None:
        """Write into features, here and in the folder's bank.json, in how many of how many builds they were found, by id."""
        self._change({number: {"found_in": found} for number, found in builds.items()})

    def _change(self, fields: Mapping[int, dict[str, Any]]) -> None:
        """Give features, by id, other values of some fields, here and in the folder's bank.json."""
        assert self.folder is not None
        path = self.folder / "bank.json"
        data = json.loads(path.read_text(encoding="utf-8"))
        for record in data["features"]:
            record |= fields.get(record["id"], {})
        partial = path.with_suffix(".partial")
        partial.write_text(_json(data["meta"], data["features"]), encoding="utf-8")
        partial.replace(path)
        self._index([replace(feature, **fields.get(feature.id, {})) for feature in self.features])

    def get(self, feature: str | int) -> Feature:
        """A feature by number or (in any case) by name; SteerError lists the nearest names."""
        found = self.find(feature)
        if found is None:
            if isinstance(feature, int):
                raise SteerError(f"there is no feature {feature}; numbers go from 0 to {max(self._by_id, default=0)}")
            near = ", ".join(other.name for other in self.near(feature))
            raise SteerError(
                f"there is no feature {feature.strip()[:80]!r}; "
                + (f"the nearest are {near}" if near else "search the bank for one by word")
            )
        return found

    def find(self, feature: str | int) -> Feature | None:
        """A feature by number or (in any case) by name; None where there is none."""
        return self._by_id.get(feature) if isinstance(feature, int) else self._by_name.get(feature.strip().lower())

    def near(self, name: str) -> list[Feature]:
        """At most five features whose names are spelt most like a name, nearest first."""
        close = difflib.get_close_matches(name.strip().lower()[:_LONGEST_NAME], list(self._by_name), n=5, cutoff=0.4)
        return [self._by_name[other] for other in close]

    def said(self, feature: Feature) -> str | int:
        """How an edit names a feature: by its name, which outlives a bank built again; by its number where it has no name."""
        own = feature.named_by is not None and self._by_name.get(feature.name.lower()) is feature
        return feature.name if own and _sayable(feature.name) else feature.id

    def search(self, text: str = "", modality: str | None = None) -> list[Feature]:
        """Features whose name or words hold `text`, best first: names that begin with it, then sure names, then the rest."""
        wanted = text.strip().lower()
        found = [
            f for f in self.features
            if (modality in (None, f.modality)) and (wanted in f.name.lower() or any(wanted in w.lower() for w in f.words))
        ]  # fmt: skip
        return sorted(
            found,
            key=lambda f: (
                not f.name.lower().startswith(wanted),
                wanted not in f.name.lower(),
                f.named_by is None,
                f.id,
            ),
        )
