"""Dictionaries trained elsewhere: folders of SAELens, sparsify and dictionary_learning, recognised by their files.

Vectors of a joint space have length 1. A dictionary must have been trained on such vectors, or `scale` gives their length.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mmsteer.errors import SteerError
from mmsteer.exchange import dictionary_learning, saelens, sparsify
from mmsteer.exchange.checkpoint import Checkpoint
from mmsteer.exchange.normal_form import NormalForm
from mmsteer.models.sae import SparseAutoencoder
from mmsteer.training.dictionaries import Dictionaries


class Layout(NamedTuple):
    """How a library saves a dictionary."""

    library: str
    settings: str
    """File name."""
    weights: str
    """File name."""
    read: Callable[[Checkpoint], NormalForm]


LAYOUTS = (
    Layout("SAELens", "cfg.json", "sae_weights.safetensors", saelens.read),
    Layout("sparsify", "cfg.json", "sae.safetensors", sparsify.read),
    Layout("dictionary_learning", "config.json", "ae.pt", dictionary_learning.read),
)


def layout_of(folder: Path) -> Layout:
    """The layout of a folder, by its files; SteerError if it is of no library."""
    for layout in LAYOUTS:
        if (folder / layout.settings).is_file() and (folder / layout.weights).is_file():
            return layout
    known = ", ".join(f"{layout.settings} and {layout.weights} ({layout.library})" for layout in LAYOUTS)
    raise SteerError(f"{folder} contains no dictionary of a known library: give a folder with {known}")


def read_dictionary(folder: Path, scale: float = 1.0) -> SparseAutoencoder:
    """Read a dictionary, for unit vectors.

    Args:
        folder: Of SAELens, sparsify or dictionary_learning.
        scale: The length of the vectors that it was trained on.

    Raises:
        SteerError: For a folder of none of these libraries, a damaged file, and a kind of dictionary without a normal form.
    """
    if not scale > 0:
        raise SteerError(f"--scale {scale:g}: give the length of the embeddings that it was trained on, above 0")
    layout = layout_of(folder)
    checkpoint = Checkpoint.load(folder, layout.settings, layout.weights)
    return layout.read(checkpoint).scaled(scale).dictionary(folder)


def read_dictionaries(folder: Path, text: Path | None = None, scale: float = 1.0) -> Dictionaries:
    """Read one dictionary for both sides or, with `text`, one a side.

    Args:
        folder: The dictionary of both sides, or of pictures.
        text: The dictionary of captions, if there are two.
        scale: The length of the vectors that they were trained on.

    Raises:
        SteerError: As `read_dictionary`, and for two dictionaries of different width.
    """
    image = read_dictionary(folder, scale)
    if text is None:
        return Dictionaries(image, image, paired=True)
    captions = read_dictionary(text, scale)
    if image.config.d_in != captions.config.d_in:
        raise SteerError(
            f"{folder} is for vectors {image.config.d_in} wide, {text} for {captions.config.d_in}: both must be of one joint space"
        )
    return Dictionaries(image, captions, paired=False)
