"""The one reader of safetensors headers: against the library's own, on damaged and hostile files, and for everything that asks it."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mmsteer import SteerError
from mmsteer.models.digest import of_file
from mmsteer.models.image_adapter import shapes_in as shapes_of_adapter
from mmsteer.models.loading.single_file import shapes_of
from mmsteer.models.weights_header import read_header, shapes_in

EVERYONE = (shapes_in, shapes_of, shapes_of_adapter)
"""What asks for shapes: of banks and dictionaries, of a whole checkpoint, of an image adapter."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    tensors = {"b": torch.ones(2, 3), "a": torch.zeros(4, dtype=torch.float16), "empty": torch.tensor([])}
    save_file(tensors, tmp_path / "file.safetensors", metadata={"made": "here"})
    return tmp_path / "file.safetensors"


def written(folder: Path, text: str, length: int | None = None, data: bytes = b"") -> Path:
    """A file with this header, which says of itself that it has `length` bytes."""
    path = folder / "hostile.safetensors"
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text.encode() + data)
    return path


def test_it_reads_what_the_library_reads(file: Path):
    with safe_open(file, "pt") as opened:
        expected = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    assert [shapes(file) for shapes in EVERYONE] == [expected] * 3
    header = read_header(file)
    data = file.read_bytes()[header.end :]
    (b, a) = (header.tensors[name] for name in "ba")
    assert torch.frombuffer(bytearray(data[b.start : b.stop]), dtype=torch.float32).tolist() == [1.0] * 6
    assert (a.dtype, a.stop - a.start) == ("F16", 8)


@pytest.mark.parametrize(
    ("text", "length", "data"),
    [
        ("", 2**63, b""), ("{}", 99_999_999, b""), ("[1]", None, b""), ("[" * 100_000, None, b""), ("{", None, b""),
        ('{"a": 3}', None, b""), ('{"a": {"dtype": "F32", "shape": [1]}}', None, b""),
        (json.dumps({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}), None, b"1234"),
        (json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}), None, b""),
        (json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, "4"]}}), None, b"1234"),
        (json.dumps({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}), None, b"1234"),
        (json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}), None, b"12345"),
    ],
    ids=[
        "2^63 bytes", "longer than the file", "a list", "nested deep", "cut off", "a number", "no place", "a negative size",
        "before the beginning", "a place in words", "cut off after the header", "too long",
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_by_all_who_ask(tmp_path: Path, text: str, length: int | None, data: bytes):
    path = written(tmp_path, text, length, data)
    for shapes in EVERYONE:
        with pytest.raises(SteerError, match=r"hostile\.safetensors"):
            shapes(path)
    with pytest.raises(ValueError, match="."):
        of_file(path)


def test_a_digest_reads_the_middle_of_every_tensor(file: Path):
    before = of_file(file)
    data, end = bytearray(file.read_bytes()), read_header(file).end
    assert len(data) > end
    data[end + read_header(file).tensors["a"].start] ^= 1
    file.write_bytes(data)
    assert of_file(file) != before
