"""The tab "Explore": every feature in a list, a histogram and a map, and one of them on a card. Questions come from a browser.

What is seen, and how, is `explore.js`; what it may ask of the server is here. Nothing of any visitor is kept.
"""

import base64
import statistics
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from mmsteer.bank import Feature, FeatureBank
from mmsteer.bank.mds import LANGUAGE_BELOW, VISION_ABOVE
from mmsteer.errors import SteerError
from mmsteer.ui.badge import MEANINGS, SHAPES
from mmsteer.ui.explore.effect import PROMPT, SEEDS, STRENGTHS, Effects
from mmsteer.ui.loading import Loading, told
from mmsteer.ui.steer.rack import catalogue

HERE = Path(__file__).parent
SHOWN = 24  # results a list shows at once
NEIGHBOURS = 6


def explore(bank: FeatureBank, loading: Loading) -> None:
    """Fill the tab."""
    effects = Effects()
    # it asks with its value, and is answered through another: what waits in the queue must still say what it asks for
    asking = gr.HTML(
        {}, html_template='<div class="mm-explore"></div>', elem_id="mm-explore", apply_default_css=False,
        js_on_load=(HERE / "explore.js").read_text(encoding="utf-8"),
        server_functions=questions(bank, loading, effects), shapes=SHAPES, meanings=MEANINGS, most=SHOWN, rules=rules(bank),
        effect={"prompt": PROMPT, "seeds": SEEDS, "strengths": STRENGTHS},
    )  # fmt: skip
    drawn = gr.HTML(
        {}, html_template="", elem_id="mm-drawn", apply_default_css=False,
        js_on_load="watch('value', () => window.dispatchEvent(new CustomEvent('mm-drawn', { detail: props.value })));",
    )  # fmt: skip

    def draw(value: Any) -> Iterator[dict[str, Any]]:
        """The effect of the feature asked for, column by column."""
        feature, wrong = told(lambda: asked(bank, value.get("draw") if isinstance(value, dict) else None))
        if feature is None:
            return
        steerer, wrong = told(loading.wait)
        columns = iter(()) if steerer is None else effects.draw(steerer, feature)
        while not wrong:
            more, wrong = told(lambda: loading.run(lambda _: next(columns, None)))
            if more is None:
                break
            yield {"id": feature.id, "columns": [column._asdict() for column in more]}
        if wrong:
            yield {"id": feature.id, "wrong": wrong}

    asking.draw(
        draw, asking, drawn, concurrency_id="draw", concurrency_limit=1, trigger_mode="always_last", show_progress="hidden",
        api_visibility="private",
    )  # fmt: skip


def rules(bank: FeatureBank) -> dict[str, list[float]]:
    """Where both rules cut the score: the absolute one, and the paper's mean minus and plus a standard deviation."""
    scores = [f.mds for f in bank.features]
    middle, spread = statistics.fmean(scores or [0.5]), statistics.pstdev(scores or [0.5])
    return {"absolute": [LANGUAGE_BELOW, VISION_ABOVE], "paper": [middle - spread, middle + spread]}


def asked(bank: FeatureBank, number: Any) -> Feature:
    """The feature a browser asks for by number."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise SteerError("a feature is asked for by its number: load the page again")
    return bank.get(number)


def questions(bank: FeatureBank, loading: Loading, effects: Effects) -> list[Callable[[Any], Any]]:
    """What the browser may ask: functions of one value that it made up, and that answer `{wrong: sentence}` to a bad one."""

    @cache
    def spots() -> list[list[float]]:
        from mmsteer.bank.feature_map import places

        return [[round(x, 4), round(y, 4)] for x, y in places(bank.directions).tolist()]

    def features(_: Any) -> Any:
        """What there is, once, as the tab is first opened."""
        more = (
            {
                "low": f.mds_low, "high": f.mds_high, "both": f.mds_both, "pairs": f.n_pairs, "paper": f.modality_paper,
                "cofiring": f.cofiring, "pBoth": f.p_both, "rateImage": f.rate_image, "rateText": f.rate_text,
                "rate": f.rate_image if f.image_only else f.rate_text, "foundIn": f.found_in,
            }
            for f in bank.features
        )  # fmt: skip
        return [known | own for known, own in zip(catalogue(bank), more, strict=True)]

    def layout(_: Any) -> Any:
        """Places of features on the map, in the order of `features`."""
        return _answer(spots)

    def sheets(numbers: Any) -> Any:
        """Example sheets of some features as data addresses, by number; null for a feature that has none."""

        def read() -> dict[str, str | None]:
            if not isinstance(numbers, list) or len(numbers) > SHOWN:
                raise SteerError(f"ask for the pictures of at most {SHOWN} features, as a list of numbers")
            return {str(f.id): _sheet(bank, f) for f in (asked(bank, number) for number in numbers)}

        return _answer(read)

    def card(number: Any) -> Any:
        """What only the card of a feature shows."""

        def read() -> dict[str, Any]:
            from mmsteer.bank.search import nearest

            feature = asked(bank, number)
            row = bank.features.index(feature)
            near = nearest(bank.directions, bank.directions[row], NEIGHBOURS + 1)
            return {
                "captions": feature.top_captions,
                "neighbours": [[bank.features[k].id, round(cosine, 3)] for k, cosine in near if k != row][:NEIGHBOURS],
                "rivals": feature.mutually_exclusive,
                "columns": [column._asdict() for column in effects.kept(feature)],
            }

        return _answer(read)

    def meaning(text: Any) -> Any:
        """Features nearest in meaning, as pairs of number and cosine; waits for the model."""
        return _answer(lambda: [[f.id, round(c, 3)] for f, c in loading.wait().search(text, count=SHOWN * 2)])

    return [features, layout, sheets, card, meaning]


def _answer(give: Callable[[], Any]) -> Any:
    """What `give` returns, or what is wrong in one sentence."""
    given, wrong = told(give)
    return {"wrong": wrong} if wrong else given


def _sheet(bank: FeatureBank, feature: Feature) -> str | None:
    """The example sheet of a feature as a data address; None in banks without."""
    path = bank.folder / "examples" / f"{feature.id}.webp" if bank.folder else None
    if path is None or not path.is_file():
        return None
    return "data:image/webp;base64," + base64.b64encode(path.read_bytes()).decode()
