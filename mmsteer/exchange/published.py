"""Where a dictionary is: a folder or file of this machine, or a repository of the hub, of which only what is needed is fetched."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from mmsteer.errors import SteerError, quoted
from mmsteer.exchange.dictionaries import LAYOUTS, Source, locate, recognise
from mmsteer.hub.repository import look_up, require_space, size_text

_ADDRESS = re.compile(r"hub:(?P<name>[\w.-]+/[\w.-]+(?:@[\w.-]+)?)(?:/(?P<inside>[^@]+?))?/?")


def find_dictionary(place: str) -> Source:
    """The dictionary at a place that a person names. One on the hub is fetched; its commit and size are printed.

    Args:
        place: A folder, a file of MSAE, or `hub:OWNER/NAME[@REVISION][/FOLDER]`. A branch or tag stands for the commit that it
            names now, which becomes part of the source's name.

    Raises:
        SteerError: No dictionary of a known library is there, or the hub refuses or cannot be reached.
    """
    if not place.startswith("hub:"):
        return locate(place)
    address = _ADDRESS.fullmatch(place)
    if address is None:
        raise SteerError(
            f"cannot read {quoted(place)}: write hub:OWNER/NAME, hub:OWNER/NAME@COMMIT or hub:OWNER/NAME@COMMIT/FOLDER"
        )
    repository, inside = look_up(address["name"]), PurePosixPath(address["inside"] or ".")
    paths = [PurePosixPath(path) for path in repository.sizes]
    folder = inside.parent if inside in paths else inside
    names = [path.name for path in paths if path == inside or (path.parent == inside and inside not in paths)]
    name = f"hub:{repository.name}" + ("" if inside == PurePosixPath(".") else f"/{inside}")
    try:
        layout, files = recognise(names, name)
    except SteerError as error:
        raise SteerError(f"{error}{_elsewhere(paths)}") from None
    wanted = [str(folder / file) for file in files]
    missing = sum(repository.missing(wanted).values())
    require_space(missing)
    print(f"{name}: {' and '.join(files)}, {size_text(missing)} to fetch", flush=True)
    return Source(name, repository.fetch(wanted) / folder, layout, files)


def _elsewhere(paths: Iterable[PurePosixPath]) -> str:
    """The folders of a repository that contain weights, as a hint."""
    weights = [layout.files[-1] for layout in LAYOUTS]
    folders = sorted(
        {str(path.parent) for path in paths if path.name and any(path.match(pattern) for pattern in weights)} - {"."}
    )
    return f". Weights are in its folders {', '.join(folders[:5])}" if folders else ""
