"""What the tabs of one page share. It holds nothing of any visitor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.bank import FeatureBank
from mmsteer.recipes.presets import available, preset_of
from mmsteer.ui.progress.followed import Pace
from mmsteer.ui.server.blocks import ServedBlocks
from mmsteer.ui.shared.known import Known
from mmsteer.ui.shared.loading import Loading
from mmsteer.ui.steer.reading import Reading

if TYPE_CHECKING:
    from mmsteer.ahead.drawn import DrawnAhead
    from mmsteer.steering.steerer import Steerer


@dataclass(frozen=True)
class Controls:
    """Components of the tab Steer that together are a recipe; other tabs fill them."""

    prompt: gr.Textbox
    seed: gr.Number
    rack: gr.HTML
    sampler: gr.State
    """The sampler of an opened recipe; None is the checkpoint's."""
    negative_prompt: gr.Textbox
    image: gr.HTML
    """The adapter's scale and a whole picture (`mmsteer.ui.steer.image`)."""
    own: gr.HTML
    """The visitor's own picture (`mmsteer.ui.own.panel`)."""
    region: gr.HTML
    """Where the edits act (`mmsteer.ui.steer.region`)."""
    options: gr.Accordion
    """Holds the negative prompt: closed until a visitor opens it, or a recipe that has one."""
    notice: gr.HTML
    """Notes on a recipe that was opened."""
    draw: dict[str, Any]
    """Arguments of the event that draws the pair: `event.then(**draw)`."""
    look: dict[str, Any]
    """Arguments of the event that shows it as it was drawn ahead, while the model loads."""

    @property
    def inputs(self) -> list[Any]:
        """What a pair is drawn from."""
        return [
            self.prompt,
            self.seed,
            self.rack,
            self.sampler,
            self.negative_prompt,
            self.image,
            self.own,
            self.region,
        ]

    @property
    def restored(self) -> list[Any]:
        """What opening a recipe changes."""
        return [*self.inputs, self.options, self.notice]


class PageState:
    """The bank, the model on its way, and what every tab's builder needs."""

    blocks: ServedBlocks
    """The page that is being built."""
    tabs: gr.Tabs
    controls: Controls
    """Set by the tab Steer, which is built first."""

    def __init__(self, bank: FeatureBank, load: "Callable[[], Steerer]", ahead: "DrawnAhead | None" = None) -> None:
        """Start to load the model.

        Args:
            bank: the features to show.
            load: called once, in its own thread.
            ahead: pictures to show before; the examples are then those that were drawn.
        """
        self.bank = bank
        self.ahead = ahead
        self.loading = Loading(load)
        self.known = Known(bank, self.loading)
        drawn = [preset_of(bank, r.prompt, r.seed, r.edits) for r in ahead.recipes] if ahead else []
        self.presets = drawn or available(bank)
        self.reading = Reading()
        self.pace = Pace()
