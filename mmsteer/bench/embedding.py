"""How fast pairs are embedded, reading and writing included, against the model alone on the same pairs."""

import io
import statistics
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmsteer.bench.timing import in_turn

_SEED = 3
_BATCH = 16
_PIXELS = 500, 375  # of a picture, as photographs in data sets have them


def measure(pairs: int, repeats: int) -> dict[str, Any]:
    """Embed captioned JPEGs with a CLIP of ViT-B/32's shape and random weights.

    Args:
        pairs: Number of pairs.
        repeats: How often to embed them.
    """
    import torch

    from mmsteer.assets import ASSETS
    from mmsteer.data.batches import read_batches
    from mmsteer.data.embedding import embed_pairs
    from mmsteer.data.sources import open_pairs
    from mmsteer.models.backbone import choose_device
    from mmsteer.models.clip import Clip

    # what embedding prints about its progress is not part of the table
    with TemporaryDirectory() as name, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        home = Path(name)
        _write_pairs(home / "pairs", pairs)
        _write_clip(home / "clip", ASSETS / "mini" / "clip")
        clip, source = Clip(home / "clip", choose_device(None)), open_pairs(str(home / "pairs"))
        batches = []
        for _, batch in read_batches(clip, source, _BATCH):
            names = batch.inputs[0].keys()
            batches.append(({n: torch.cat([part[n] for part in batch.inputs]) for n in names}, batch.captions))

        def embed() -> None:
            embed_pairs(clip, source, home / f"work-{len(list(home.iterdir()))}", batch=_BATCH)

        def forward() -> None:
            for pictures, captions in batches:
                clip.embed_pictures(pictures), clip.embed_captions(captions)
            if clip.device == "cuda":
                torch.cuda.synchronize()

        times = in_turn({"embed": embed, "forward": forward}, repeats)
    ratios = [f / e for e, f in zip(times["embed"], times["forward"], strict=True)]
    return {
        f"embedding on {clip.device}, pairs/s": round(pairs / statistics.median(times["embed"]), 1),
        "embedding: share of a bare forward loop's rate": round(statistics.median(ratios), 3),
    }


def _write_pairs(folder: Path, count: int) -> None:
    """Pictures and captions of the embedded world side by side, the pictures enlarged to `_PIXELS`."""
    from mmsteer.data.sources import open_pairs

    folder.mkdir()
    for k, pair in open_pairs(f"world:{_SEED}", count).samples():
        pair.picture().resize(_PIXELS).save(folder / f"{k:04d}.jpg", quality=90)
        (folder / f"{k:04d}.txt").write_text(pair.captions()[0] or "a scene")


def _write_clip(folder: Path, tokenizer: Path) -> None:
    """A CLIP of ViT-B/32's shape with random weights and the world's tokenizer."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    words = CLIPTokenizer.from_pretrained(tokenizer)
    text = {"vocab_size": len(words), "bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id}
    CLIPModel(CLIPConfig(text_config=text)).save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)
    words.save_pretrained(folder)
