"""Banks to and from the Hugging Face hub.

Only the files of a bank (`mmsteer.bank.folder.files_of`) are uploaded or copied, and a model card with them. A downloaded bank is
loaded before it replaces anything. What is in the hub's cache needs no network.
"""

import shutil
from pathlib import Path

from mmsteer.bank import FeatureBank
from mmsteer.bank.folder import files_of, make_room, put_in_place
from mmsteer.errors import SteerError
from mmsteer.exchange.card import card
from mmsteer.hub.errors import hub_errors

KINDS = ("*.safetensors", "*.json", "*.webp")
"""The kinds of files that are downloaded."""


def push_bank(folder: Path, repo: str, licence: str, private: bool = False) -> str:
    """Upload a bank with its model card, in one commit.

    Args:
        folder: The bank.
        repo: `USER/NAME`; created if it does not exist.
        licence: Of the bank, in the hub's words (`apache-2.0`, `cc-by-4.0`).
        private: Whether a new repository is private.

    Returns:
        The commit's address.

    Raises:
        SteerError: If the bank is damaged, the hub refuses, or there is no network.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    bank = load_complete(folder)
    files = [CommitOperationAdd(str(name), folder / name) for name in files_of(folder)]
    readme = CommitOperationAdd("README.md", card(bank, repo, licence).encode())
    with hub_errors(repo, "connect, without HF_HUB_OFFLINE, and run it again"):
        api = HfApi(library_name="mmsteer")
        api.create_repo(repo, private=private, exist_ok=True)
        commit = api.create_commit(repo, [readme, *files], commit_message=f"A bank of {len(bank.features)} features")
    return str(commit.commit_url)


def pull_bank(repo: str, revision: str | None, out: Path) -> str:
    """Download a bank.

    It goes into the hub's cache, is copied beside `out`, loaded completely, and then renamed.

    Args:
        repo: `USER/NAME`.
        revision: A commit, tag or branch; None for `main`.
        out: Folder of the bank. A bank in it is replaced; other files in it stay.

    Returns:
        The commit.

    Raises:
        SteerError: If repository or revision do not exist, there is neither network nor a cached copy, the repository is no
            bank, or `out` contains anything but a bank.
    """
    from huggingface_hub import snapshot_download

    out = out.resolve()
    make_room(out).rmdir()
    cached = "offline only what was fetched before is available, by that revision or its commit"
    with hub_errors(repo, cached):
        snapshot = Path(snapshot_download(repo, revision=revision, allow_patterns=list(KINDS), library_name="mmsteer"))
    partial = make_room(out)
    for name in files_of(snapshot):  # the cache may have more files, and has links
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(snapshot / name, partial / name)
    try:
        load_complete(partial)
    except SteerError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise SteerError(f"{repo} at {snapshot.name} is no usable bank: {error}") from error
    put_in_place(partial, out)
    return snapshot.name


def load_complete(folder: Path) -> FeatureBank:
    """Load a bank with all of its weights; SteerError says what is damaged, missing or does not fit together."""
    bank = FeatureBank.load(folder)
    for part in (bank.dictionaries, bank.tensors):
        assert part
    return bank
