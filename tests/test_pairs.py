"""Sources of pairs: a dozen pictures in every form that people store them in, and everything that can be wrong with it."""

import io
import json
import os
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsteer.data.sample import clean, decode
from mmsteer.data.sources import open_pairs
from mmsteer.errors import SteerError
from mmsteer.world.source import World

COUNT = 12
CAPTIONS = [
    "a red square",
    "ein grünes Feld",
    "青い空",
    "مربع أحمر",
    "красный",
    *(f"picture number {k}" for k in range(5, COUNT)),
]


def picture(k: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A plain picture; its red is 20 times its number."""
    return Image.new("RGB", size, (20 * k, 100, 50))


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    data = io.BytesIO()
    image.save(data, form)
    return data.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures with captions side by side, two of them in a subfolder."""
    home = tmp_path / "pictures"
    (home / "more").mkdir(parents=True)
    for k, caption in enumerate(CAPTIONS):
        path = home / ("more" if k >= COUNT - 2 else "") / f"{chr(97 + k)}.png"
        path.write_bytes(encoded(picture(k)))
        path.with_suffix(".txt").write_text(caption + "\n", encoding="utf-8")
    return home


def read(source):
    """Number, red of the first pixel and caption of every sample."""
    return [(n, sample.picture().getpixel((0, 0))[0], clean(*sample.captions())) for n, sample in source.samples()]


DOZEN = [(k, 20 * k, caption) for k, caption in enumerate(CAPTIONS)]


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def write_tars(home: Path, cut: int = 7) -> None:
    """The dozen in two tars, captions as text in the first and as JSON in the second."""
    home.mkdir(exist_ok=True)
    for name, numbers in (("000.tar", range(cut)), ("001.tar", range(cut, COUNT))):
        with tarfile.open(home / name, "w") as tar:
            for k in numbers:
                add(tar, f"./{k:03d}.png", encoded(picture(k)))
                text = name == "000.tar"
                add(tar, f"./{k:03d}.txt" if text else f"./{k:03d}.json",
                    CAPTIONS[k].encode() if text else json.dumps({"caption": CAPTIONS[k]}).encode())  # fmt: skip


def write_table(home: Path, form: str) -> None:
    home.mkdir(exist_ok=True)
    for k in range(COUNT):
        (home / f"{k}.png").write_bytes(encoded(picture(k)))
    if form == "csv":
        rows = ["file_name,text", *(f'{k}.png,"{caption}"' for k, caption in enumerate(CAPTIONS))]
    else:
        rows = [json.dumps({"file_name": f"{k}.png", "caption": caption}) for k, caption in enumerate(CAPTIONS)]
    (home / f"metadata.{form}").write_text("\n".join(rows), encoding="utf-8")


def test_a_folder_gives_pictures_with_the_captions_beside_them(folder):
    assert read(open_pairs(str(folder))) == DOZEN
    survey = open_pairs(str(folder)).survey
    assert (survey.kind, survey.name, survey.items) == ("folder", "pictures", COUNT)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_table_names_pictures_and_captions(tmp_path, form):
    write_table(tmp_path / "t", form)
    assert read(open_pairs(str(tmp_path / "t"))) == DOZEN


def test_tars_are_read_without_being_unpacked(tmp_path):
    write_tars(tmp_path / "t")
    for source in (str(tmp_path / "t"), str(tmp_path / "t" / "*.tar")):
        assert read(open_pairs(source)) == DOZEN
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["000.tar", "001.tar"]


@pytest.mark.parametrize("form", ["bytes", "struct", "path"])
def test_parquet_holds_pictures_or_paths(tmp_path, form):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    write_table(tmp_path / "t", "csv")
    (tmp_path / "t" / "metadata.csv").unlink()
    cells = {
        "bytes": [encoded(picture(k)) for k in range(COUNT)],
        "struct": [{"bytes": encoded(picture(k)), "path": None} for k in range(COUNT)],
        "path": [f"{k}.png" for k in range(COUNT)],
    }[form]
    for name, part in (("0", slice(0, 5)), ("1", slice(5, COUNT))):
        table = pyarrow.table({"image": cells[part], "text": CAPTIONS[part]})
        parquet.write_table(table, tmp_path / "t" / f"{name}.parquet", row_group_size=2)
    source = open_pairs(str(tmp_path / "t"))
    assert read(source) == DOZEN
    assert source.survey.items == COUNT
    assert [n for n, _ in source.samples({4, 5, 11}.__contains__)] == [4, 5, 11]
    assert read(open_pairs(str(tmp_path / "t" / "*.parquet"), 6)) == DOZEN[:6]


def test_a_data_set_streams(tmp_path):
    datasets, pyarrow = pytest.importorskip("datasets"), pytest.importorskip("pyarrow")
    from mmsteer.data.sources.hub import _examples

    cells = [{"bytes": encoded(picture(k)), "path": None} for k in range(COUNT)]
    table = pyarrow.table({"image": cells, "caption": [[caption, "another"] for caption in CAPTIONS]})
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "train.parquet")
    stream = datasets.load_dataset(str(tmp_path), split="train", streaming=True)
    for form in (stream, stream.cast_column("image", datasets.Image())):
        items = list(_examples(form, None, "hub:me/mine"))
        assert [(item.picture().getpixel((0, 0))[0], item.captions()[0]) for item in items] == [w[1:] for w in DOZEN]


