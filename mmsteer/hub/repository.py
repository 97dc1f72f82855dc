"""A repository at one commit: its files with their sizes, which of them are in the hub's cache, and fetching the others."""

import glob
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmsteer.errors import SteerError
from mmsteer.hub.errors import hub_errors

_OFFLINE = "connect, without HF_HUB_OFFLINE, and run the same command again; what is complete in the cache is not fetched a second time"


@dataclass(frozen=True)
class Repository:
    """A model or data set of the hub. Nothing is fetched before `fetch`."""

    id: str
    kind: str
    """`model` or `dataset`"""
    commit: str
    sizes: Mapping[str, int]
    """Its files by path, and their bytes."""
    licence: str | None = None
    """As its card states it; None if it does not, or the hub was not asked."""

    @property
    def name(self) -> str:
        """`OWNER/NAME@COMMIT`."""
        return f"{self.id}@{self.commit}"

    def missing(self, files: Iterable[str]) -> dict[str, int]:
        """Those of some files that are not in the cache, and their bytes."""
        from huggingface_hub import try_to_load_from_cache

        def here(file: str) -> bool:
            return isinstance(try_to_load_from_cache(self.id, file, revision=self.commit, repo_type=self.kind), str)

        return {file: self.sizes[file] for file in files if not here(file)}

    def fetch(self, files: Iterable[str]) -> Path:
        """Fetch what is missing of some files. Each file is in the cache completely or not at all.

        If the connection breaks within a file, the hub's client goes on from there a few times. Another run fetches that file
        again, but none that is complete.

        Returns:
            The folder in the cache that contains them.

        Raises:
            SteerError: the hub refuses or does not answer, or the disk is full.
        """
        from huggingface_hub import snapshot_download

        with hub_errors(self.id, _OFFLINE):
            folder = snapshot_download(
                self.id, repo_type=self.kind, revision=self.commit, allow_patterns=[glob.escape(file) for file in files],
                library_name="mmsteer",
            )  # fmt: skip
        return Path(folder)


def look_up(name: str, kind: str = "model") -> Repository:
    """Ask the hub for a repository's commit and files; without a network, the listing that an earlier fetch left in the cache.

    Args:
        name: `OWNER/NAME[@REVISION]`; a branch or tag stands for the commit that it names now.
        kind: `model` or `dataset`.

    Raises:
        SteerError: there is none, this account may not read it, or there is neither network nor a listing.
    """
    from huggingface_hub import HfApi, errors, get_cached_repo_tree
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # its own client

    id_, _, revision = name.partition("@")
    api = HfApi(library_name="mmsteer")
    with hub_errors(id_, _OFFLINE):
        commit = api.resolve_revision(id_, revision=revision or None, repo_type=kind).resolved
        try:
            info = api.repo_info(id_, revision=commit, repo_type=kind, files_metadata=True)
        except (errors.OfflineModeIsEnabled, httpx.TransportError) as error:
            try:
                tree = get_cached_repo_tree(id_, revision=commit, repo_type=kind)
            except errors.CachedRepoTreeNotFoundError:
                raise error from None
            return Repository(id_, kind, commit, {file.path: file.size for file in tree})
        if getattr(info, "gated", False):
            api.auth_check(id_, repo_type=kind)
    sizes = {file.rfilename: file.size or 0 for file in getattr(info, "siblings", None) or []}
    return Repository(id_, kind, commit, sizes, _licence(info))


def _licence(info: Any) -> str | None:
    card = getattr(info, "card_data", None)
    licence = card and (card.get("license_name") or card.get("license"))
    return str(licence) if licence else None


def require_space(needed: int) -> None:
    """SteerError if the disk of the hub's cache has fewer bytes free than needed."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = next(path for path in (Path(HF_HUB_CACHE), *Path(HF_HUB_CACHE).absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SteerError(
            f"the download takes {size_text(needed)}, and the disk of {HF_HUB_CACHE} has {size_text(free)} free: free some space, or "
            "set HF_HOME to a folder on a larger disk. Nothing was fetched"
        )


def size_text(count: float) -> str:
    """Bytes for people: `1.2 GB`, `34 MB`, `5 kB`."""
    for unit, power in (("GB", 9), ("MB", 6)):
        if count >= 10**power:
            return f"{count / 10**power:.1f} {unit}" if count < 100 * 10**power else f"{count / 10**power:,.0f} {unit}"
    return f"{count / 1000:.0f} kB"
