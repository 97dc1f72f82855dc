"""Tables in strange dialects and encodings, links, pipes and tars made to hurt: one sentence each, and nothing is guessed."""

import io
import os
import tarfile

import pytest
from test_layouts import PICTURES, png, read, write, write_tar

from mmsteer.data.sources import open_pairs
from mmsteer.errors import SteerError

ROWS = [("0.png", "ein Käfer, grün"), ("1.png", 'er sagt "nein"'), ("2.png", "zwei\nZeilen")]
READ = [(k, [words]) for k, (_, words) in enumerate(ROWS)]


def csv(delimiter: str) -> str:
    """As a spreadsheet writes it."""
    rows = [f"file_name{delimiter}text"]
    for name, words in ROWS:
        words = words.replace('"', '""')
        rows.append(f'{name}{delimiter}"{words}"')
    return "\r\n".join(rows) + "\r\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spreadsheets_write_what_is_read(tmp_path, delimiter, encoding):
    write(tmp_path, PICTURES | {"metadata.csv": csv(delimiter).encode(encoding)})
    assert read(tmp_path) == READ


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le"])
def test_another_encoding_is_asked_for_and_never_guessed(tmp_path, encoding):
    write(tmp_path / "table", PICTURES | {"metadata.csv": csv(";").encode(encoding)})
    write(tmp_path / "side", {"0.png": png(0), "0.txt": "grün".encode(encoding)})
    write_tar(tmp_path / "tars" / "0.tar", {"0.png": png(0), "0.txt": "grün".encode(encoding)})
    with pytest.raises(SteerError, match=r"metadata.csv is not utf-8 .*say its encoding, such as --encoding cp1252"):
        open_pairs(str(tmp_path / "table"))
    for place in ("side", "tars"):
        with pytest.raises(ValueError, match="the text (is not utf-8|contains NUL).* say its encoding"):
            read(tmp_path / place)
        assert read(tmp_path / place, None, encoding) == [(0, ["grün"])]
    assert read(tmp_path / "table", None, encoding) == READ
    for wrong in ("nonsense", "hex"):
        with pytest.raises(SteerError, match=f"--encoding {wrong}: no such text encoding"):
            open_pairs(str(tmp_path / "side"), None, None, wrong)


def test_captions_with_unquoted_commas_are_refused_with_their_row(tmp_path):
    write(tmp_path, PICTURES | {"metadata.csv": "file_name,text\n0.png,a cat\n1.png,a dog, very nice, on a table\n"})
    with pytest.raises(
        SteerError,
        match=r"of whose 2 rows 1 are broken: row 2, which ends in line 3, has 4 fields and the header 2; put captions",
    ):
        open_pairs(str(tmp_path)).survey  # noqa: B018


def test_one_broken_row_of_hundreds_costs_only_itself(tmp_path):
    """Flickr30k's own table has one."""
    rows = [f"{k % 3}.png| 0| picture {k}" for k in range(300)]
    rows[200] = "2.png| 4   A dog runs across the grass ."
    write(tmp_path, PICTURES | {"results.csv": "\n".join(["image_name| comment_number| comment", *rows])})
    pairs = open_pairs(str(tmp_path))
    assert pairs.survey.items == 300
    broken = [sample for _, sample in pairs.samples() if sample.key == "results.csv"]
    assert len(broken) == 1
    with pytest.raises(ValueError, match="row 201, which ends in line 202, has 2 fields and the header 3"):
        broken[0].captions()


def test_links_out_of_the_folder_and_what_is_no_file_are_passed_over(tmp_path):
    write(tmp_path / "private", {"s.png": png(2), "s.txt": "secret", "deep/t.png": png(2), "deep/t.txt": "secret"})
    home = write(tmp_path / "p", {"0.png": png(0), "0.txt": "a cat", "2.png": png(2)})
    (home / "1.png").symlink_to(home / "0.png")
    (home / "1.txt").symlink_to("0.txt")
    (home / "2.txt").symlink_to(tmp_path / "private" / "s.txt")
    (home / "s.png").symlink_to(tmp_path / "private" / "s.png")
    (home / "t").symlink_to(tmp_path / "private" / "deep")
    os.mkfifo(home / "z.png")
    pairs = open_pairs(str(home))
    assert pairs.survey.items == 3
    samples = [sample for _, sample in pairs.samples()]
    assert [sample.key for sample in samples] == ["0.png", "1.png", "2.png"]
    assert [sample.captions() for sample in samples[:2]] == [["a cat"], ["a cat"]]
    with pytest.raises(ValueError, match=r"2.txt is a link that leads out of p"):
        samples[2].captions()
    assert sorted(pairs.passed_over) == [
        "2 such as 2.txt: a link that leads out of the folder",
        "t: a link to a folder, which is not followed",
        "z.png: no regular file",
    ]


