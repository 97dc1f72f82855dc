"""Webdataset tars on the hub, read one at a time through the hub's own client from a stand-in of the hub."""

import errno
from pathlib import Path

import pytest
from hub_stand_in import StandIn, go_online, stand_in, write_tar

from mmsteer.data.embedding import embed_pairs, work_folder
from mmsteer.data.shards import numbers_of
from mmsteer.data.sources import open_pairs
from mmsteer.errors import SteerError
from mmsteer.hub.repository import Repository, look_up

COMMIT = "b" * 40


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Three tars of ten pairs to train on and one to validate on, in a repository that this process can reach."""
    folder = tmp_path / "served"
    for k in range(3):
        write_tar(folder / f"some-train-{k:04d}.tar", 10 * k, 10)
    write_tar(folder / "some-validation-0000.tar", 900, 5)
    (folder / "README.md").write_text("pairs")
    with stand_in() as hub:
        hub.add("dataset", "someone/pairs", COMMIT, folder)
        go_online(hub, tmp_path / "cache", monkeypatch)
        yield hub


def captions(source: str, limit: int | None = None) -> list[str]:
    return [sample.captions()[0] for _, sample in open_pairs(source, limit).samples()]


def test_no_more_tars_are_fetched_than_the_limit_needs(hub: StandIn):
    assert captions("hub:someone/pairs", 15) == [f"picture {k}" for k in range(15)]
    assert hub.fetched() == ["some-train-0000.tar", "some-train-0001.tar"]
    source = open_pairs("hub:someone/pairs", 15)
    assert source.survey == ("hub", f"hub:someone/pairs@{COMMIT}", 15, COMMIT)
    assert [sample.picture().getpixel((0, 0)) for _, sample in source.samples({3}.__contains__)] == [(3, 21, 90)]
    assert len(hub.fetched()) == 2  # they stay in the cache


def test_a_split_is_told_by_the_names_of_the_tars(hub: StandIn):
    assert len(captions("hub:someone/pairs")) == 30
    assert captions(f"hub:someone/pairs@{COMMIT}:validation") == [f"picture {k}" for k in range(900, 905)]


def test_what_was_fetched_is_read_without_a_network(hub: StandIn, monkeypatch: pytest.MonkeyPatch):
    captions("hub:someone/pairs", 15)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert len(captions("hub:someone/pairs", 15)) == 15
    with pytest.raises(SteerError, match="cannot reach someone/pairs on the hub.*connect"):
        captions("hub:someone/pairs", 25)


def test_embedding_goes_on_after_a_stop_between_two_tars(hub: StandIn, clip, tmp_path: Path):
    hub.gone.add("some-train-0002.tar")
    source = open_pairs("hub:someone/pairs", 30)
    folder = work_folder(tmp_path / "work", clip, source)
    with pytest.raises(SteerError, match="the hub refuses someone/pairs"):
        embed_pairs(clip, source, folder, shard=8, batch=4)
    assert numbers_of(folder) == {0, 1}
    hub.gone.clear()
    before = len(hub.fetched())
    embedded = embed_pairs(clip, open_pairs("hub:someone/pairs", 30), folder, shard=8, batch=4)
    assert list(embedded.captions) == [f"picture {k}" for k in range(30)]
    assert hub.fetched()[before:] == ["some-train-0002.tar"]


def test_a_cut_connection_goes_on_where_it_broke(hub: StandIn, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)  # of a file of 30 kB
    hub.cut["some-train-0000.tar"] = 7000
    assert len(captions("hub:someone/pairs", 10)) == 10
    ranges = [line.split("bytes=")[1] for line in hub.asked if "bytes=" in line]
    assert [start.split("-")[0] for start in ranges] == ["7000"]


@pytest.mark.parametrize("gate", [True, False])
def test_a_repository_that_is_gated_or_not_there_is_one_sentence(hub: StandIn, gate: bool):
    if gate:
        hub.gated.add("datasets/someone/pairs")
        with pytest.raises(SteerError, match="the hub refuses someone/pairs .GatedRepoError 403.*hf auth login"):
            open_pairs("hub:someone/pairs")
    else:
        with pytest.raises(SteerError, match="the hub refuses someone/other .RepositoryNotFoundError"):
            open_pairs("hub:someone/other")
        with pytest.raises(SteerError, match="the hub refuses someone/pairs .RevisionNotFoundError"):
            open_pairs("hub:someone/pairs@v9")


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(hub: StandIn, tmp_path, monkeypatch):
    from huggingface_hub import file_download

    real = file_download.http_get

    def full(url, temp_file, **more):
        if "0001" in url:
            temp_file.write(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(url, temp_file, **more)

    monkeypatch.setattr(file_download, "http_get", full)
    with pytest.raises(SteerError, match="the disk is full: someone/pairs does not fit.*complete stay; run the same"):
        captions("hub:someone/pairs", 20)
    blobs = list((tmp_path / "cache").rglob("blobs/*"))
    assert len(blobs) == 1
    assert not list((tmp_path / "cache").rglob("*.incomplete"))
    monkeypatch.setattr(file_download, "http_get", real)
    assert len(captions("hub:someone/pairs", 20)) == 20


def test_a_listing_says_what_is_here_and_how_large_the_rest_is(hub: StandIn):
    repository = look_up("someone/pairs", "dataset")
    assert isinstance(repository, Repository)
    tar, readme = "some-train-0000.tar", "README.md"
    assert repository.missing([tar, readme]) == {tar: repository.sizes[tar], readme: 5}
    repository.fetch([tar])
    assert repository.missing([tar, readme]) == {readme: 5}
    assert repository.licence == "openrail++"
