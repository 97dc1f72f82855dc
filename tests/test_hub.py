"""Banks to and from the hub, and their model card."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mmsteer.__main__ import main
from mmsteer.bank import FeatureBank
from mmsteer.bank.folder import files_of
from mmsteer.errors import SteerError
from mmsteer.exchange.card import card
from mmsteer.exchange.hub import pull_bank, push_bank

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cached(tiny_bank, tmp_path, monkeypatch):
    """A hub cache with the tiny bank in it, laid out as the hub's client does: blobs, and a snapshot of links to them."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    repo = tmp_path / "cache" / "models--someone--bank"
    bank = tmp_path / "bank"
    shutil.copytree(tiny_bank, bank)
    (bank / "examples").mkdir(exist_ok=True)
    (bank / "examples" / "0.webp").write_bytes(b"a picture")
    (bank / "payload.pkl").write_bytes(b"not asked for")
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    (repo / "blobs").mkdir()
    for number, path in enumerate(sorted(path for path in bank.rglob("*") if path.is_file())):
        link = repo / "snapshots" / COMMIT / path.relative_to(bank)
        link.parent.mkdir(parents=True, exist_ok=True)
        path.replace(repo / "blobs" / str(number))
        link.symlink_to(repo / "blobs" / str(number))
    return repo / "snapshots" / COMMIT


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_a_bank_comes_from_the_cache_without_a_network(cached, tiny_bank, tmp_path, revision):
    assert pull_bank("someone/bank", revision, tmp_path / "out") == COMMIT
    assert FeatureBank.load(tmp_path / "out").features == FeatureBank.load(tiny_bank).features
    assert (tmp_path / "out" / "examples" / "0.webp").read_bytes() == b"a picture"
    assert not (tmp_path / "out" / "payload.pkl").exists()
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_a_bank_is_pulled_by_the_command(cached, tmp_path, capsys):
    assert main(["bank", "pull", "someone/bank@main", "--out", str(tmp_path / "out")]) == 0
    assert f"commit {COMMIT}" in capsys.readouterr().out
    assert main(["bank", "pull", "someone/bank@v9", "--out", str(tmp_path / "other")]) == 2
    assert "fetched before" in capsys.readouterr().err


def test_a_damaged_download_leaves_an_existing_bank_alone(cached, tiny_bank, tmp_path):
    shutil.copytree(tiny_bank, tmp_path / "out")
    weights = cached / "bridge.safetensors"
    weights.resolve().write_bytes(weights.read_bytes()[:40])
    with pytest.raises(SteerError, match="someone/bank at 0123.*bridge"):
        pull_bank("someone/bank", None, tmp_path / "out")
    assert FeatureBank.load(tmp_path / "out").tensors
    assert not list(tmp_path.glob("*.partial"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(SteerError, match="mine exists and is no bank"):
        pull_bank("someone/bank", None, tmp_path / "mine")


def test_features_must_have_their_latents(cached, tmp_path):
    path = cached / "bank.json"
    data = json.loads(path.read_text())
    data["features"][0]["text_latent"] = 999
    path.resolve().write_text(json.dumps(data))
    with pytest.raises(SteerError, match="feature 0 acts by latent 999 of 'text'"):
        pull_bank("someone/bank", None, tmp_path / "out")


def test_no_network_and_no_cache_is_one_clear_error(tmp_path, tiny_bank, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(
        SteerError,
        match="cannot reach nobody/nothing on the hub .LocalEntryNotFoundError.: offline only what was fetched",
    ):
        pull_bank("nobody/nothing", None, tmp_path / "out")
    with pytest.raises(SteerError, match="'a/b/c' is no name of a repository: write USER/NAME"):
        pull_bank("a/b/c", None, tmp_path / "out")
    with pytest.raises(
        SteerError, match="cannot reach someone/bank on the hub .OfflineModeIsEnabled.: connect, without HF_HUB_OFFLINE"
    ):
        push_bank(tiny_bank, "someone/bank", "mit")
    assert not (tmp_path / "out").exists()


def test_the_hub_out_of_reach_is_one_clear_error(tiny_bank):
    """In a process that may go on line, towards a port where nothing listens."""
    code = "import sys; from mmsteer.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        code,
        "bank",
        "push",
        str(tiny_bank),
        "someone/bank",
        "--licence",
        "mit",
    ]
    online = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "hf_none"}
    done = subprocess.run(command, env=online, capture_output=True, text=True)
    assert done.returncode == 2
    assert re.fullmatch(r"mmsteer: cannot reach someone/bank on the hub \(ConnectError\): .*\n", done.stderr)


@pytest.mark.parametrize(("code", "kind"), [(403, "GatedRepo"), (404, "RevisionNotFound")])
def test_a_refusal_of_the_hub_is_one_clear_error(tmp_path, code, kind):
    """A hub of our own that refuses everything, asked by the library itself in a process that may go on line."""

    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802  the name the library gives it
            self.send_response(code)
            self.send_header("X-Error-Code", kind)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        code_ = "import sys; from mmsteer.__main__ import main; sys.exit(main(sys.argv[1:]))"
        online = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
                  "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}  # fmt: skip
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            code_,
            "bank",
            "pull",
            "someone/bank",
            "--out",
            str(tmp_path / "out"),
        ]
        done = subprocess.run(command, env=online, capture_output=True, text=True)
        hub.shutdown()
    assert done.returncode == 2, done.stderr
    assert f"mmsteer: the hub refuses someone/bank ({kind}Error {code}): check name and revision" in done.stderr
    assert not (tmp_path / "out").exists()


