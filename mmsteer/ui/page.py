"""The page: prompt, seed, a rack of feature sliders, before and after. Built from a bank; the model may come later.

Handlers are short calls to `Steerer`. Every message a visitor sees is made in `_Page.draw`, and none is a traceback.
"""

import logging
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.bank import MODALITIES, Feature, FeatureBank
from mmsteer.edit import Edit
from mmsteer.errors import SteerError
from mmsteer.recipe import LARGEST_SEED
from mmsteer.ui.badge import SHAPES, legend, row_title
from mmsteer.ui.compare import compare, problem, skeleton, status
from mmsteer.ui.presets import Preset, available
from mmsteer.ui.proof import proofs

if TYPE_CHECKING:
    from mmsteer.steer import Steerer

HERE = Path(__file__).parent
ROWS = 8  # of the rack: a fixed pool, since gradio 6 forgets the values of rows that come and go
CHIPS = 18  # features offered by a search
_LOG = logging.getLogger(__name__)


class Loading:
    """The steerer, loaded in the background; whoever needs it waits for it."""

    def __init__(self, load: "Callable[[], Steerer]") -> None:
        self._load = load
        self._result: Steerer | None = None
        self._error: SteerError | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._result = self._load()
        except SteerError as error:
            self._error = error
        except Exception:
            _LOG.exception("loading failed")
            self._error = SteerError("The model could not be loaded; the server's log says why.")
        finally:
            self._done.set()

    def wait(self) -> "Steerer":
        """The steerer; SteerError if it could not be loaded."""
        self._done.wait()
        if self._result is None:
            assert self._error is not None
            raise self._error
        return self._result


class _Page:
    """What the handlers need: the bank and the coming steerer. Holds nothing of any visitor."""

    def __init__(self, bank: FeatureBank, loading: Loading) -> None:
        self.bank, self.loading = bank, loading
        self.presets = available(bank)

    def draw(self, prompt: str, seed: float | None, rack: list[int], *strengths: float) -> tuple[Any, str]:
        """Before and after for the rack as it stands; on bad input the pictures stay and a sentence says why."""
        try:
            if seed is None or seed != int(seed):
                raise SteerError("the seed is empty or not a whole number: type one, or roll the dice")
            edits = [_edit(self.bank.get(f), s) for f, s in zip(rack, strengths, strict=False) if s]
            result = self.loading.wait().steer(prompt, edits, int(seed))
        except SteerError as error:
            return gr.skip(), problem(str(error))
        except Exception:
            _LOG.exception("drawing failed")
            return gr.skip(), problem(
                "Something went wrong while drawing; the server's log says what. Please try again."
            )
        return compare(result), status(result, self.bank.faithfulness)

    def found(self, text: str, modality: str, rack: list[int]) -> list[Any]:
        """The ids that a search finds, then one update for each chip."""
        wanted = None if modality == "all" else modality
        features = [f for f in self.bank.search(text, wanted) if f.named_by and f.id not in rack]
        if wanted is None and not text:
            features = _mixed(features)
        shown = features[:CHIPS]
        chips = [gr.update(value=f"{SHAPES[f.modality]} {f.name}", visible=True) for f in shown]
        return [[f.id for f in shown], *chips, *[gr.update(visible=False)] * (CHIPS - len(shown))]

    def rows(self, rack: list[int], strengths: list[float]) -> list[Any]:
        """Updates for the pool of rows, three a row, then for the line that shows while it is empty."""
        updates: list[Any] = []
        for k in range(ROWS):
            if k < len(rack):
                feature = self.bank.get(rack[k])
                low, high = feature.usable
                slider = gr.update(value=strengths[k], minimum=low, maximum=high, label=f"strength of {feature.name}")
                updates += [gr.update(visible=True), row_title(feature), slider]
            else:
                updates += [gr.update(visible=False), "", gr.update(value=0)]
        return [*updates, gr.update(visible=not rack)]

    def add(self, chip: int, ids: list[int], rack: list[int], *strengths: float) -> list[Any]:
        """Put the feature of a chip into the rack, at one unit."""
        if chip >= len(ids) or ids[chip] in rack or len(rack) >= ROWS:
            return [rack, *self.rows(rack, list(strengths))]
        rack, values = [*rack, ids[chip]], [*strengths[: len(rack)], 1.0]
        return [rack, *self.rows(rack, values)]

    def take_out(self, row: int, rack: list[int], *strengths: float) -> list[Any]:
        """Take a row out of the rack."""
        values = [s for k, s in enumerate(strengths) if k != row]
        rack = [f for k, f in enumerate(rack) if k != row]
        return [rack, *self.rows(rack, values)]

    def preset(self, preset: Preset) -> list[Any]:
        """Prompt, seed and rack of a preset."""
        rack = [self.bank.get(name).id for name, _ in preset.edits]
        return [preset.prompt, preset.seed, rack, *self.rows(rack, [s for _, s in preset.edits])]


