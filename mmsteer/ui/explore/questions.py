"""The questions of the tab "Explore": methods of one class, each of one value that the browser sends.

Each answers with plain JSON; a bad question gets `{"error": sentence}`. Nothing of any visitor is stored.
"""

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Annotated, Any

from pydantic import Field, StrictInt, TypeAdapter

from mmsteer.bank import Feature, FeatureBank
from mmsteer.recipes.data_url import data_url
from mmsteer.ui.explore.effect import Effects
from mmsteer.ui.shared.loading import Loading, attempt
from mmsteer.ui.shared.payload import Payload, read
from mmsteer.ui.steer.rack import catalogue

SHOWN = 24  # results that a list shows at once
NEIGHBOURS = 6

_NUMBER = TypeAdapter(StrictInt)
_NUMBERS: TypeAdapter[list[int]] = TypeAdapter(Annotated[list[StrictInt], Field(max_length=SHOWN)])


class DrawQuestion(Payload):
    """The feature whose effect is to be drawn."""

    draw: int


_DRAW = TypeAdapter(DrawQuestion)


def feature_to_draw(bank: FeatureBank, value: Any) -> Feature:
    """The feature of a `DrawQuestion`; SteerError if there is none."""
    return bank.get(read(_DRAW, value, "the feature to draw").draw)


class Questions:
    """Answers to the browser's questions, for one page."""

    def __init__(self, bank: FeatureBank, loading: Loading, effects: Effects) -> None:
        self.bank, self.loading, self.effects = bank, loading, effects

    @property
    def all(self) -> list[Callable[[Any], Any]]:
        """As gradio takes them: the browser calls each by its name."""
        return [_function(m) for m in (self.features, self.layout, self.sheets, self.card, self.meaning)]

    def features(self, _: Any) -> Any:
        """All features. Asked for once, when the tab is first opened."""
        more = (
            {
                "low": f.mds_low, "high": f.mds_high, "both": f.mds_both, "pairs": f.n_pairs, "paper": f.modality_paper,
                "cofiring": f.cofiring, "pBoth": f.p_both, "rateImage": f.rate_image, "rateText": f.rate_text,
                "rate": f.rate_image if f.image_only else f.rate_text, "foundIn": f.found_in,
            }
            for f in self.bank.features
        )  # fmt: skip
        return [in_rack | on_card for in_rack, on_card in zip(catalogue(self.bank), more, strict=True)]

    def layout(self, _: Any) -> Any:
        """Places of the features on the map, `[[x, y]]` from 0 to 1, in the order of `features`."""
        return _answer(lambda: self._places)

    def sheets(self, numbers: Any) -> Any:
        """Example sheets as data URLs by feature number, of at most `SHOWN` features; null for a feature without one."""

        def sheets() -> dict[str, str | None]:
            wanted = [self.bank.get(number) for number in read(_NUMBERS, numbers, "the list of features")]
            return {str(feature.id): _sheet(self.bank, feature) for feature in wanted}

        return _answer(sheets)

    def card(self, number: Any) -> Any:
        """What only the card of a feature shows."""

        def card() -> dict[str, Any]:
            from mmsteer.bank.search import nearest

            bank = self.bank
            feature = bank.get(read(_NUMBER, number, "the number of the feature"))
            row = bank.features.index(feature)
            near = nearest(bank.directions, bank.directions[row], NEIGHBOURS + 1)
            return {
                "captions": feature.top_captions, "pictureActivations": feature.picture_activations,
                "captionActivations": feature.caption_activations,
                "neighbours": [[bank.features[k].id, round(cosine, 3)] for k, cosine in near if k != row][:NEIGHBOURS],
                "mutuallyExclusive": feature.mutually_exclusive,
                "columns": [column._asdict() for column in self.effects.cached(feature)],
            }  # fmt: skip

        return _answer(card)

    def meaning(self, text: Any) -> Any:
        """The features nearest in meaning to some words, as pairs of number and cosine. Waits for the model."""
        return _answer(lambda: [[f.id, c] for f, c in self.loading.wait().search(text, count=SHOWN * 2)])

    @cached_property
    def _places(self) -> list[list[float]]:
        from mmsteer.bank.feature_map import places

        return [[round(x, 4), round(y, 4)] for x, y in places(self.bank.directions).tolist()]


def _function(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A method as a function: gradio sets an attribute on it, which bound methods do not allow."""

    @wraps(method)
    def function(value: Any) -> Any:
        return method(value)

    return function


def _answer(do: Callable[[], Any]) -> Any:
    """What `do` returns, or `{"error": sentence}`."""
    answer, error = attempt(do)
    return {"error": error} if error else answer


def _sheet(bank: FeatureBank, feature: Feature) -> str | None:
    """The example sheet of a feature as a data URL; None if the bank has none."""
    path = bank.folder / "examples" / f"{feature.id}.webp" if bank.folder else None
    if path is None or not path.is_file():
        return None
    return data_url(path.read_bytes(), "image/webp")
