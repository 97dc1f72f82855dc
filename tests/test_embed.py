"""Embedding: agreement with transformers, shards that survive a kill, and bad input."""

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captioned import write_folder, write_siglip
from PIL import Image
from safetensors.torch import load_file, save_file

from mmsteer.data.batches import read_batches
from mmsteer.data.embedding import embed_pairs, work_folder
from mmsteer.data.embeddings import Embedded
from mmsteer.data.shards import read_manifest
from mmsteer.data.sources import open_pairs
from mmsteer.errors import SteerError
from mmsteer.labelling.examples import read_pictures
from mmsteer.models.clip import Clip
from mmsteer.world.draws import READ
from mmsteer.world.embedding import embed_world, load_clip
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.clip import tokens
from mmsteer.world.pairs import WorldPairs
from mmsteer.world.source import World

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def same(a: Embedded, b: Embedded) -> bool:
    everything = slice(0, len(a.captions))
    tensors = torch.equal(a.image[everything], b.image[everything]) and torch.equal(
        a.text[everything], b.text[everything]
    )
    truth = np.array_equal(a.factors, b.factors) and np.array_equal(a.mentioned, b.mentioned)
    return tensors and truth and list(a.captions) == list(b.captions) and np.array_equal(a.items, b.items)


def by_transformers(folder: Path, pictures: Path, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings of the same pairs by the classes of transformers, one at a time."""
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    length = model.config.text_config.max_position_embeddings
    image, text = [], []
    with torch.no_grad():
        for k in range(count):
            pixels = processor(images=Image.open(pictures / f"{k:03d}.png"), return_tensors="pt")
            words = tokenizer([(pictures / f"{k:03d}.txt").read_text()], padding="max_length", max_length=length,
                             truncation=True, return_tensors="pt")  # fmt: skip
            image.append(model.get_image_features(**pixels).pooler_output)
            text.append(model.get_text_features(**words).pooler_output)
    return F.normalize(torch.cat(image), dim=1), F.normalize(torch.cat(text), dim=1)


def test_vectors_are_those_of_transformers(clip, dozen, tmp_path):
    pairs = embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "e", shard=5, batch=3)
    image, text = by_transformers(clip.folder, dozen, 12)
    assert torch.allclose(pairs.image[0:12], image, atol=1e-5)
    assert torch.allclose(pairs.text[0:12], text, atol=1e-5)
    assert pairs.items.tolist() == list(range(12))
    assert not pairs.annotated


def test_the_worlds_vectors_are_those_of_its_scenes_bit_for_bit(tmp_path):
    """Straight from scenes to CLIP, 128 at a time as embedding does; an empty caption says nothing, and stays."""
    pairs = embed_world(MINI / "clip", 2, 200, tmp_path)
    model, tokenizer = load_clip(MINI / "clip")
    for k, batch in enumerate(WorldPairs(2, 200, READ).batches(128)):
        rows = slice(128 * k, 128 * k + len(batch.captions))
        with torch.no_grad():
            image = model.get_image_features(batch.pictures.float() / 127.5 - 1).pooler_output
            text = model.get_text_features(tokens(tokenizer, batch.captions)).pooler_output
        assert torch.equal(pairs.image[rows], F.normalize(image, dim=-1))
        assert torch.equal(pairs.text[rows], F.normalize(text, dim=-1))
        assert pairs.captions[rows] == batch.captions
        assert (pairs.factors[rows] == batch.factors).all()
        assert (pairs.mentioned[rows] == batch.mentioned).all()


@pytest.mark.parametrize("naflex", [False, True])
def test_siglip_embeds_as_transformers_does(clip, dozen, tmp_path, naflex):
    siglip = Clip(write_siglip(tmp_path / "siglip", clip.tokenizer, naflex))
    assert siglip.projection is None
    pairs = embed_pairs(siglip, open_pairs(str(dozen)), tmp_path / "e")
    image, text = by_transformers(siglip.folder, dozen, 12)
    assert torch.allclose(pairs.image[0:12], image, atol=1e-5)
    assert torch.allclose(pairs.text[0:12], text, atol=1e-5)


def test_captions_of_any_script_and_length_are_cut_not_refused(clip):
    texts = ["青い空 " * 5000, "x" * 100_000, "مربع أحمر", "a cat"]
    assert clip.embed_captions(texts).isfinite().all()
    ids = clip.tokens(["cat " * 1000])["input_ids"]
    assert ids.shape == (1, 16)
    assert ids[0, -1] == clip.tokenizer.eos_token_id


def test_a_batch_of_short_captions_is_no_longer_than_it_must_be(clip):
    """Causal attention: what stands behind the end of a text changes nothing."""
    assert clip.tokens(["a cat"])["input_ids"].shape == (1, 8)
    together = clip.embed_captions(["a cat", "a big cat in the middle of a meadow at night in the snow, please"])
    assert torch.allclose(clip.embed_captions(["a cat"])[0], together[0], atol=1e-6)


def test_rows_and_captions_on_disk_read_like_tensors_and_lists(clip, dozen, tmp_path):
    pairs = embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "e", shard=5)
    parts = [load_file(tmp_path / "e" / f"{k:05d}.safetensors") for k in range(3)]
    rows = torch.cat([part["image"] for part in parts])
    numbers = torch.tensor([11, 0, 5, 5, 4])
    assert pairs.image.shape == rows.shape == (12, 16)
    assert len(pairs.image) == 12
    assert torch.equal(pairs.image[numbers], rows[numbers])
    assert torch.equal(pairs.image[3:9], rows[3:9])
    assert torch.equal(pairs.image[9:99], rows[9:])
    assert pairs.image[12:].shape == (0, 16)
    some = pairs.only(np.array([1, 6, 10]))
    assert torch.equal(some.image[0:3], rows[[1, 6, 10]])
    assert some.captions[1] == pairs.captions[6] == (dozen / "006.txt").read_text()
    assert some.part(1, 3).items.tolist() == [6, 10]
    assert pairs.sample(4).items.tolist() == [0, 3, 6, 9]


def test_unreadable_samples_are_listed_and_skipped(clip, tmp_path):
    folder = write_folder(tmp_path / "p", 12)
    (folder / "001.png").write_bytes(b"no picture")
    whole = (folder / "004.png").read_bytes()
    (folder / "004.png").write_bytes(whole[: len(whole) // 2])
    (folder / "006.txt").write_text("  \n")
    (folder / "007.txt").unlink()
    (folder / "008.txt").write_bytes(b"\xff\xfe\xfa")
    pairs = embed_pairs(clip, open_pairs(str(folder)), tmp_path / "e", shard=5)
    assert pairs.items.tolist() == [0, 2, 3, 5, 9, 10, 11]
    lines = [json.loads(line) for line in (tmp_path / "e" / "skipped.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["item"], line["key"]) for line in lines] == [(k, f"00{k}.png") for k in (1, 4, 6, 7, 8)]
    assert [line["reason"].split()[0] for line in lines[2:]] == ["the", "no", "the"]
    manifest = read_manifest(tmp_path / "e")
    assert (manifest["pairs"], manifest["skipped"], manifest["source"]["items"]) == (7, 5, 12)
    assert [(s["pairs"], s["skipped"]) for s in manifest["shards"]] == [(3, 2), (2, 3), (2, 0)]
    for shard in manifest["shards"]:
        assert hashlib.sha256((tmp_path / "e" / shard["file"]).read_bytes()).hexdigest() == shard["sha256"]


def test_nothing_readable_is_an_error(clip, tmp_path):
    folder = write_folder(tmp_path / "p", 3)
    for path in folder.glob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(SteerError, match="none of the 3 pairs of p could be read, such as .*000.png"):
        embed_pairs(clip, open_pairs(str(folder)), tmp_path / "e")


SCRIPT = """
import sys
from pathlib import Path
from mmsteer.models.clip import Clip
from mmsteer.data.embedding import embed_pairs
from mmsteer.world.source import World
import torch
torch.set_num_threads(1)
embed_pairs(Clip(sys.argv[1]), World(3, 320), Path(sys.argv[2]), shard=32, batch=16)
"""


def test_after_a_kill_no_pair_is_lost_or_doubled(clip, tmp_path):
    complete = embed_pairs(clip, World(3, 320), tmp_path / "complete", shard=32, batch=16)
    killed = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(clip.folder), str(killed)], env=ENVIRONMENT)
    while len(list(killed.glob("*.safetensors"))) < 2 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    written = {path: path.stat().st_mtime_ns for path in killed.glob("*.safetensors")}
    assert 2 <= len(written) < 10
    assert not read_manifest(killed)["complete"]
    again = embed_pairs(clip, World(3, 320), killed, shard=32, batch=16)
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in written.items())  # not embedded twice
    assert same(again, complete)
    assert again.annotated
    assert again.items.tolist() == list(range(320))


def test_a_folder_of_another_model_or_source_is_refused(clip, dozen, tmp_path):
    embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "e")
    other = Clip(write_siglip(tmp_path / "siglip", clip.tokenizer, False))
    with pytest.raises(
        SteerError, match=r"contains embeddings of another model: id backbone/clip.*this one is id .*siglip"
    ):
        embed_pairs(other, open_pairs(str(dozen)), tmp_path / "e")
    with pytest.raises(SteerError, match="another source: .*kind folder, name dozen.*; this one is .*kind world"):
        embed_pairs(clip, World(3, 12), tmp_path / "e")
    (tmp_path / "e" / "manifest.json").write_text("{")
    with pytest.raises(SteerError, match=r"manifest.json is damaged"):
        embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "e")


@pytest.mark.parametrize("complete", [True, False])
def test_swapped_pictures_are_refused_when_embedding_resumes(clip, tmp_path, complete):
    folder = write_folder(tmp_path / "p", 12)
    work = work_folder(tmp_path / "w", clip, open_pairs(str(folder)))
    embed_pairs(clip, open_pairs(str(folder)), work, shard=5)
    if not complete:
        (work / "00002.safetensors").unlink()
    for name in ("000.png", "001.png"):
        (folder / name).rename(folder / f"_{name}")
    (folder / "_000.png").rename(folder / "001.png")
    (folder / "_001.png").rename(folder / "000.png")
    source = open_pairs(str(folder))
    assert work_folder(tmp_path / "w", clip, source) == work
    with pytest.raises(
        SteerError, match=r"pairs of p have changed since .* was begun \(12 then, 12 now; .*delete that folder"
    ):
        embed_pairs(clip, source, work, shard=5)
    shutil.rmtree(work)
    assert len(embed_pairs(clip, source, work, shard=5).captions) == 12


def test_sources_of_one_name_have_separate_folders(clip, tmp_path):
    folders = [write_folder(tmp_path / name, 3) for name in ("a", "b")]
    for folder in folders:
        (folder / "metadata.csv").write_text("file_name,text,other\n000.png,a cat,a dog\n")
    asked = [(str(folders[0]), None, None), (str(folders[1]), None, None), (str(folders[0]), 1, None)]
    asked += [(str(folders[0]), None, "file_name,other")]
    assert len({work_folder(tmp_path, clip, open_pairs(*one)) for one in asked}) == 4


@pytest.mark.parametrize("damage", ["corrupt", "truncated"])
def test_a_damaged_shard_is_refused_and_embedded_again_when_deleted(clip, dozen, tmp_path, damage):
    whole = embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "e", shard=5).part(0, 12)
    path = tmp_path / "e" / "00001.safetensors"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data if damage == "corrupt" else data[:-40])
    with pytest.raises(SteerError, match=r"00001.safetensors is damaged .* delete it and run again"):
        embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "e", shard=5)
    path.unlink()
    assert same(embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "e", shard=5), whole)


def test_a_full_disk_leaves_complete_shards_and_one_clear_error(clip, dozen, tmp_path):
    """Files may not grow past 2 kB, which the manifest fits in and no shard does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(SteerError, match=r"cannot write .*00000.safetensors \(File too large\): free"):
            embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "e")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in (tmp_path / "e").iterdir()] == ["manifest.json"]
    assert len(embed_pairs(clip, open_pairs(str(dozen)), tmp_path / "e").captions) == 12


