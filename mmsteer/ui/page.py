"""The page: prompt, seed, a rack of feature sliders, before and after. Built from a bank; the model may come later.

Handlers are short calls to `Steerer`; what goes wrong is told by `attempt`, never as a traceback. Each other tab is a file.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError
from mmsteer.models.sampler import Sampler
from mmsteer.steering.provenance import differences, missing
from mmsteer.steering.recipe import LARGEST_SEED, Recipe
from mmsteer.ui.api import add_api
from mmsteer.ui.badge import active, instead, legend
from mmsteer.ui.compare import compare, gauge, note, skeleton, status, views
from mmsteer.ui.explore.tab import explore
from mmsteer.ui.keep import LARGEST_FILE, history, read_file
from mmsteer.ui.loading import Loading, attempt
from mmsteer.ui.picture.tab import from_picture
from mmsteer.ui.presets import Preset, available
from mmsteer.ui.proof.tab import proofs
from mmsteer.ui.steer.live import frame, live, timed
from mmsteer.ui.steer.rack import BREAKS, ROWS, edits_of, rack, rows
from mmsteer.ui.steer.reading import Reading, coming
from mmsteer.ui.steer.words import by_words, words
from mmsteer.ui.sweep.tab import Sweeps, listen, panel
from mmsteer.ui.talk.tab import drawn, talk

if TYPE_CHECKING:
    from mmsteer.steering.steerer import Steered, Steerer

HERE = Path(__file__).parent
ACTIVE = 12  # features of a prompt that are shown


class _Page:
    """What the handlers need: the bank and the coming steerer. Holds nothing of any visitor."""

    def __init__(self, bank: FeatureBank, loading: Loading) -> None:
        self.bank, self.loading = bank, loading
        self.presets, self.reading, self.sweeps = available(bank), Reading(), Sweeps(bank, loading)

    def draw(
        self, prompt: str, seed: float | None, value: Any, sampler: Sampler | None
    ) -> Iterator[tuple[Any, Any, Any, Any]]:
        """Before and after for the rack as it stands, and the prompt's own features; then the same with what CLIP finds. On bad
        input the pictures stay and a sentence says why. Either way, frames of a moving slider are over.
        """

        def steered() -> "tuple[Steered, float | None, str]":
            if seed is None or seed != int(seed):
                raise SteerError("the seed is empty or not a whole number: type one, or roll the dice")
            edits, number = edits_of(self.bank, value), int(seed)

            def pair(steerer: "Steerer") -> "tuple[Steered, float | None, str]":
                result, seconds = timed(steerer, prompt, edits, number, sampler)
                return result, seconds, self.reading.told(steerer, result) if result.recipe.edits else ""

            return self.loading.run(pair)

        drawn, wrong = attempt(steered)
        if drawn is None:
            yield gr.skip(), wrong, gr.skip(), {"drawn": {}}
            return
        result, seconds, read = drawn
        told, finding = status(result, self.bank.faithfulness) + read, bool(result.recipe.edits) and self.reading.likely
        own = [(f, amount) for f, amount in result.features if f.telling][:ACTIVE]
        rest = {"drawn": {"seconds": seconds, "gauge": gauge(result.ood_distance)}}
        yield compare(result), told + (coming() if finding else ""), active(own), rest
        if finding:
            found, _ = attempt(lambda: self.loading.run(lambda _: self.reading.likeness(self.loading.reader(), result)))
            yield gr.skip(), told + (found or ""), gr.skip(), gr.skip()

    def preset(self, preset: Preset) -> list[Any]:
        """Prompt, seed and rack of a preset."""
        return [preset.prompt, preset.seed, rows(self.bank, preset.edits), None, ""]

    def arrive(self, request: gr.Request) -> list[Any]:
        """What a link's query asks for, as a visitor comes; nothing where there is none."""
        query = str(request.query_params)
        return self.restore(lambda: Recipe.from_query(query)) if "prompt=" in query else [gr.skip()] * 5

    def loaded(self, request: gr.Request) -> list[Any]:
        """What is known once the model is there: for the rack, whether an edit can act on a part of the run and whether vision-only
        features break pictures; and what else than this model made the recipe of the visitor's link.
        """
        steerer, _ = attempt(self.loading.wait)
        if steerer is None:
            return [gr.skip()] * 2
        query = str(request.query_params)
        notes, _ = attempt(lambda: self.notes(Recipe.from_query(query), steerer) if "prompt=" in query else "")
        backbone = steerer.backbone
        breaks = None if backbone.steers_image_only else BREAKS
        told = (note(str(breaks["told"])) if breaks else "") + (notes or "")
        return [gr.HTML(phases=backbone.family.phases, breaks=breaks), told or gr.skip()]

    def restore(self, give: "Callable[[], Recipe]", wait: bool = False) -> list[Any]:
        """Prompt, seed, rack and sampler of a recipe from outside, and what is wrong with it in words.

        Edits of features that are not here are left out, and what is nearest offered. With `wait` the words tell, too, what
        else than the loaded model made it.
        """

        def restored() -> list[Any]:
            recipe = give()
            steerer = attempt(self.loading.wait)[0] if wait else None
            edits = [edit for edit in recipe.edits if self.bank.find(edit.feature)][:ROWS]
            return [recipe.prompt, recipe.seed, rows(self.bank, edits), recipe.sampler, self.notes(recipe, steerer)]

        shown, wrong = attempt(restored)
        return shown or [*[gr.skip()] * 4, wrong]

    def notes(self, recipe: Recipe, steerer: "Steerer | None") -> str:
        """What of a recipe is not here and, of a loaded model, what else than it made the recipe, as HTML."""
        strange = missing(self.bank, recipe)
        told = [note(one) for one in differences(recipe, steerer.origin, self.bank)] if steerer else []
        told += [instead(one) for one in strange]
        if (more := len(recipe.edits) - len(strange) - ROWS) > 0:
            told.append(note(f"The rack holds {ROWS} features: the last {more} of the recipe are left out."))
        return "".join(told)