def test_an_unavailable_data_set_is_one_clear_error():
    with pytest.raises(SteerError, match="cannot reach nobody/nothing on the hub"):
        open_pairs("hub:nobody/nothing")
    with pytest.raises(SteerError, match="write hub:OWNER/NAME"):
        open_pairs("hub:nothing")


def test_the_world_is_a_source_like_any_other():
    source = World(3, 100)
    some = dict(source.samples({2, 70}.__contains__))
    assert list(some) == [2, 70]
    whole = dict(source.samples())
    assert len(whole) == 100
    assert some[70].captions() == whole[70].captions()
    assert (np.asarray(some[70].picture()) == np.asarray(whole[70].picture())).all()
    assert (some[70].annotation.values == whole[70].annotation.values).all()


def test_skipped_samples_are_not_read(folder):
    """All but two pictures are broken; asking for those two raises nothing."""
    for path in folder.rglob("*.png"):
        if path.stem not in "cf":
            path.write_bytes(b"broken")
    assert [(n, image.getpixel((0, 0))[0]) for n, image in open_pairs(str(folder)).pictures([5, 2])] == [
        (2, 40),
        (5, 100),
    ]
    with pytest.raises(SteerError, match=r"a\.png could be read when it was embedded and cannot now"):
        list(open_pairs(str(folder)).pictures([0]))


def test_a_limit_is_where_a_source_ends(folder):
    source = open_pairs(str(folder), 5)
    assert source.survey.items == 5
    assert read(source) == DOZEN[:5]


def test_the_survey_changes_with_the_content(folder):
    before = open_pairs(str(folder)).survey.digest
    assert open_pairs(str(folder)).survey.digest == before
    (folder / "a.png").rename(folder / "aa.png")
    assert open_pairs(str(folder)).survey.digest != before


def rewrite(path: Path, data: bytes) -> None:
    """Another content of the same size, as an editor or a copy leaves it: with a new time of change."""
    before = path.stat()
    path.write_bytes(data)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))


@pytest.mark.parametrize("kind", ["folder", "caption", "csv", "jsonl", "tar", "parquet", "parquet beside"])
def test_the_survey_changes_when_a_file_is_rewritten(folder, tmp_path, kind):
    home = tmp_path / "t"
    changed = home / "1.png"
    if kind in ("folder", "caption"):
        home, changed = folder, folder / ("b.png" if kind == "folder" else "b.txt")
    elif kind in ("csv", "jsonl"):
        write_table(home, kind)
    elif kind == "tar":
        write_tars(home)
        changed = home / "001.tar"
    else:
        pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        write_table(home, "csv")
        (home / "metadata.csv").unlink()
        beside = kind == "parquet beside"
        cells = [f"{k}.png" if beside else encoded(picture(k)) for k in range(COUNT)]
        parquet.write_table(pyarrow.table({"image": cells, "text": CAPTIONS}), home / "0.parquet")
        changed = changed if beside else home / "0.parquet"
    before = open_pairs(str(home)).survey
    assert open_pairs(str(home)).survey == before
    rewrite(changed, changed.read_bytes())
    after = open_pairs(str(home)).survey
    assert after.digest != before.digest
    assert after.items == before.items == COUNT


def test_a_tar_that_climbs_out_of_its_folder_is_refused(tmp_path):
    for name in ("../../etc/passwd.png", "/etc/passwd.png", "..\\passwd.png"):
        with tarfile.open(tmp_path / "bad.tar", "w") as tar:
            add(tar, name, encoded(picture(0)))
        with pytest.raises(SteerError, match="climbs out of its folder"):
            open_pairs(str(tmp_path / "bad.tar")).survey  # noqa: B018