def test_a_table_or_tar_that_is_a_link_out_or_a_pipe_is_not_read(tmp_path):
    write_tar(tmp_path / "private.tar", {"0.png": png(0), "0.txt": "secret"})
    home = write(tmp_path / "p", {"0.png": png(0), "0.txt": "a cat"})
    (home / "x.tar").symlink_to(tmp_path / "private.tar")
    os.mkfifo(home / "metadata.csv")
    assert read(home) == [(0, ["a cat"])]
    with pytest.raises(SteerError, match="cannot read pairs from files such as .*metadata.csv"):
        open_pairs(str(home / "metadata.csv"))
    (home / "metadata.csv").unlink()
    os.mkfifo(home / "1.png")
    write(home, {"metadata.csv": "file_name,text\n0.png,a cat\n1.png,a pipe\n"})
    with pytest.raises(ValueError, match="1.png is no regular file"):
        read(home)


def header(name: str, size: int | bytes, kind: bytes = b"0") -> bytes:
    """A header of a tar with a size of our own, and a right checksum."""
    data = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    data[124:136] = size if isinstance(size, bytes) else f"{size:011o}\0".encode()
    data[156:157] = kind
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data):06o}\0 ".encode()
    return bytes(data)


NEGATIVE = b"\xff" * 10 + (-512 & 0xFFFF).to_bytes(2)
BLOCK = png(0).ljust(512, b"\0")
HOSTILE = {
    "a negative size in base 256": header("0.png", 512) + BLOCK + header("1.png", NEGATIVE) + b"\0" * 1024,
    "a size that leads back to its own header": header("0.png", b"\xff" * 10 + (-1024 & 0xFFFF).to_bytes(2))
    + BLOCK * 4,
    "a size beyond the end": header("0.png", 10**9) + BLOCK,
    "no header in the middle": header("0.png", 512) + BLOCK + b"garbage".ljust(512, b"!") + b"\0" * 1024,
    "a sparse map that does not end": header("0.png", 512, b"S")[:482] + b"\1" + header("0.png", 512)[483:] + BLOCK,
    "a sparse member without numbers": header("pax", 30, b"x")
    + b"30 GNU.sparse.major=1\n9 GNU.sp".ljust(512, b"\0")
    + BLOCK,
    "a size in words": header("pax", 17, b"x") + b"17 size=elephant\n".ljust(512, b"\0") + header("0.png", 512) + BLOCK,
    "a negative size in a pax header": header("pax", 12, b"x")
    + b"12 size=-99\n".ljust(512, b"\0")
    + header("0.png", 512)
    + BLOCK,
    "an endless long name": header("x", NEGATIVE, b"L") + BLOCK * 3,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_tar_is_one_sentence(tmp_path, kind):
    (tmp_path / "0.tar").write_bytes(HOSTILE[kind])
    with pytest.raises(
        SteerError, match=r"cannot read .*0\.tar as a tar \(.+\): it is cut off, damaged, compressed or no tar"
    ):
        open_pairs(str(tmp_path / "0.tar")).survey  # noqa: B018


def test_links_and_holes_in_a_tar_are_passed_over(tmp_path):
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        for name, kind in (("1.png", tarfile.SYMTYPE), ("2.png", tarfile.FIFOTYPE), ("d", tarfile.DIRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        for name, data in (("0.png", png(0)), ("0.txt", b"a cat"), ("README", b"x")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    pairs = open_pairs(str(tmp_path / "0.tar"))
    assert pairs.survey.items == 1
    assert list(pairs.passed_over) == ["3 such as 0.tar/1.png: no regular file with an ending"]
