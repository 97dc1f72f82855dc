"""Dictionaries trained elsewhere: those of SAELens, sparsify, dictionary_learning and MSAE, recognised by their files.

Vectors of a joint space have length 1. A dictionary must have been trained on such vectors, or `scale` gives their length.
"""

import fnmatch
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mmsteer.errors import SteerError, first_line
from mmsteer.exchange import dictionary_learning, msae, saelens, sparsify
from mmsteer.exchange.checkpoint import Checkpoint
from mmsteer.exchange.normal_form import NormalForm
from mmsteer.models.sae import SparseAutoencoder
from mmsteer.training.dictionaries import Dictionaries


class Layout(NamedTuple):
    """How a library saves a dictionary."""

    library: str
    files: tuple[str, ...]
    """Patterns of file names."""
    load: Callable[..., Checkpoint]
    """Reads the files of these names in a folder."""
    read: Callable[[Checkpoint], NormalForm]


LAYOUTS = (
    Layout("SAELens", ("cfg.json", "sae_weights.safetensors"), Checkpoint.load, saelens.read),
    Layout("sparsify", ("cfg.json", "sae.safetensors"), Checkpoint.load, sparsify.read),
    Layout("dictionary_learning", ("config.json", "ae.pt"), Checkpoint.load, dictionary_learning.read),
    Layout("MSAE", ("*.pth",), msae.load, msae.read),
)


@dataclass(frozen=True)
class Source:
    """Where a dictionary is."""

    name: str
    """What a bank records of it: no path of this machine."""
    folder: Path
    layout: Layout
    files: tuple[str, ...]


def locate(place: str | Path) -> Source:
    """The dictionary in a folder, or in one file of it; SteerError if it is of no known library."""
    path = Path(place)
    if path.is_file():
        return Source(path.name, path.parent, *recognise([path.name], str(path)))
    names = [entry.name for entry in path.iterdir() if entry.is_file()] if path.is_dir() else []
    return Source(path.name, path, *recognise(names, str(path)))


def recognise(names: Collection[str], where: str) -> tuple[Layout, tuple[str, ...]]:
    """The layout that file names belong to, and those of them that are needed; SteerError if there is none, or a choice."""
    for layout in LAYOUTS:
        present = [fnmatch.filter(names, pattern) for pattern in layout.files]
        if not all(present):
            continue
        several = next((matching for matching in present if len(matching) > 1), None)
        if several:
            raise SteerError(
                f"{where} contains {len(several)} dictionaries: add the name of one, of {', '.join(sorted(several)[:5])}"
            )
        return layout, tuple(matching[0] for matching in present)
    known = ", ".join(f"{' and '.join(layout.files)} ({layout.library})" for layout in LAYOUTS)
    raise SteerError(f"{where} contains no dictionary of a known library: give a folder with {known}")


def read_dictionary(place: Source | str | Path, scale: float = 1.0) -> SparseAutoencoder:
    """Read a dictionary, for unit vectors.

    Args:
        place: A folder of SAELens, sparsify or dictionary_learning, a file of MSAE, or what `locate` gives for one.
        scale: The length of the vectors that it was trained on.

    Raises:
        SteerError: For a folder of none of these libraries, a damaged file, and a kind of dictionary without a normal form.
    """
    if not scale > 0:
        raise SteerError(f"--scale {scale:g}: give the length of the embeddings that it was trained on, above 0")
    source = place if isinstance(place, Source) else locate(place)
    checkpoint = source.layout.load(source.folder, *source.files)
    try:
        return source.layout.read(checkpoint).scaled(scale).dictionary()
    except SteerError:
        raise
    except (ValueError, RuntimeError, IndexError) as error:  # tensors that do not fit together
        raise SteerError(
            f"{checkpoint.folder}: {first_line(error)[:200]}: the file is damaged, or not of the kind that its settings name"
        ) from None


def read_dictionaries(
    image: Source | str | Path, text: Source | str | Path | None = None, scale: float = 1.0
) -> Dictionaries:
    """Read one dictionary for both sides or, with `text`, one a side.

    Args:
        image: The dictionary of both sides, or of pictures.
        text: The dictionary of captions, if there are two.
        scale: The length of the vectors that they were trained on.

    Raises:
        SteerError: As `read_dictionary`, and for two dictionaries of different width.
    """
    pictures = read_dictionary(image, scale)
    if text is None:
        return Dictionaries(pictures, pictures, paired=True)
    captions = read_dictionary(text, scale)
    if pictures.config.d_in != captions.config.d_in:
        names = [place.name if isinstance(place, Source) else str(place) for place in (image, text)]
        raise SteerError(
            f"{names[0]} is for vectors {pictures.config.d_in} wide, {names[1]} for {captions.config.d_in}: both must be of one "
            "joint space"
        )
    return Dictionaries(pictures, captions, paired=False)
