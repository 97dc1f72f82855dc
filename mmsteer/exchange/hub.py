"""`python -m mmsteer bank push`, `pull`, `export` and `import`: to and from other people, by the Hugging Face hub or as folders.

Only safetensors, JSON and WebP go up or come down, and a model card with them; a bank that comes down is loaded before it takes
its place. What lies in the hub's cache needs no network.
"""

import argparse
import json
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from mmsteer.bank import MODALITIES, Feature, FeatureBank
from mmsteer.bank.folder import make_room
from mmsteer.errors import SteerError, first_line

KINDS = ("*.safetensors", "*.json", "*.webp")


def add_arguments(actions: Any) -> None:
    """Describe the sub-commands; each parser's `do` runs its action."""
    from mmsteer.data.splits import add_source_arguments

    push = actions.add_parser("push", help="publish a bank on the Hugging Face hub")
    push.add_argument("bank", type=Path, metavar="BANK", help="a bank folder")
    push.add_argument("repo", metavar="USER/NAME", help="where to; made if it is not there")
    push.add_argument(
        "--licence", required=True, help="of the bank, in the hub's words (apache-2.0, cc-by-4.0, …); it follows from the pairs'"
    )  # fmt: skip
    push.add_argument("--private", action="store_true", help="make a new repository private")
    push.set_defaults(do=_push)
    pull = actions.add_parser(
        "pull", help="fetch a bank from the Hugging Face hub, or from its cache without a network"
    )
    pull.add_argument("repo", metavar="USER/NAME[@REVISION]", help="where from; a commit, tag or branch (default main)")
    pull.add_argument("--out", type=Path, required=True, help="folder to write")
    pull.set_defaults(do=_pull)
    export = actions.add_parser("export", help="write a bank's dictionaries as folders that SAELens loads")
    export.add_argument("bank", type=Path, metavar="BANK", help="a bank folder")
    export.add_argument("out", type=Path, metavar="OUT", help="folder to write, with one folder a dictionary in it")
    export.set_defaults(do=_export)
    taken = actions.add_parser(
        "import", help="make a bank from dictionaries trained elsewhere, scored and named like ours"
    )
    taken.add_argument(
        "folder", type=Path, metavar="FOLDER",
        help="a dictionary of SAELens, sparsify or dictionary_learning: of both sides, or with --text of pictures alone",
    )  # fmt: skip
    taken.add_argument("--text", type=Path, metavar="FOLDER", help="the dictionary of captions, where there are two")
    taken.add_argument(
        "--scale", type=float, default=1.0, help="length of the embeddings it was trained on (default 1: unit vectors)"
    )
    add_source_arguments(taken)
    taken.set_defaults(do=_import)


def _push(args: argparse.Namespace) -> None:
    print(f"pushed as {push_bank(args.bank, args.repo, args.licence, args.private)}")


def _pull(args: argparse.Namespace) -> None:
    repo, _, revision = args.repo.partition("@")
    commit = pull_bank(repo, revision or None, args.out)
    print(f"wrote {args.out}: commit {commit}; to fetch the same again: bank pull {repo}@{commit}")


def _export(args: argparse.Namespace) -> None:
    from mmsteer.exchange.formats import export_bank

    print(f"wrote {', '.join(str(folder) for folder in export_bank(FeatureBank.load(args.bank), args.out))}")


def _import(args: argparse.Namespace) -> None:
    from mmsteer.exchange.formats import import_bank

    import_bank(args)


def push_bank(folder: Path, repo: str, licence: str, private: bool = False) -> str:
    """Upload a bank that loads, with its card, in one commit; returns the commit's address.

    SteerError for a damaged bank, a missing token, and no network.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    bank = whole_bank(folder)
    files = [CommitOperationAdd(str(name), folder / name) for name in files_of(folder)]
    readme = CommitOperationAdd("README.md", card(bank, repo, licence).encode())
    with _hub_errors(repo, "connect, without HF_HUB_OFFLINE, and run it again"):
        api = HfApi(library_name="mmsteer")
        api.create_repo(repo, private=private, exist_ok=True)
        done = api.create_commit(repo, [readme, *files], commit_message=f"A bank of {len(bank.features)} features")
    return str(done.commit_url)


def pull_bank(repo: str, revision: str | None, out: Path) -> str:
    """Fetch a bank into `out` and return its commit; what is there is replaced if it is a bank.

    It is fetched into the hub's cache, copied beside `out`, loaded whole, and then renamed. SteerError for a repository or
    revision that is not there, no network and nothing in the cache, and for what is not a bank.
    """
    from huggingface_hub import snapshot_download

    out = out.resolve()
    make_room(out).rmdir()
    cached = "offline only what was fetched before can be had, by that revision or its commit"
    with _hub_errors(repo, cached):
        snapshot = Path(snapshot_download(repo, revision=revision, allow_patterns=list(KINDS), library_name="mmsteer"))
    partial = make_room(out)
    for name in files_of(snapshot):  # the cache may hold more than was asked for, and holds links
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(snapshot / name, partial / name)
    try:
        whole_bank(partial)
    except SteerError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise SteerError(f"{repo} at {snapshot.name} is no bank that can be used: {error}") from error
    shutil.rmtree(out, ignore_errors=True)
    partial.replace(out)
    return snapshot.name


def files_of(folder: Path) -> list[PurePosixPath]:
    """The files of a bank folder that go to the hub and come from it, by name within it."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [PurePosixPath(name) for name in sorted(found) if PurePosixPath(name).suffix in {kind[1:] for kind in KINDS}]


