"""Measurements beside the pictures: what the judge reads in them, and their CLIP similarity to prompt and features.

Only the embedded world has a judge. CLIP similarities need the whole CLIP, picture encoder included.
"""

import importlib
import logging
import threading
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.errors import SteerError, without_folders

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.pictures.clip_similarity import Similarity
    from mmsteer.pictures.picture_features import PictureReader
    from mmsteer.steering.steered import Steered
    from mmsteer.steering.steerer import Steerer

_SHOWN = 6  # features whose similarity is shown
_PATIENCE = 2.0  # seconds that the similarities of a pair wait for CLIP to load; for later pairs it is loaded
_LOG = logging.getLogger(__name__)


class Reading:
    """A backbone's judge and CLIP, loaded when first needed; without them there are no measurements."""

    def __init__(self) -> None:
        self._readout: Callable[[Sequence[Image.Image]], list[dict[str, str]]] | None = None
        self._warming: threading.Thread | None = None
        self._warm: bool | None = None

    def judged(self, steerer: "Steerer", result: "Steered") -> str:
        """Which factors the judge reads differently before and after, as HTML."""
        changes = self.between(steerer, result.before, result.after)
        return f'<div class="mm-reading" role="status">What changed: {escape(changes)}</div>' if changes else ""

    def between(self, steerer: "Steerer", before: "Image.Image", after: "Image.Image") -> str:
        """Which factors the judge reads differently in the second picture, as text; empty without a judge."""
        read = self.read(steerer, [before, after])
        if read is None:
            return ""
        first, second = read
        changed = [f"{first[name]} → {value}" for name, value in second.items() if first[name] != value]
        return ", ".join(changed) if changed else "nothing that the judge reads"

    def read(self, steerer: "Steerer", pictures: "Sequence[Image.Image]") -> list[dict[str, str]] | None:
        """What the judge reads in each picture, factor by factor; None without a judge."""
        return self._readout(pictures) if self.has_judge(steerer) and self._readout else None

    def has_judge(self, steerer: "Steerer") -> bool:
        """Whether this backbone has a judge, which is loaded now."""
        spec = steerer.backbone.spec
        if self._readout is None and spec.readout is not None:
            self._readout = importlib.import_module(spec.readout).load(Path(spec.source))
        return self._readout is not None

    @property
    def likely(self) -> bool:
        """Whether similarities may come: False once CLIP turned out to be missing."""
        return self._warm is not False

    def clip_similarity(self, reader: "PictureReader", result: "Steered") -> str:
        """CLIP similarity of both pictures to the prompt and to each edited feature, as HTML; empty without a CLIP, and while
        it is loading: a large one loads in the background, so that no picture waits for it.
        """
        if self._warming is None:
            self._warming = threading.Thread(target=self._read_clip, args=(reader,), daemon=True)
            self._warming.start()
        self._warming.join(_PATIENCE)
        if not self._warm:
            return ""
        from mmsteer.pictures.clip_similarity import clip_similarity

        return similarities(clip_similarity(reader, result.recipe, [result.before, result.after]))

    def _read_clip(self, reader: "PictureReader") -> None:
        from PIL import Image

        try:
            reader.embed([Image.new("RGB", (64, 64))])
            self._warm = True
        except SteerError as error:
            _LOG.info("no similarities beside the pictures: %s", without_folders(str(error)))
            self._warm = False
        except Exception:
            _LOG.exception("no similarities beside the pictures")
            self._warm = False


def similarities(measured: "Sequence[Similarity]") -> str:
    """CLIP similarities before and after as HTML: to the prompt, then to features."""
    shown = [f"{escape(one.name)} <b>{one.values[0]:.2f} → {one.values[1]:.2f}</b>" for one in measured[: 1 + _SHOWN]]
    more = f", and {len(measured) - len(shown)} more" if len(measured) > len(shown) else ""
    meaning = "Cosine in CLIP's joint space, before and after; for a feature, measured from the mean picture"
    return f'<div class="mm-similarity mm-figure" role="status" title="{meaning}">CLIP similarity: {", ".join(shown)}{more}</div>'


def coming() -> str:
    """A placeholder for the similarities, of the same height."""
    return '<div class="mm-similarity mm-figure">CLIP similarity: …</div>'
