"""Where an adapter's file comes from: a file, a folder or a repository on the hub, of which the one is taken that fits."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mmsteer.errors import SteerError, first_line
from mmsteer.models.image_adapter.header import CLIPS, EXAMPLE, Kind, kind_of, refuse_pickle, shapes_in
from mmsteer.models.weights_header import Shapes

_HUB = re.compile(r"(?:hub:)?(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<file>.+))?")


def find_adapter(source: str | Path, rows: int, reads: int | None = None) -> Path:
    """The file of an adapter. If it is chosen among several, or comes from the hub, a line on standard error says which it is.

    Args:
        source: a file; a folder with adapters in it, as h94/IP-Adapter is laid out; or `hub:OWNER/NAME[@REVISION][/FILE]`. What is
            in the hub's cache needs no network.
        rows: how wide the rows are that the UNet reads.
        reads: d_joint of the image embeddings to feed it; None if any will do.

    Raises:
        SteerError: there is no such file, none of them fits, or those that fit read more than one image embedding.
    """
    path = Path(source)
    if path.is_file():
        return path
    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file for file in sorted(path.rglob("*")) if file.is_file()}
        name, kind = _choose(str(source), files, lambda name: shapes_in(files[name]), rows, reads)
        return _chosen(files[name], f"{name} of {path.name}", kind)
    match = _HUB.fullmatch(str(source))
    if isinstance(source, Path) or not match or str(source).startswith((".", "/", "~")):
        raise SteerError(
            f"there is no adapter {source}: give a safetensors file, a folder with one in it, or hub:OWNER/NAME, for example {EXAMPLE}"
        )
    return _from_hub(match["repo"], match["revision"], match["file"], rows, reads)


def _from_hub(repo: str, revision: str | None, file: str | None, rows: int, reads: int | None) -> Path:
    """The file of a repository that fits, or the one named; a branch or tag is resolved to its commit first."""
    try:
        commit, names, shapes = _listed(repo, revision)
        kind = None
        if file is None:
            file, kind = _choose(f"{repo}@{commit}", names, shapes, rows, reads)
        refuse_pickle(file)
        from huggingface_hub import hf_hub_download

        path = Path(hf_hub_download(repo, file, revision=commit))
    except SteerError:
        raise
    except Exception as error:  # offline, gated, gone, misspelt: the library's words say which
        raise SteerError(
            f"cannot get {file or 'an adapter'} of {repo} from the hub or its cache: {first_line(error)}. Check the name and the "
            "network, or give a local file"
        ) from error
    return _chosen(path, f"{file} of {repo}@{commit}", kind or kind_of(file, shapes_in(path)))


def _listed(repo: str, revision: str | None) -> tuple[str, list[str], Callable[[str], Shapes]]:
    """The commit of a repository, its files, and what reads the shapes in one of them: of the hub, or else of its cache."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # its own client

    api = HfApi()
    try:
        info = api.model_info(repo, revision=revision)
    except (OfflineModeIsEnabled, LocalEntryNotFoundError, httpx.TransportError):
        folder = Path(snapshot_download(repo, revision=revision, local_files_only=True))
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        return folder.name, names, lambda name: shapes_in(folder / name)
    commit = str(info.sha)

    def shapes(name: str) -> Shapes:
        # of a file on the hub a few kB are read
        header = api.parse_safetensors_file_metadata(repo, name, revision=commit)
        return {tensor: tuple(about.shape) for tensor, about in header.tensors.items()}

    return commit, sorted(file.rfilename for file in info.siblings or ()), shapes


def _choose(
    source: str, names: Iterable[str], shapes: Callable[[str], Shapes], rows: int, reads: int | None
) -> tuple[str, Kind]:
    """The adapter among some files that fits; of several the one with the shortest name, which is the base variant."""
    kinds: dict[str, Kind] = {}
    refused: list[str] = []
    names = list(names)
    for name in (name for name in names if name.endswith(".safetensors")):
        found = shapes(name)
        if not any(tensor.startswith("ip_adapter.") for tensor in found):
            continue  # an image encoder, say
        try:
            kinds[name] = kind_of(name, found)
        except SteerError as error:
            refused.append(str(error))
    if not kinds:
        pickles = [
            name for name in names if Path(name).name.startswith("ip-adapter") and not name.endswith(".safetensors")
        ]
        if pickles and not refused:
            refuse_pickle(pickles[0])
        raise SteerError(
            refused[0] if refused else f"{source} holds no image adapter: give an IP-Adapter, for example {EXAMPLE}"
        )
    fitting = {name: kind for name, kind in kinds.items() if kind.rows == rows}
    if not fitting:
        raise SteerError(
            f"this checkpoint's UNet reads rows {rows} wide, and no adapter in {source} makes tokens as wide: {_list(kinds)}. Give an "
            "adapter for this checkpoint; there are some for Stable Diffusion 1.5 (768) and XL (2048)"
        )
    matching = {name: kind for name, kind in fitting.items() if reads in (None, kind.reads)}
    if not matching:
        clip = CLIPS.get(min(kind.reads for kind in fitting.values()), "the CLIP that it reads")
        raise SteerError(
            f"the bank's joint space is {reads} wide, and the adapters in {source} for this checkpoint read other image "
            f"embeddings: {_list(fitting)}. Give a bank of {clip}, fitted to this checkpoint with `bank fit`"
        )
    best = min(matching, key=lambda name: (len(name), name))
    return best, matching[best]


def _list(kinds: Mapping[str, Kind]) -> str:
    return "; ".join(f"{name} has {kind}" for name, kind in kinds.items())


def _chosen(path: Path, title: str, kind: Kind) -> Path:
    print(f"image adapter: {title}, {kind}", file=sys.stderr, flush=True)
    return path
