"""Who is a doctor? Twelve pictures of an occupation from fixed seeds, with the features of a class removed or pulled; who is in them.

Which edits these are, and the planted bias, come from `mmsteer.studies.bias.pictures`; what pictures show, from the backbone's judge.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.bank import Feature
from mmsteer.errors import SteerError
from mmsteer.pixels import to_picture
from mmsteer.recipes.data_url import recipe_url, thumbnail_url
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Recipe
from mmsteer.steering.cache import Cache
from mmsteer.steering.zero_gpu import ZeroGPUSteerer
from mmsteer.studies.results.grammar import with_articles
from mmsteer.ui.shared.badge import score_tooltip
from mmsteer.ui.shared.loading import attempt
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.uses.payloads import PICTURES, Dozen, dozen_question, save_question

if TYPE_CHECKING:
    from mmsteer.steering.steerer import Steerer
    from mmsteer.studies.bias.pictures import GenderEdits

SEEDS = tuple(range(PICTURES))
MISSING = (
    "Nothing here can count men and women in pictures: start the page with its embedded backbone, which has a judge "
    "(python app.py)."
)
UNSEEN = {
    "remove": "No prompt contains vision-only features: removing them pushes them the other way. ",
    "set": "No prompt contains vision-only features: there is nothing to pull. ",
}
_CACHED = 96  # dozens: about 60 kB each
_SIDE = 128  # pixels of a picture among twelve; the file that is saved has its full size
_GENDER, _THING = "gender", "thing"


class Seen(NamedTuple):
    """A dozen as it is shown."""

    pictures: list[str]
    """Data URLs."""
    readings: list[dict[str, str]]
    """What the judge reads in each, factor by factor."""


class Occupations:
    """Answers to the first part's questions. Dozens are cached for all visitors: they depend on nothing of any of them."""

    def __init__(self, page: PageState) -> None:
        self.bank, self.loading, self.reading = page.bank, page.loading, page.reading
        self._cache: Cache[tuple[str, tuple[Edit, ...]], Seen] = Cache(_CACHED)
        self._edits: GenderEdits | None = None

    def open(self) -> dict[str, Any]:
        """What the browser learns when the tab is first selected.

        Returns:
            `{opened: {live}}`: whether pictures may follow a slider that moves; or `{error}`, which says what is missing.
        """

        def opened() -> dict[str, Any]:
            if not self.loading.run(self.reading.has_judge):
                raise SteerError(MISSING)
            # on ZeroGPU, frames would use up a visitor's share of the day
            return {"live": not isinstance(self.loading.wait(), ZeroGPUSteerer)}

        answer, error = attempt(opened)
        return {"error": error} if error else {"opened": answer}

    def draw(self, value: Any) -> dict[str, Any]:
        """The answer to a `DozenQuestion`.

        Returns:
            `{number, drawn: {pictures, people, men, low, high, planted, changed, features}}`, or `{number, error}`.
        """

        def drawn() -> dict[str, Any]:
            dozen = dozen_question(value).dozen
            return self.loading.run(lambda steerer: self._drawn(steerer, dozen))

        answer, error = attempt(drawn)
        number = value.get("number") if isinstance(value, dict) else None
        return {"number": number if type(number) is int else 0, **({"error": error} if error else {"drawn": answer})}

    def save(self, value: Any) -> dict[str, Any]:
        """One picture with its recipe, as the file that a `SaveQuestion` asks for: `{file: {name, data}}` or `{error}`."""

        def saved() -> dict[str, str]:
            question = save_question(value)

            def picture(steerer: "Steerer") -> str:
                edits = self._edits_of(steerer, question.dozen)
                prompt, seed = _prompt(question.dozen), SEEDS[question.save]
                recipe = Recipe(prompt, seed, steerer.sampler, edits, steerer.origin)
                return recipe_url(steerer.picture(recipe), recipe)

            return {
                "name": f"{question.dozen.occupation}-{question.save + 1}.png",
                "data": self.loading.run(picture),
            }

        answer, error = attempt(saved)
        return {"error": error} if error else {"file": answer}

    def _drawn(self, steerer: "Steerer", dozen: Dozen) -> dict[str, Any]:
        from mmsteer.studies.bias.pictures import planted_share
        from mmsteer.studies.measures.shares import share

        edits = self._edits_of(steerer, dozen)
        seen = self._dozen(steerer, dozen, edits)
        people = [reading[_GENDER] for reading in seen.readings if reading[_GENDER] in ("man", "woman")]
        men = share(people.count("man"), len(people))
        return {
            "pictures": [
                {"src": picture, "alt": _alternative(dozen, edits, k, reading)}
                for k, (picture, reading) in enumerate(zip(seen.pictures, seen.readings, strict=True))
            ],
            "people": len(people), "men": people.count("man"),
            "low": men.low if people else 0.0, "high": men.high if people else 1.0,
            "planted": planted_share(dozen.occupation),
            "changed": (UNSEEN[dozen.way] if dozen.modality == "vision" else "")
            + _changed(dozen.occupation, self._dozen(steerer, dozen, ()).readings, seen.readings) if edits else "",
            "features": _features([self.bank.get(edit.feature) for edit in edits]),
        }  # fmt: skip

    def _dozen(self, steerer: "Steerer", dozen: Dozen, edits: tuple[Edit, ...]) -> Seen:
        """The pictures of a dozen with some edits, drawn in one batch where they are not cached."""
        from mmsteer.studies.bias.pictures import draw

        key = _prompt(dozen), edits
        if (seen := self._cache.get(key)) is None:
            pixels = draw(steerer, [key[0]] * PICTURES, SEEDS, edits)
            pictures = [to_picture(one) for one in pixels]
            readings = self.reading.read(steerer, pictures)
            if readings is None:
                raise SteerError(MISSING)
            seen = Seen([thumbnail_url(one, _SIDE, "WEBP", quality=88) for one in pictures], readings)
            self._cache.put(key, seen)
        return seen

    def _edits_of(self, steerer: "Steerer", dozen: Dozen) -> tuple[Edit, ...]:
        from mmsteer.studies.bias.pictures import GenderEdits, part_of_the_way

        if not dozen.strength:
            return ()
        if self._edits is None:
            self._edits = GenderEdits(steerer)
        if dozen.way == "remove":
            return self._edits.of(dozen.modality, dozen.strength)
        return part_of_the_way(steerer, _prompt(dozen), self._edits.of(dozen.modality, 1.0, "set"), dozen.strength)