def test_a_model_without_two_towers_or_safetensors_is_refused(clip, tiny_folder, tmp_path):
    with pytest.raises(SteerError, match="is a CLIPTextModel, which does not embed pictures and texts"):
        Clip(tiny_folder / "text_encoder").model  # noqa: B018
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(SteerError, match="no safetensors weights"):
        Clip(tmp_path / "pickled")
    with pytest.raises(SteerError, match="is a diffusers pipeline, .* give --clip the full CLIP"):
        Clip(tiny_folder)
    with pytest.raises(SteerError, match="cannot get nowhere"):
        Clip("nowhere")
    with pytest.raises(SteerError, match="cannot get nobody/nothing"):
        Clip("nobody/nothing")


def test_a_model_that_lacks_weights_is_refused(clip, tmp_path):
    """Transformers would go on with random ones."""
    shutil.copytree(clip.folder, tmp_path / "clip")
    weights = load_file(clip.folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, tmp_path / "clip" / "model.safetensors", {"format": "pt"})
    with pytest.raises(SteerError, match=r"lacks 1 of its weights, such as visual_projection.weight"):
        Clip(tmp_path / "clip").model  # noqa: B018
    (tmp_path / "clip" / "preprocessor_config.json").unlink()
    with pytest.raises(SteerError, match="preprocessor_config.json is missing"):
        Clip(tmp_path / "clip").processor  # noqa: B018


def test_a_model_of_the_hub_comes_from_its_cache_and_states_its_commit(clip, dozen, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--me--clip"
    shutil.copytree(clip.folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name in ("me/clip", f"me/clip@{commit}"):
        model = Clip(name)
        assert (model.id, model.revision) == ("me/clip", commit)
        assert model.identity["digest"] == clip.identity["digest"]
    assert torch.equal(model.embed_captions(["a cat"]), clip.embed_captions(["a cat"]))


def test_pictures_are_read_again_for_their_properties(dozen):
    properties, tiles = read_pictures(open_pairs(str(dozen)), [1, 3, 8])
    assert properties.shape == (3, 13)
    for number, tile in zip((1, 3, 8), tiles, strict=True):
        mean = np.asarray(Image.open(dozen / f"{number:03d}.png")).mean((0, 1))
        assert tile.size == (56, 56)
        assert np.abs(np.asarray(tile).mean((0, 1)) - mean).max() < 3


def test_a_reader_that_stops_early_stops_the_threads(clip):
    import threading

    before = threading.active_count()
    stream = read_batches(clip, World(3, 3000), 32)
    next(stream)
    stream.close()
    assert threading.active_count() == before