def _edit(feature: Feature, strength: float) -> Edit:
    """Right of zero adds the feature, left of zero takes out what the prompt has of it."""
    return Edit(feature.id, "add" if strength > 0 else "remove", abs(strength))


def _mixed(features: list[Feature]) -> list[Feature]:
    """A first look at a bank: some of each modality in turn."""
    by_modality = [[f for f in features if f.modality == m] for m in ("vision", "cross", "language")]
    return [group[k] for k in range(max(map(len, by_modality), default=0)) for group in by_modality if k < len(group)]


def build_demo(bank: FeatureBank, load: "Callable[[], Steerer]") -> gr.Blocks:
    """The page for a bank. `load` is called once, in a thread of its own, as the page is built."""
    page = _Page(bank, Loading(load))
    first = page.presets[0] if page.presets else Preset("", "", "a cat at night", 0, ())
    with gr.Blocks(title="mmsteer", delete_cache=(3600, 3600), analytics_enabled=False) as demo:
        gr.HTML(
            "<div><h1>mmsteer</h1><p>Steer pictures by features whose modality is known: seen, said, or both.</p></div>"
            + legend(),
            elem_id="mm-head",
        )
        with gr.Tabs(elem_id="mm-tabs") as tabs, gr.Tab("Steer"), gr.Row(elem_id="mm-columns"):
            with gr.Column(scale=5, min_width=320, elem_id="mm-left"):
                prompt = gr.Textbox(first.prompt, label="Prompt", lines=1, max_lines=3, elem_id="mm-prompt")
                with gr.Row(elem_id="mm-seeds"):
                    seed = gr.Number(
                        first.seed,
                        label="Seed",
                        precision=0,
                        minimum=0,
                        maximum=LARGEST_SEED,
                        elem_id="mm-seed",
                        min_width=110,
                    )
                    lock = gr.Checkbox(True, label="lock", info="keep the seed", elem_id="mm-lock", min_width=90)
                    dice = gr.Button("⚄ Dice", elem_id="mm-dice", min_width=90)
                    go = gr.Button("Draw", variant="primary", elem_id="mm-draw", min_width=90)
                rack = gr.State([page.bank.get(name).id for name, _ in first.edits])
                initial = page.rows(rack.value, [s for _, s in first.edits])
                empty = gr.HTML('<p class="mm-empty">No feature yet: pick one below.</p>', visible=not rack.value)
                rows, titles, sliders, outs = [], [], [], []
                for k in range(ROWS):
                    used = k < len(rack.value)
                    low, high = page.bank.get(rack.value[k]).usable if used else (-2.0, 2.0)
                    with gr.Column(visible=used, elem_classes="mm-row", elem_id=f"mm-row-{k}") as row:
                        titles.append(gr.HTML(initial[3 * k + 1]))
                        with gr.Row():
                            sliders.append(
                                gr.Slider(
                                    low, high, value=first.edits[k][1] if used else 0, step=0.05, scale=8, show_label=False,
                                    label=f"strength of {first.edits[k][0]}" if used else "strength",
                                    elem_id=f"mm-slider-{k}", buttons=[],
                                )
                            )  # fmt: skip
                            outs.append(gr.Button("✕", size="sm", scale=0, min_width=36, elem_id=f"mm-out-{k}"))
                    rows.append(row)
                reset = gr.Button("Reset all sliders to zero", size="sm", elem_id="mm-reset")
                search = gr.Textbox(
                    label="Find a feature", placeholder="penguin, night, light, please …", elem_id="mm-search"
                )
                modality = gr.Radio(
                    ["all", *MODALITIES], value="all", show_label=False, label="Modality", elem_id="mm-modality"
                )
                ids = gr.State([])
                with gr.Row(elem_id="mm-found"):
                    start = page.found("", "all", rack.value)
                    ids.value = start[0]
                    chips = [
                        gr.Button(u.get("value", ""), visible=u["visible"], size="sm", elem_id=f"mm-chip-{k}")
                        for k, u in enumerate(start[1:])
                    ]
            with gr.Column(scale=6, min_width=320, elem_id="mm-right"):
                pictures = gr.HTML(
                    skeleton("The model is loading; the first picture comes in a few seconds."), elem_id="mm-pictures"
                )
                told = gr.HTML('<div class="mm-status"></div>', elem_id="mm-told")
                gr.HTML('<p class="mm-try">Try one of these</p>')
                with gr.Row(elem_id="mm-presets"):
                    shortcuts = [
                        gr.Button(p.title, size="sm", elem_id=f"mm-preset-{k}") for k, p in enumerate(page.presets)
                    ]

        with tabs, gr.Tab("Are the labels right?") as tab:
            proof = gr.HTML(elem_id="mm-labels")

        inputs, outputs = [prompt, seed, rack, *sliders], [pictures, told]
        pool = [x for row in zip(rows, titles, sliders, strict=True) for x in row] + [empty]
        # one picture at a time, and of what waits only the newest: nothing queues up behind a slider
        drawing: dict[str, Any] = {
            "fn": page.draw, "inputs": inputs, "outputs": outputs, "concurrency_id": "draw", "concurrency_limit": 1,
            "trigger_mode": "always_last", "show_progress": "hidden", "api_visibility": "private",
        }  # fmt: skip
        quiet: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}

        def next_seed(seed: float | None, keep: bool) -> Any:
            return gr.skip() if keep and seed is not None else random.randint(0, LARGEST_SEED)

        tab.select(lambda: proofs(), None, proof, **quiet)  # half a megabyte, for who asks
        demo.load(**drawing)
        gr.on([go.click, prompt.submit], next_seed, [seed, lock], seed, **quiet).then(**drawing)
        dice.click(lambda: random.randint(0, LARGEST_SEED), None, seed, **quiet).then(**drawing)
        seed.submit(**drawing)
        for k, slider in enumerate(sliders):
            slider.release(**drawing)
            outs[k].click(
                lambda rack, *s, k=k: page.take_out(k, rack, *s), [rack, *sliders], [rack, *pool], **quiet
            ).then(**drawing)
        reset.click(lambda: [0] * ROWS, None, sliders, **quiet).then(**drawing)
        for k, chip in enumerate(chips):
            chip.click(
                lambda ids, rack, *s, k=k: page.add(k, ids, rack, *s), [ids, rack, *sliders], [rack, *pool], **quiet
            ).then(**drawing)
        for k, shortcut in enumerate(shortcuts):
            shortcut.click(lambda k=k: page.preset(page.presets[k]), None, [prompt, seed, rack, *pool], **quiet).then(
                **drawing
            )
        for changed in (search.change, modality.change, rack.change):
            changed(page.found, [search, modality, rack], [ids, *chips], trigger_mode="always_last", **quiet)
    return demo


def launch_settings() -> dict[str, Any]:
    """What `launch` needs for this page: looks, and no more of a visitor kept than one call takes."""
    return {
        "css": (HERE / "page.css").read_text(),
        "head": (HERE / "page.html").read_text(),
        "theme": gr.themes.Base(
            primary_hue="teal", neutral_hue="gray", radius_size="lg", font=["system-ui", "sans-serif"],
            font_mono=["ui-monospace", "monospace"],
        ),
        "run_history": False,
        "max_file_size": "1mb",
        "show_error": False,
        "footer_links": [],
    }  # fmt: skip
