"""The files of a checkpoint, in a folder or on the hub: where they lie, and the small ones read. Loads no weights."""

import json
from collections.abc import Container
from functools import cached_property
from pathlib import Path
from typing import Any

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError, first_line, quoted
from mmsteer.models.loading.single_file import configuration
from mmsteer.models.loading.weight_files import contents, only_variant, part_folders
from mmsteer.models.registry import BACKBONES, WEIGHTS, Spec, spec_of


class Checkpoint:
    """A checkpoint by the name a person gave: a known backbone, a folder, a safetensors file or a hub id."""

    def __init__(self, name: str, spec: Spec | None = None) -> None:
        """`spec` is what the name stands for, unless it is the usual (`mmsteer.models.registry.spec_of`)."""
        self.name, self.spec = name, spec or spec_of(name)

    @property
    def source(self) -> Path | str:
        """Its folder, file or hub id."""
        return self.spec.source

    @property
    def file(self) -> Path | None:
        """The file, where it is one (`mmsteer.models.loading.single_file`)."""
        one = isinstance(self.source, Path) and self.source.suffix in WEIGHTS and self.source.is_file()
        return self.source if one and isinstance(self.source, Path) else None

    @cached_property
    def configuration(self) -> Path | None:
        """The folder of its small files, where it is a file; fetched if need be."""
        return configuration(self.file) if self.file else None

    @property
    def local(self) -> bool:
        """Whether it is a folder or a file."""
        return isinstance(self.source, Path)

    @property
    def folder(self) -> Path | None:
        """Its own folder, or that of its commit in the hub's cache; None if it was not downloaded. The hub is not asked. Of a file
        the folder of its configuration; SteerError without one.
        """
        if self.file:
            return configuration(self.file, fetch=False)
        if isinstance(self.source, Path):
            return self.source
        from huggingface_hub import try_to_load_from_cache

        index = try_to_load_from_cache(self.source, "model_index.json", revision=self.spec.revision)
        return Path(index).parent if isinstance(index, str) else None

    def digest(self, adapter: Path | None = None) -> str:
        """What tells it from any other: its commit on the hub, or the digest of a local folder's files; where parts come from
        elsewhere or there is an adapter, a digest of that and of these. Reads small files, and a sample of each weight file.

        Args:
            adapter: the file of its image adapter.

        Raises:
            SteerError: it is not on this machine.
        """
        from mmsteer.models.digest import of_checkpoint, of_file, of_files

        folder = self.folder
        if folder is None:
            raise SteerError(f"{self.name} is not on this machine: fetch it first")
        own = of_checkpoint(folder) if self.local else folder.name
        if self.file:
            own = of_file(self.file)
        more = [path for part in self.spec.parts.values() for path in sorted(part.iterdir())]
        more += [adapter] if adapter else []
        return of_files(own, more) if more else own

    @cached_property
    def index(self) -> dict[str, Any]:
        """model_index.json: the class of the pipeline and of each part."""
        return self.read("model_index.json")

    @property
    def cure(self) -> str:
        """What to do where its files are not what they should be."""
        if not isinstance(self.source, Path):
            return "Fetch it again, or name another"
        if self.source.resolve().is_relative_to(ASSETS.resolve()):
            return f"Restore the folder (git checkout assets/{self.source.name}), or name another"
        return "Name a folder that diffusers' save_pretrained wrote, or fetch this one again"

    def variant(self, left_out: Container[str] = ()) -> str | None:
        """Of which variant the weights of its folder are; None where these are unmarked, and of one file.

        Args:
            left_out: parts that are not loaded.

        Raises:
            SteerError: a part holds no safetensors weights.
        """
        if self.file:
            return None
        folder, elsewhere = self.folder, self.spec.parts
        assert folder is not None, "it is on this machine"
        parts = part_folders(folder, self.index)
        return only_variant(part for part in parts if part.name not in left_out and part.name not in elsewhere)

    def read(self, file: str) -> dict[str, Any]:
        """A small JSON file of it, downloaded if need be.

        Args:
            file: its path within the checkpoint.

        Raises:
            SteerError: it is missing, damaged, or the hub does not give it.
        """
        path = self._path(file)
        try:
            content: dict[str, Any] = json.loads(path.read_text())
            content.get("")
        except (ValueError, AttributeError) as error:
            raise SteerError(f"{path} is damaged ({error}). {self.cure}.") from None
        return content

    def _path(self, file: str) -> Path:
        if self.configuration:
            return self.configuration / file
        if isinstance(self.source, Path):
            path = self.source / file
            if self.source.is_dir() and not path.is_file():
                raise SteerError(
                    f"{self.source} is no whole diffusers pipeline: it holds {contents(path.parent)}, and no {path.name}. {self.cure}"
                )
            if not path.is_file():
                raise SteerError(
                    f"there is no backbone {quoted(self.name)}: {path} does not exist. Known are {', '.join(BACKBONES)}, a folder saved "
                    "by diffusers, or a hub id"
                )
            return path
        from huggingface_hub import hf_hub_download

        try:
            return Path(hf_hub_download(self.source, file, revision=self.spec.revision))
        except Exception as error:  # offline, gated, gone, misspelt: the library's words say which
            raise SteerError(
                f"cannot get {file} of {self.source} from the hub or its cache: {first_line(error)}. Check the name, the "
                "network and, for a gated checkpoint, `hf auth login`; or name a local folder"
            ) from error

    def lacks(self, part: str) -> bool:
        """Whether the index does not name a part of the pipeline, or the folder does not have it."""
        named = self.index.get(part, [None])[0] is not None
        return not named or (isinstance(self.source, Path) and not (self.source / part).is_dir())

    def damaged_weights(self) -> list[str]:
        """The weight files of a folder that cannot be opened, by their paths within it."""
        from safetensors import safe_open

        damaged = []
        for path in sorted(self.source.rglob("*.safetensors")) if isinstance(self.source, Path) else []:
            try:
                with safe_open(path, "pt"):
                    pass
            except Exception:  # any failure means this file is the culprit
                damaged.append(str(path.relative_to(self.source)))
        return damaged