FILES = [
    "bank.json", "bridge.safetensors", "examples/0.webp", "image/cfg.json", "image/sae_weights.safetensors", "text/cfg.json",
    "text/sae_weights.safetensors",
]  # fmt: skip


def with_strangers(folder, tiny_bank):
    """A bank with other people's files among its own."""
    shutil.copytree(tiny_bank, folder)
    names = (
        "notes.txt",
        "weights.pt",
        "script.py",
        "secret.json",
        "clip/model.safetensors",
        "image/other.json",
        "examples/me.webp",
    )
    for name in (*names, "examples/0.webp"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    return names


def test_exactly_the_files_of_a_bank_go_up(tiny_bank, tmp_path, monkeypatch):
    with_strangers(tmp_path / "bank", tiny_bank)
    assert [str(name) for name in files_of(tmp_path / "bank")] == FILES
    sent = []

    def create_commit(self, repo, operations, **more):
        sent.extend(operation.path_in_repo for operation in operations)
        return types.SimpleNamespace(commit_url="https://hub/commit")

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", lambda *given, **more: None)
    monkeypatch.setattr("huggingface_hub.HfApi.create_commit", create_commit)
    assert push_bank(tmp_path / "bank", "someone/bank", "mit") == "https://hub/commit"
    assert sorted(sent) == sorted(["README.md", *FILES])


def test_a_pulled_bank_replaces_a_bank_and_nothing_else(cached, tiny_bank, tmp_path):
    strangers = with_strangers(tmp_path / "out", tiny_bank)
    (tmp_path / "out" / "examples" / "77.webp").write_bytes(b"of a feature that is gone")
    (tmp_path / "out" / "linked").symlink_to(tmp_path / "away")
    for name in ("out.partial", "out.old", "neighbour"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("mine")
    around = sorted(tmp_path.iterdir())
    pull_bank("someone/bank", None, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == around
    assert [str(name) for name in files_of(tmp_path / "out")] == FILES
    assert (tmp_path / "out" / "examples" / "0.webp").read_bytes() == b"a picture"
    assert all((tmp_path / "out" / name).read_bytes() == b"x" for name in strangers)
    assert (tmp_path / "out" / "linked").is_symlink()
    assert all(
        (tmp_path / name / "thesis.txt").read_text() == "mine" for name in ("out.partial", "out.old", "neighbour")
    )


def test_the_card_states_what_the_bank_is_and_how_good(tiny_bank):
    bank = FeatureBank.load(tiny_bank)
    bank.meta.update(
        clip={"id": "openai/clip-vit-large-patch14", "revision": COMMIT}, pairs=900, held_out=100,
        source={"kind": "folder", "name": "photos", "items": 1000, "digest": "0"},
        objective="levels", sides={side: {"fvu": 0.12, "l0": 7.5, "dead": 0.25} for side in ("image", "text")},
        text_to_joint={"kind": "fitted", "r2": 0.875},
    )  # fmt: skip
    text = card(bank, "someone/photos", "cc-by-4.0")
    front, body = text.removeprefix("---\n").split("\n---\n", 1)
    fields = dict(line.split(": ", 1) for line in front.splitlines())
    assert json.loads(fields["license"]) == "cc-by-4.0"
    assert json.loads(fields["base_model"]) == "openai/clip-vit-large-patch14"
    for line in (
        "| Pairs | 900 of photos (folder), 100 held out |",
        "| Backbone | tiny, with a fitted text-to-joint map (held-out R² 0.875) |",
        "| image embeddings | 24 | 0.12 | 7.5 | 0.25 |",
        "| vision | 3 | 3 | 1.00 | 3.00 | 0.50 |",  # warm light, white frame, vignette: 1, 1, 0.99
        "python -m mmsteer bank pull someone/photos --out BANK",
    ):
        assert line in body