def test_a_table_that_climbs_out_of_its_folder_is_refused(tmp_path):
    write_table(tmp_path / "t", "csv")
    (tmp_path / "secret.png").write_bytes(encoded(picture(0)))
    (tmp_path / "t" / "link.png").symlink_to(tmp_path / "secret.png")
    for name in ("../secret.png", str(tmp_path / "secret.png"), "link.png"):
        (tmp_path / "t" / "metadata.csv").write_text(f"file_name,text\n{name},words\n")
        with pytest.raises(SteerError, match="climbs out of t"):
            open_pairs(str(tmp_path / "t")).survey  # noqa: B018


def test_a_tar_cut_off_is_one_clear_error(tmp_path):
    write_tars(tmp_path / "t")
    whole = (tmp_path / "t" / "000.tar").read_bytes()
    for broken in (whole[: 3 * 512 + 100], b"no tar at all" * 100, zlib.compress(whole)):
        (tmp_path / "t" / "000.tar").write_bytes(broken)
        with pytest.raises(SteerError, match=r"cannot read .*000\.tar as a tar"):
            open_pairs(str(tmp_path / "t")).survey  # noqa: B018


def test_a_bomb_is_not_decoded():
    """169 megapixels in 20 kB of PNG, and a strip that resizing by its short side would blow up."""
    rows = zlib.compress(bytes((13000 * 3 + 1) * 4), 9)
    header = b"IHDR" + (13000).to_bytes(4) + (13000).to_bytes(4) + bytes([8, 2, 0, 0, 0])
    parts = (header, b"IDAT" + rows, b"IEND")
    chunks = b"".join((len(p) - 4).to_bytes(4) + p + zlib.crc32(p).to_bytes(4) for p in parts)
    with pytest.warns(Image.DecompressionBombWarning), pytest.raises(ValueError, match="more than 16 megapixels"):
        decode(b"\x89PNG\r\n\x1a\n" + chunks)
    with pytest.raises(ValueError, match="32 times as long"):
        decode(encoded(picture(0, (1, 33))))
    assert decode(encoded(picture(1, (1, 32)))).size == (1, 32)


def test_pictures_come_upright_and_in_rgb():
    turned = picture(3, (40, 30))
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held upright
    data = io.BytesIO()
    turned.save(data, "JPEG", exif=exif)
    assert decode(data.getvalue()).size == (30, 40)
    assert decode(encoded(picture(3).convert("P"))).mode == "RGB"
    assert decode(encoded(picture(3).convert("L"), "WEBP")).mode == "RGB"
    with pytest.raises(Exception, match="damaged, or no JPEG"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n")


def test_a_caption_is_one_line_of_any_script():
    assert clean("  two\n lines\t青い空 \ud800 ") == "two lines 青い空 ?"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "there are no pairs at 'nowhere'"),
        ("*.tar", "there are no pairs"),
        ("hub:a b", "cannot read 'hub:a b'"),
    ],
)
def test_a_missing_source_is_one_clear_error(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SteerError, match=message):
        open_pairs(source)


def test_an_empty_folder_and_a_table_without_captions_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SteerError, match="no captioned picture in empty"):
        open_pairs(str(tmp_path / "empty")).survey  # noqa: B018
    (tmp_path / "metadata.csv").write_text("file_name,label\na.png,1\n")
    with pytest.raises(SteerError, match="has no columns of pictures and of captions, but file_name, label"):
        open_pairs(str(tmp_path)).survey  # noqa: B018
    (tmp_path / "a.png").write_bytes(encoded(picture(1)))
    assert read(open_pairs(str(tmp_path), columns="file_name,label")) == [(0, 20, "1")]


def test_broken_lines_and_lacking_captions_cost_only_themselves(tmp_path):
    write_table(tmp_path / "t", "jsonl")
    table = tmp_path / "t" / "metadata.jsonl"
    lines = table.read_text(encoding="utf-8").splitlines()
    lines[1], lines[2], lines[3] = "{broken", json.dumps({"file_name": "2.png"}), json.dumps([1])
    table.write_text("\n".join(lines), encoding="utf-8")
    failed = []
    for number, sample in open_pairs(str(tmp_path / "t")).samples():
        try:
            sample.picture(), sample.captions()
        except ValueError:
            failed.append(number)
    assert failed == [1, 2, 3]