def _prompt(dozen: Dozen) -> str:
    from mmsteer.studies.bias.pictures import prompt_for

    return prompt_for(dozen.occupation)


def _alternative(dozen: Dozen, edits: Sequence[Edit], number: int, reading: dict[str, str]) -> str:
    """The alternative text of one picture: what it was drawn from, and what the judge reads in it."""
    how = "without edits" if not edits else f"{dozen.modality} features, strength {dozen.strength:g}"
    who = reading[_GENDER] if reading[_GENDER] != "nobody" else "nobody"
    return f"{_prompt(dozen)}, picture {number + 1}, {how}: the judge reads {reading[_THING]}, {who}"


def _changed(occupation: str, before: list[dict[str, str]], after: list[dict[str, str]]) -> str:
    """What else than gender the judge reads differently, in one sentence."""
    others = [name for name in before[0] if name != _GENDER]
    changes = Counter(
        name for first, second in zip(before, after, strict=True) for name in others if first[name] != second[name]
    )
    shown = sum(reading[_THING] == occupation for reading in after)
    which = f": {', '.join(f'{name} {count}' for name, count in changes.most_common(4))}" if changes else ""
    share = changes.total() / (len(others) * len(before))
    return with_articles(
        f"What else changed (leak): {share:.0%} of everything else that the judge reads{which}. "
        f"{shown} of {len(after)} pictures still show a {occupation}."
    )


def _features(features: Sequence[Feature]) -> list[dict[str, Any]]:
    """Features as the browser shows them."""
    return [
        {"id": f.id, "name": f.name, "modality": f.modality, "scoreTooltip": score_tooltip(f)} for f in features
    ]  # fmt: skip