def whole_bank(folder: Path) -> FeatureBank:
    """A bank with everything read and fitting together; SteerError says what is damaged or missing."""
    bank = FeatureBank.load(folder)
    sides = bank.meta.get("dictionaries")
    if sides not in (["image", "text"], ["shared"]):
        raise SteerError(f"{folder / 'bank.json'} names dictionaries {sides}, not image and text, or shared")
    for feature in bank.features:
        dictionary, effect = bank.dictionaries.get(feature.side), bank.tensors.get(f"steering_{feature.side}")
        latent = feature.image_latent if feature.side == "image" else feature.text_latent
        if (
            dictionary is None
            or effect is None
            or latent is None
            or not 0 <= latent < len(effect) == len(dictionary.W_dec)
        ):
            raise SteerError(
                f"{folder}: feature {feature.id} acts by latent {latent} of {feature.side!r}, which is not there"
            )
    return bank


@contextmanager
def _hub_errors(repo: str, offline: str) -> Iterator[None]:
    """Whatever the hub, the network or a bad name raise, as one SteerError each: a name that cannot be, a refusal, no answer."""
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx

    try:
        yield
    except errors.HFValidationError as error:
        raise SteerError(f"{repo!r} cannot be a repository: write USER/NAME ({first_line(error)})") from error
    except (errors.HfHubHTTPError, errors.LocalTokenNotFoundError) as error:
        raise SteerError(
            f"the hub refuses {repo} ({_said(error)}): check name and revision on its page; a private or gated one, and writing, "
            "takes `hf auth login` with a token that may"
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, httpx.HTTPError) as error:
        raise SteerError(f"cannot reach {repo} on the hub ({_said(error)}): {offline}") from error


def _said(error: Exception) -> str:
    """The kind of an error, and the hub's status where it gave one."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return " ".join(filter(None, (type(error).__name__, status and str(status))))


# -- the card --


def card(bank: FeatureBank, repo: str, licence: str) -> str:
    """The model card: what the bank was made of, how good it is, and how to use it."""
    meta = bank.meta
    clip = meta.get("clip")
    model = clip if isinstance(clip, dict) else {"id": str(clip)}
    front = {
        "license": licence,
        "library_name": "mmsteer",
        "tags": ["sparse-autoencoder", "interpretability", "clip", "saelens"],
    }
    if model.get("revision"):  # it came from the hub, so its page is there
        front |= {"base_model": model["id"]}
    made = {
        "CLIP": " ".join(str(model[key]) for key in ("id", "revision") if model.get(key)),
        "Backbone": _backbone(meta),
        "Pairs": f"{meta.get('pairs', 'unknown')} of {bank.origin}, "
        f"{meta.get('held_out', 'unknown')} held out",
        "Objective": meta.get("objective", "unknown"),
    }  # fmt: skip
    figures = []
    for side, told in meta.get("sides", {}).items():
        dictionary = bank.dictionaries.get(side) or bank.dictionaries["shared"]
        figures.append((f"{side} embeddings", dictionary.config.n_latents, told["fvu"], told["l0"], told["dead"]))
    labels = [_label_row(m, [f for f in bank.features if f.modality == m]) for m in MODALITIES]
    return f"""---
{chr(10).join(f"{key}: {json.dumps(value)}" for key, value in front.items())}
---

# {repo.partition("/")[2]}

{len(bank.features)} features of CLIP's joint image-text space, each labelled vision-only, language-only or cross-modal, for steering
text-to-image models with mmsteer. The dictionaries are sparse autoencoders in SAELens' layout.

{_table(("", ""), list(made.items()))}

{_table(("dictionary of", "latents", "FVU", "L0", "dead"), figures)}

FVU: fraction of variance unexplained on held-out pairs. L0: latents that fire per vector. Dead: share of latents that fire on
none of them.

{_table(("label", "features", "with a sure name", "MDS, median", "co-firing, median", "P(both | either), median"), labels)}

MDS: Modality Dominance Score, 0 only captions, 1 only pictures. Co-firing: how much more often than by chance a feature fires on both
sides of a pair.

## Use

```
python -m mmsteer bank pull {repo} --out BANK
python -m mmsteer bank show --bank BANK
python -m mmsteer steer "a prompt" --bank BANK --backbone BACKBONE --edit "FEATURE:1.0"
```

The dictionaries alone: `SAE.load_from_disk(FOLDER)` of SAELens, on joint vectors of unit length.

Meant for studying and steering what text-to-image models draw. A label says what goes together in the pairs it was
measured on, not why; correlations of that data come along. Not meant for judging people or for decisions about them.
"""


def _backbone(meta: dict[str, Any]) -> str:
    name, fitted = meta.get("backbone", "unknown"), meta.get("text_to_joint", {})
    if fitted.get("kind") != "fitted":
        return str(name)
    return f"{name}, whose map to the joint space is fitted (held-out R² {fitted['r2']})"


def _label_row(modality: str, features: list[Feature]) -> tuple[Any, ...]:
    def median(key: str) -> str:
        return f"{statistics.median(getattr(f, key) for f in features):.2f}" if features else "-"

    named = sum(f.named_by is not None for f in features)
    return modality, len(features), named, median("mds"), median("cofiring"), median("p_both")


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |" for line in lines)
