"""Layouts that other tools and data sets write, each read as it is; what is not read is counted and named."""

import io
import json
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from mmsteer.__main__ import main
from mmsteer.data.embedding import embed_pairs
from mmsteer.data.shards import read_manifest
from mmsteer.data.sources import open_pairs
from mmsteer.data.splits import set_apart
from mmsteer.errors import SteerError
from mmsteer.labelling.examples import read_pictures


def png(k: int) -> bytes:
    """A plain picture; its red is 20 times its number."""
    data = io.BytesIO()
    Image.new("RGB", (40, 30), (20 * k, 100, 50)).save(data, "PNG")
    return data.getvalue()


def write(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def write_tar(path: Path, members: dict[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info, data = tarfile.TarInfo(name), content.encode() if isinstance(content, str) else content
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def read(source: object, columns: str | None = None, encoding: str | None = None) -> list[tuple[int, list[str]]]:
    """Number of the picture, by its red, and captions of every sample."""
    pairs = open_pairs(str(source), None, columns, encoding)
    return [(sample.picture().getpixel((0, 0))[0] // 20, sample.captions()) for _, sample in pairs.samples()]


def passed_over(source: object) -> list[str]:
    pairs = open_pairs(str(source))
    assert pairs.survey.items
    list(pairs.samples())  # reading again counts nothing twice
    return list(pairs.passed_over)


PICTURES = {f"{k}.png": png(k) for k in range(3)}
TWO = [(0, ["a cat"]), (1, ["a dog"])]


def test_img2dataset_writes_tars_beside_parquet_without_pictures(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for shard, (k, words) in enumerate(((0, "a cat"), (1, "a dog"))):
        name = f"{shard:05d}"
        write_tar(tmp_path / f"{name}.tar", {"0.jpg": png(k), "0.txt": words, "0.json": json.dumps({"caption": words})})
        parquet.write_table(pyarrow.table({"url": ["x"], "caption": [words]}), tmp_path / f"{name}.parquet")
        write(tmp_path, {f"{name}_stats.json": "{}"})
    assert read(tmp_path) == read(tmp_path / "*") == TWO
    assert passed_over(tmp_path) == [
        "2 such as 00000.tar/0.json: neither the picture nor the caption (.json)",
        "2 such as 00000_stats.json: not read (.json), as 00000.tar is",
        "2 such as 00000.parquet: has no columns of pictures and of captions, but url, caption: give --columns PICTURE,CAPTION",
    ] or passed_over(tmp_path)[1].startswith("2 such as 00000.parquet")
    for path in tmp_path.glob("*.tar"):
        path.unlink()
    with pytest.raises(SteerError, match=r"no captioned picture in .*00000\.parquet has no columns of pictures"):
        open_pairs(str(tmp_path))


def test_members_of_a_tar_may_come_in_any_order(tmp_path):
    members = {f"{k}.jpg": png(k) for k in (0, 1)} | {"1.txt": "a dog", "0.txt": "a cat"}
    assert read(write_tar(tmp_path / "0.tar", members)) == TWO


@pytest.mark.parametrize("names", [("IMG.07.00", "IMG.07.01"), ("0.input", "1.input"), ("001_input", "002_input")])
def test_names_in_tars_may_have_dots(tmp_path, names):
    members = {
        f"{name}.{kind}": data
        for k, name in enumerate(names)
        for kind, data in (("jpg", png(k)), ("txt", TWO[k][1][0]))
    }
    assert read(write_tar(tmp_path / "0.tar", members)) == TWO


def test_a_name_in_a_tar_ends_at_its_first_dot(tmp_path):
    """As webdataset splits it: two views and a text are one sample, of which one picture is read."""
    write_tar(tmp_path / "0.tar", {"0.left.jpg": png(0), "0.right.jpg": png(2), "0.txt": "a cat", "0.depth.npy": b"x"})
    assert read(tmp_path) == TWO[:1]
    assert passed_over(tmp_path) == [
        "0.tar/0.depth.npy: neither the picture nor the caption (.npy)",
        "0.tar/0.right.jpg: neither the picture nor the caption (.jpg)",
    ]


def test_columns_name_endings_and_json_keys_in_tars(tmp_path):
    record = json.dumps({"caption": "buy now", "re_caption": ["a cat", "a kitten"]})
    write_tar(
        tmp_path / "0.tar",
        {"0.png": png(0), "0.webp": png(2), "0.txt": "buy now", "0.alt.txt": "felis", "0.json": record},
    )
    assert read(tmp_path) == [(0, ["buy now"])]
    assert read(tmp_path, ",re_caption") == read(tmp_path, "png,re_caption") == [(0, ["a cat", "a kitten"])]
    assert read(tmp_path, "webp,alt.txt") == [(2, ["felis"])]
    with pytest.raises(ValueError, match="JSON has no nothing, but caption, re_caption: give --columns ,KEY"):
        read(tmp_path, ",nothing")


def test_options_that_mean_nothing_for_a_source_are_refused(tmp_path):
    write(tmp_path / "side", {"0.png": png(0), "0.txt": "a cat"})
    for source, columns, encoding in (
        (tmp_path / "side", "a,b", None),
        ("world:3", "a,b", None),
        ("world:3", None, "utf-8"),
    ):
        with pytest.raises(
            SteerError, match=r"--(columns a,b|encoding utf-8): .* of the kind (folder|world), which has no"
        ):
            open_pairs(str(source), 5, columns, encoding)
    with pytest.raises(SteerError, match="--columns 'a': give two names"):
        open_pairs(str(tmp_path / "side"), None, "a")


def test_an_image_folder_is_looked_for_one_level_down(tmp_path):
    rows = "\n".join(json.dumps({"file_name": f"{k}.png", "text": words}) for k, (words,) in TWO)
    write(tmp_path / "train", PICTURES | {"metadata.jsonl": rows})
    assert read(tmp_path) == TWO
    assert open_pairs(str(tmp_path)).name == "train/metadata.jsonl"
    write(tmp_path / "test", PICTURES | {"metadata.jsonl": rows})
    with pytest.raises(SteerError, match=r"pairs in several of its folders: give one of them, .*/test, .*/train"):
        open_pairs(str(tmp_path))


def test_kohya_writes_captions_of_its_own_ending(tmp_path):
    write(
        tmp_path / "10_my cat",
        {"0.png": png(0), "0.caption": "a cat", "1.png": png(1), "1.txt": "a dog", "2.caption": "?"},
    )
    write(tmp_path / "10_my cat", {"1.caption": "a puppy", "latents.npz": "x", "photo.heic": "x"})
    assert read(tmp_path) == read(tmp_path / "10_my cat") == [(0, ["a cat"]), (1, ["a dog", "a puppy"])]
    assert sorted(passed_over(tmp_path)) == [
        "2.caption: a caption without a picture",
        "latents.npz: neither a picture nor a caption (.npz)",
        "photo.heic: a picture of the kind .heic: convert it to JPEG or PNG",
    ]
    write(tmp_path / "bare", {"0.png": png(0), "1.png": png(1)})
    with pytest.raises(SteerError, match=r"no captioned picture in bare \(2 pictures without a caption beside them\)"):
        open_pairs(str(tmp_path / "bare"))


FLICKR = [(0, ["a cat .", "one, two cats"]), (2, ["a dog"])]


@pytest.mark.parametrize("place", ["Images", "flickr30k_images", ""])
@pytest.mark.parametrize("kind", ["8k", "30k"])
def test_flickr_names_a_picture_once_for_each_caption(tmp_path, kind, place):
    table = {
        "8k": 'image,caption\n0.png,a cat .\n0.png,"one, two cats"\n2.png,a dog\n',
        "30k": "image_name| comment_number| comment\n0.png| 0| a cat .\n0.png| 1| one, two cats\n2.png| 0| a dog\n",
    }[kind]
    write(tmp_path / place, PICTURES)
    write(tmp_path, {"captions.txt" if kind == "8k" else "results.csv": table})
    assert [(k, [" ".join(text.split()) for text in texts]) for k, texts in read(tmp_path)] == FLICKR
    assert open_pairs(str(tmp_path)).survey.items == 2


@pytest.mark.parametrize("where", ["annotations/", ""])
def test_coco_writes_captions_and_pictures_apart(tmp_path, where):
    images = [{"id": 7, "file_name": "0.png"}, {"id": 9, "file_name": "2.png"}]
    notes = [
        {"image_id": 7, "caption": "a cat ."},
        {"image_id": 9, "caption": "a dog"},
        {"image_id": 7, "caption": "one, two cats"},
    ]
    table = f"{where}captions_val2017.json"
    write(
        tmp_path, {table: json.dumps({"images": images, "annotations": notes}), f"{where}instances_val2017.json": "{}"}
    )
    write(tmp_path / "val2017", PICTURES)
    assert read(tmp_path) == read(tmp_path / table) == FLICKR
    with pytest.raises(SteerError, match=r"instances_val2017.json is no captions file of COCO \('images'\)"):
        open_pairs(str(tmp_path / where / "instances_val2017.json"))


def test_open_clip_writes_titles_behind_tabs_and_whole_paths(tmp_path):
    rows = "".join(f"{tmp_path / name}\t{words}\n" for name, words in (("0.png", "a cat"), ("1.png", "a dog")))
    write(tmp_path, PICTURES | {"train.csv": f"filepath\ttitle\n{rows}"})
    assert read(tmp_path) == read(tmp_path / "train.csv") == TWO


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_every_caption_of_a_list_is_a_pair_and_the_picture_is_embedded_once(clip, tmp_path, form, monkeypatch):
    lists = [[f"words {k} of picture {n}" for k in range(1 + n % 3)] for n in range(12)]
    write(tmp_path / "p", {f"{k}.png": png(k) for k in range(12)})
    if form == "jsonl":
        rows = [json.dumps({"file_name": f"{n}.png", "captions": texts}) for n, texts in enumerate(lists)]
        write(tmp_path / "p", {"metadata.jsonl": "\n".join(rows)})
    else:
        pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(
            pyarrow.table({"image": [png(n) for n in range(12)], "captions": lists}), tmp_path / "p" / "0.parquet"
        )
    pictures, embed = [], clip.embed_pictures
    monkeypatch.setattr(
        clip, "embed_pictures", lambda inputs: pictures.append(len(inputs["pixel_values"])) or embed(inputs)
    )
    pairs = embed_pairs(clip, open_pairs(str(tmp_path / "p")), tmp_path / "e", shard=5, batch=4)
    assert sum(pictures) == 12
    assert list(pairs.captions) == [text for texts in lists for text in texts]
    assert pairs.items.tolist() == [n for n, texts in enumerate(lists) for _ in texts]
    manifest = read_manifest(tmp_path / "e")
    assert (manifest["pairs"], manifest["source"]["items"]) == (24, 12)
    rows = pairs.image[3:6]  # three captions of picture 2
    assert torch.equal(rows, rows[:1].expand(3, -1))
    assert sum(len(part.captions) for part in set_apart(pairs, 0.3)) == 24


def test_a_plan_says_what_is_passed_over_and_skipped(clip, tmp_path, capsys):
    write(
        tmp_path / "p",
        PICTURES | {"metadata.csv": "file_name,text\n0.png,a cat\n0.png,felis\n1.png,a dog\n2.png,\n", "x.npz": "x"},
    )
    assert (
        main(["bank", "build", "--clip", str(clip.folder), "--pairs", str(tmp_path / "p"), "--plan", "--device", "cpu"])
        == 0
    )
    output = capsys.readouterr().out
    assert "passed over: x.npz: not read (.npz), as metadata.csv is" in output
    assert "skipped      1 of the first pictures cannot be read, such as 2.png: the caption is empty" in output
    assert "captions     1.5 for each of these pictures" in output


def test_a_picture_with_several_captions_is_read_again_once(tmp_path):
    write(tmp_path, PICTURES | {"metadata.csv": "file_name,text\n0.png,a\n0.png,b\n1.png,c\n2.png,d\n2.png,e\n"})
    properties, tiles = read_pictures(open_pairs(str(tmp_path)), [0, 0, 2])
    assert [tile.getpixel((0, 0))[0] // 20 for tile in tiles] == [0, 0, 2]
    assert (properties[0] == properties[1]).all()
    assert (properties[1] != properties[2]).any()
