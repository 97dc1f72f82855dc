"""Whether a tokenizer and a picture processor belong to the model they are loaded with: libraries load an empty vocabulary, or the
processor of another model, without a word.
"""

from pathlib import Path
from typing import Any

from mmsteer.errors import SteerError, first_line

_PROBES = ("a cat", "two people and a red car on a street at night")
_APART = 0.1  # a tokenizer and a table of embeddings differ by less: padding, or tokens that somebody added to either
_PROBED = 16  # tokens; no model reads fewer
_TOKENIZER_FILES = "tokenizer.json, vocab.json with merges.txt, vocab.txt, or a .model file"


def load_tokenizer(folder: Path, rows: int) -> Any:
    """The tokenizer in a folder, checked (`check_tokenizer`); SteerError if it cannot be loaded."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # whatever the libraries raise for missing or broken files
        raise SteerError(f"cannot load the tokenizer in {folder} ({first_line(error)}): {_cure(folder)}") from error
    check_tokenizer(tokenizer, rows, folder)
    return tokenizer


def check_tokenizer(tokenizer: Any, rows: int, folder: Path) -> None:
    """SteerError unless a tokenizer fits a table of embeddings with so many rows, and tells two probe sentences apart."""
    size = len(tokenizer)
    if abs(size - rows) > _APART * rows:
        raise SteerError(
            f"the tokenizer in {folder} has {size:,} tokens, and its text encoder embeds {rows:,}: {_cure(folder)}"
        )
    special = set(tokenizer.all_special_ids)
    made = tokenizer(list(_PROBES), truncation=True, max_length=_PROBED)["input_ids"]
    first, second = ([i for i in ids if i not in special] for ids in made)
    if not first or not second or first == second or max(first + second) >= rows:
        raise SteerError(
            f"the tokenizer in {folder} makes {first[:8]} of {_PROBES[0]!r} and {second[:8]} of {_PROBES[1]!r}, where two lists of "
            f"numbers below {rows:,} are due: {_cure(folder)}"
        )


def _cure(folder: Path) -> str:
    """Which files to fetch."""
    present = [
        path.name for pattern in ("tokenizer*", "vocab*", "merges.txt", "*.model") for path in folder.glob(pattern)
    ]
    state = (
        f"of {_TOKENIZER_FILES} it holds {', '.join(sorted(set(present)))}"
        if present
        else f"{_TOKENIZER_FILES} is missing"
    )
    return f"{state}; fetch the tokenizer's files from where the model is from"


def check_processor(processor: Any, vision: Any, folder: Path) -> None:
    """SteerError unless a picture processor makes what a vision encoder reads, and tells two pictures apart.

    Args:
        processor: of transformers.
        vision: the encoder's configuration.
        folder: where the processor is from.
    """
    import numpy as np
    from PIL import Image

    pictures = [Image.new("RGB", (40, 30), "black"), Image.merge("RGB", [Image.linear_gradient("L")] * 3)]
    try:
        pixels = np.asarray(processor(images=pictures, return_tensors="np")["pixel_values"])
    except Exception as error:  # whatever a configuration of another kind of model makes of it
        raise SteerError(
            f"the picture processor in {folder} cannot prepare a picture ({first_line(error)}): {_FETCH}"
        ) from error
    side = getattr(vision, "image_size", None)
    if pixels.ndim == 4 and isinstance(side, int) and pixels.shape[1:] != (vision.num_channels, side, side):
        made, wanted = "x".join(map(str, pixels.shape[1:])), f"{vision.num_channels}x{side}x{side}"
        raise SteerError(
            f"the picture processor in {folder} makes {made} numbers, and its encoder reads {wanted}: {_FETCH}"
        )
    if not np.isfinite(pixels).all() or np.array_equal(pixels[0], pixels[1]):
        raise SteerError(f"the picture processor in {folder} makes the same of two unlike pictures: {_FETCH}")


_FETCH = "fetch preprocessor_config.json from where the model is from"