def build_demo(bank: FeatureBank, load: "Callable[[], Steerer]") -> gr.Blocks:
    """The page for a bank. `load` is called once, in a thread of its own, as the page is built."""
    page = _Page(bank, Loading(load))
    first = page.presets[0] if page.presets else Preset("", "", "a cat at night", 0, ())
    with gr.Blocks(title="mmsteer", delete_cache=(60, 600), analytics_enabled=False) as demo:
        gr.HTML(
            "<div><h1>mmsteer</h1><p>Steer pictures by features whose modality is known: seen, said, or both.</p></div>"
            + legend(),
            elem_id="mm-head",
        )
        with gr.Tabs(elem_id="mm-tabs") as tabs, gr.Tab("Steer", id="steer") as steering, gr.Row(elem_id="mm-columns"):
            with gr.Column(scale=5, min_width=320, elem_id="mm-left"):
                prompt = gr.Textbox(first.prompt, label="Prompt", lines=1, max_lines=3, elem_id="mm-prompt")
                own = gr.HTML(elem_id="mm-active")
                with gr.Row(elem_id="mm-seeds"):
                    seed = gr.Number(
                        first.seed, label="Seed", precision=0, minimum=0, maximum=LARGEST_SEED, elem_id="mm-seed",
                        min_width=110,
                    )  # fmt: skip
                    lock = gr.Checkbox(True, label="lock", info="keep the seed", elem_id="mm-lock", min_width=90)
                    dice = gr.Button("⚄ Dice", elem_id="mm-dice", min_width=90)
                    go = gr.Button("Draw", variant="primary", elem_id="mm-draw", min_width=90)
                shelf = rack(bank, first.edits)
            with gr.Column(scale=6, min_width=320, elem_id="mm-right"):
                with gr.Row(elem_id="mm-trio"):
                    pictures = gr.HTML(
                        skeleton("The model is loading; the first picture comes in a few seconds."),
                        elem_id="mm-pictures",
                    )
                    third = words()
                notice = gr.HTML(elem_id="mm-notice")
                told = gr.HTML('<div class="mm-status"></div>', elem_id="mm-told")
                moving = live()
                tour = talk(bank, page.presets)
                with gr.Row(elem_id="mm-presets"):
                    shortcuts = [
                        gr.Button(p.title, size="sm", elem_id=f"mm-preset-{k}") for k, p in enumerate(page.presets)
                    ]
                with gr.Row(elem_id="mm-under"):
                    gr.HTML(views())
                    given = gr.UploadButton(
                        "Open a PNG or JSON", file_types=[".png", ".json"], size="sm", elem_id="mm-open", min_width=150
                    )
                seen = history()
                sampler = gr.State(None)  # a recipe's own; None is the checkpoint's

        with steering:
            strip = panel()

        with tabs, gr.Tab("Explore"):
            explore(bank, page.loading)

        restored = [prompt, seed, shelf, sampler, notice]
        with tabs, gr.Tab("From a picture", id="picture") as tab:
            opened = from_picture(bank, page.loading, tab, prompt, seed, [tabs, *restored])

        with tabs, gr.Tab("Are the labels right?") as tab:
            proof = gr.HTML(elem_id="mm-labels")

        # one picture at a time, and of what waits only the newest: nothing queues up behind a slider
        shared: dict[str, Any] = {
            "concurrency_id": "draw", "concurrency_limit": 1, "trigger_mode": "always_last", "show_progress": "minimal",
            "show_progress_on": pictures, "api_visibility": "private",
        }  # fmt: skip
        drawing: dict[str, Any] = {
            "fn": page.draw,
            "api_name": "pair",
            "inputs": [prompt, seed, shelf, sampler],
            "outputs": [pictures, told, own, moving],
            **shared,
        }
        quiet: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}

        def next_seed(seed: float | None, keep: bool) -> Any:
            return gr.skip() if keep and seed is not None else random.randint(0, LARGEST_SEED)

        tab.select(lambda: proofs(), None, proof, **quiet)  # half a megabyte, for who asks
        opened.then(**drawing)
        demo.load(page.arrive, None, restored, **quiet).then(**drawing).then(
            page.loaded, None, [shelf, notice], **quiet
        )
        seen.restore(
            lambda query: page.restore(lambda: Recipe.from_query(query), wait=True), seen, restored, **quiet
        ).then(**drawing)
        given.upload(lambda path: page.restore(lambda: read_file(path), wait=True), given, restored, **quiet).then(
            **drawing
        )
        gr.on([go.click, prompt.submit], next_seed, [seed, lock], seed, **quiet).then(**drawing)
        dice.click(lambda: random.randint(0, LARGEST_SEED), None, seed, **quiet).then(**drawing)
        seed.submit(**drawing)
        shelf.release(**drawing)
        moving.ask(
            lambda asked: frame(bank, page.loading, asked),
            moving,
            moving,
            api_name="frame",
            **{**shared, "show_progress": "hidden"},
        )
        tour.ask(
            lambda step: drawn(page.loading, page.presets, step), tour, tour, **{**shared, "trigger_mode": "multiple"}
        )
        third.ask(
            lambda asked: by_words(bank, page.loading, page.reading, asked),
            third,
            third,
            **{**shared, "trigger_mode": "multiple"},
        )
        listen(strip, page.sweeps, [prompt, seed, shelf, sampler])
        strip.pick(page.sweeps.pick, strip, seed, **quiet).then(**drawing)
        for k, shortcut in enumerate(shortcuts):
            shortcut.click(lambda k=k: page.preset(page.presets[k]), None, restored, **quiet).then(**drawing)
        add_api(bank, page.loading)
    return demo


def launch_settings() -> dict[str, Any]:
    """What `launch` needs for this page: looks, and no more of a visitor kept than one call takes."""
    return {
        "css": "\n".join(path.read_text(encoding="utf-8") for path in sorted(HERE.rglob("*.css"), key=lambda path: path.name)),
        "head": (HERE / "page.html").read_text(),
        "theme": gr.themes.Base(
            primary_hue="teal", neutral_hue="gray", radius_size="lg", font=["system-ui", "sans-serif"],
            font_mono=["ui-monospace", "monospace"],
        ),
        "run_history": False,
        "ssr_mode": False,  # a Space asks for it, and it would keep a page waiting whose model is still loading
        "max_file_size": LARGEST_FILE,
        "show_error": False,
        "footer_links": [],
    }  # fmt: skip
