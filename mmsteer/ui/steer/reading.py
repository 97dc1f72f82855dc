"""Numbers and words beside the pictures: what the judge of a backbone reads in them, and how like CLIP finds them.

Only the embedded world has a judge; CLIP's similarities are there wherever the whole CLIP is at hand.
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

    from mmsteer.steering.clip_similarity import Likeness
    from mmsteer.steering.picture_features import PictureReader
    from mmsteer.steering.steerer import Steered, Steerer

_TOLD = 6  # features whose similarity is told
_PATIENCE = 2.0  # seconds that a pair's numbers wait for CLIP to be read; later pairs find it there
_LOG = logging.getLogger(__name__)


class Reading:
    """A backbone's judge and CLIP, loaded when first asked; silent where there are none."""

    def __init__(self) -> None:
        self._readout: Callable[[Sequence[Image.Image]], list[dict[str, str]]] | None = None
        self._warming: threading.Thread | None = None
        self._warm: bool | None = None

    def told(self, steerer: "Steerer", result: "Steered") -> str:
        """Which factors read differently after than before, as HTML."""
        read = self.between(steerer, result.before, result.after)
        return f'<div class="mm-reading" role="status">The judge reads: {escape(read)}</div>' if read else ""

    def between(self, steerer: "Steerer", before: "Image.Image", after: "Image.Image") -> str:
        """Which factors read differently in the second of two pictures, as text; empty where there is no judge."""
        spec = steerer.backbone.spec
        if self._readout is None and spec.readout is not None:
            self._readout = importlib.import_module(spec.readout).load(Path(spec.source))
        if self._readout is None:
            return ""
        first, second = self._readout([before, after])
        changed = [f"{first[name]} → {value}" for name, value in second.items() if first[name] != value]
        return ", ".join(changed) if changed else "the same in both"

    @property
    def likely(self) -> bool:
        """Whether similarities may come: not, once CLIP was found missing."""
        return self._warm is not False

    def likeness(self, reader: "PictureReader", result: "Steered") -> str:
        """How like before and after are to the prompt and to each edited feature, as HTML; empty where no CLIP is at hand, or
        not yet: a large one is read in the background, so that no picture waits for it.
        """
        if self._warming is None:
            self._warming = threading.Thread(target=self._read_clip, args=(reader,), daemon=True)
            self._warming.start()
        self._warming.join(_PATIENCE)
        if not self._warm:
            return ""
        from mmsteer.steering.clip_similarity import likeness

        return similarities(likeness(reader, result.recipe, [result.before, result.after]))

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


def similarities(found: "Sequence[Likeness]") -> str:
    """Similarities before and after, as HTML: to the prompt, then to features."""
    told = [f"{escape(one.name)} <b>{one.values[0]:.2f} → {one.values[1]:.2f}</b>" for one in found[: 1 + _TOLD]]
    more = f", and {len(found) - len(told)} more" if len(found) > len(told) else ""
    why = "Cosine in CLIP's joint space, before and after; a feature's is measured from the mean picture"
    return f'<div class="mm-likeness" role="status" title="{why}">CLIP similarity: {", ".join(told)}{more}</div>'


def coming() -> str:
    """What stands where similarities will: a line as high."""
    return '<div class="mm-likeness">CLIP similarity: …</div>'
