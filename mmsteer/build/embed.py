"""Pairs into joint vectors of both sides, batch by batch, kept in a folder of the work folder.

Knows CLIP and pictures; knows nothing of dictionaries.
"""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.world.clip import tokens
from mmsteer.world.factors import FACTORS
from mmsteer.world.pairs import WorldPairs, digest

BATCH = 128
_DTYPES = {"image": np.float32, "text": np.float32, "factors": np.int64, "mentioned": np.bool_}
_KEEP = 40  # batches after which progress is kept


class Embedded(NamedTuple):
    """Matched pairs in the joint space."""

    image: torch.Tensor
    """[N, d_joint], unit length"""
    text: torch.Tensor
    """[N, d_joint], unit length"""
    captions: list[str]
    factors: np.ndarray
    """int64 [N, n_factors]"""
    mentioned: np.ndarray
    """bool [N, n_factors]"""

    def part(self, start: int, stop: int) -> "Embedded":
        """Pairs start to stop."""
        some = slice(start, stop)
        return Embedded(
            self.image[some], self.text[some], self.captions[some], self.factors[some], self.mentioned[some]
        )


def load_clip(folder: Path) -> tuple[Any, Any]:
    """The CLIPModel and tokenizer of a backbone folder's `clip/`."""
    from transformers import CLIPModel, CLIPTokenizer

    clip = CLIPModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    return clip.requires_grad_(False), CLIPTokenizer.from_pretrained(folder)


def embed(clip_folder: Path, seed: int, count: int, work: Path) -> Embedded:
    """Embed `count` world pairs of `seed`; read from `work` where the same CLIP has embedded the same world before.

    Arrays lie on disk and are mapped, so memory does not grow with the pairs; killed, it goes on where it was.
    """
    folder = work / f"pairs-{digest(seed, clip_folder / 'model.safetensors')}-{seed}-{count}"
    progress = folder / "progress.json"
    done = json.loads(progress.read_text())["pairs"] if progress.is_file() else 0
    if done < count:
        arrays = _arrays(folder, clip_folder, count, new=not done)
        clip, tokenizer = load_clip(clip_folder)
        began, first = time.monotonic(), done
        with (folder / "captions.txt").open("r+b") as captions:
            captions.seek(json.loads(progress.read_text())["bytes"] if done else 0)
            for number, batch in enumerate(WorldPairs(seed, count).batches(BATCH, done), 1):
                rows = slice(done, done + len(batch.captions))
                with torch.no_grad():
                    seen = clip.get_image_features(batch.pictures.float() / 127.5 - 1).pooler_output
                    said = clip.get_text_features(tokens(tokenizer, batch.captions)).pooler_output
                arrays["image"][rows] = F.normalize(seen, dim=-1).numpy()
                arrays["text"][rows] = F.normalize(said, dim=-1).numpy()
                arrays["factors"][rows], arrays["mentioned"][rows] = batch.factors, batch.mentioned
                captions.write("".join(f"{caption}\n" for caption in batch.captions).encode())
                done = rows.stop
                if number % _KEEP == 0 or done == count:
                    for array in arrays.values():
                        array.flush()
                    captions.flush()
                    partial = progress.with_suffix(".partial")
                    partial.write_text(json.dumps({"pairs": done, "bytes": captions.tell()}))
                    partial.replace(progress)
                    rate = (done - first) / (time.monotonic() - began)
                    print(
                        f"embedded {done}/{count}  {rate:.0f} pairs/s  {(count - done) / rate:.0f} s left", flush=True
                    )
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="c") for name in _DTYPES}
    return Embedded(
        torch.from_numpy(arrays["image"]), torch.from_numpy(arrays["text"]),
        (folder / "captions.txt").read_text().splitlines(), arrays["factors"], arrays["mentioned"],
    )  # fmt: skip


def _arrays(folder: Path, clip_folder: Path, count: int, new: bool) -> dict[str, np.memmap]:
    """The arrays of `count` pairs on disk to write into, made anew or as they are."""
    if not new:
        return {name: np.lib.format.open_memmap(folder / f"{name}.npy", "r+") for name in _DTYPES}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "captions.txt").write_bytes(b"")
    width = json.loads((clip_folder / "config.json").read_text())["projection_dim"]
    return {
        name: np.lib.format.open_memmap(
            folder / f"{name}.npy", "w+", dtype, (count, width if dtype == np.float32 else len(FACTORS))
        )
        for name, dtype in _DTYPES.items()
    }
