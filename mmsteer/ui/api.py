"""The page's endpoints for other programs: gradio_client, HTTP and MCP tools. Their documentation is made from types and docstrings.

Whatever comes in is checked by the function that it is passed to; errors are one sentence.
"""

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from mmsteer.bank import MODALITIES, Feature
from mmsteer.errors import SteerError
from mmsteer.models.sampler import Sampler
from mmsteer.pictures.kept import kept
from mmsteer.recipes import sweep
from mmsteer.recipes.direction import check_name, is_direction
from mmsteer.recipes.edit import Edit, parse_edits
from mmsteer.recipes.formats.png import read_file
from mmsteer.recipes.recipe import Origin, Recipe
from mmsteer.recipes.region import Region
from mmsteer.recipes.start import FREEDOM, Start, check_freedom
from mmsteer.recipes.sweep_files import save_sheet
from mmsteer.ui.calls import answer as _answer
from mmsteer.ui.calls import decoded as _decoded
from mmsteer.ui.calls import uploaded as _uploaded
from mmsteer.ui.from_pictures.endpoint import SliderApi
from mmsteer.ui.shared.events import DRAW, READ
from mmsteer.ui.shared.page_state import PageState

if TYPE_CHECKING:
    from PIL import Image

MOST_FOUND = 100  # features
_ANY, _NOBODY = Sampler(), Origin()


class Api:
    """The endpoints. Nothing of any caller is stored."""

    def __init__(self, page: PageState) -> None:
        self.bank, self.known, self.loading = page.bank, page.known, page.loading

    def asked(
        self,
        prompt: str,
        edits: Any = None,
        seed: int = 0,
        steps: Any = None,
        guidance: Any = None,
        negative_prompt: str = "",
        adapter_scale: float = 1.0,
        picture: Any = None,
        picture_share: float = 1.0,
        region: str = "",
        start: Any = None,
        freedom: float = FREEDOM,
        *,
        default: Sampler = _ANY,
    ) -> Recipe:
        """What `steer` is to draw, but for pictures; SteerError for what can be refused before it waits for its turn."""
        sampler = Sampler(
            default.steps if steps is None else steps,
            default.guidance if guidance is None else guidance,
            adapter_scale=adapter_scale,
        )
        where = Region.parse(region) if region else None
        if start is not None:
            check_freedom(freedom)
        recipe = Recipe(prompt, seed, sampler, tuple(_edits(edits)), negative_prompt=negative_prompt, region=where)
        for edit in recipe.edits:
            check_name(self.bank, edit.feature)
        return recipe

    def strip(
        self,
        prompt: str,
        feature: str,
        seed: int = 0,
        frames: int = sweep.FRAMES,
        sampler: Sampler = _ANY,
        origin: Origin = _NOBODY,
    ) -> sweep.Sweep:
        """What `sweep` is to draw; SteerError as in `asked`."""
        (edit,) = _edits([feature])
        return sweep.over(self.known, Recipe(prompt, seed, sampler, (), origin), edit, frames)

    def check_strip(self, prompt: str, feature: str, seed: int = 0, frames: int = sweep.FRAMES) -> None:
        """SteerError for a sweep that can be refused before it waits for its turn; of a direction only its name is looked at."""
        (edit,) = _edits([feature])
        check_name(self.bank, edit.feature)
        if not is_direction(edit.feature):
            self.strip(prompt, feature, seed, frames)

    def steer(
        self,
        prompt: str,
        edits: list[str] | None = None,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        negative_prompt: str = "",
        adapter_scale: float = 1.0,
        picture: gr.FileData | None = None,
        picture_share: float = 1.0,
        region: str = "",
        start: gr.FileData | None = None,
        freedom: float = FREEDOM,
    ) -> tuple[gr.FileData, gr.FileData, dict[str, Any]]:
        """Draw a prompt twice from the same noise: before, as it is, and after, with features added, set or removed.

        Args:
            prompt: what to draw, for example "a cat in a meadow"; at most 2,000 characters
            edits: each FEATURE[:add|set|remove][:STRENGTH][@WORD,WORD][[START-END]], for example "warm light:1.0" or "night:remove"; a strength of 1 is as strong as the feature normally gets; FEATURE may be a direction of words, "summer -> winter" or "-> winter"
            seed: the seed of the noise, a whole number from 0
            steps: sampling steps, 1 to 50; by default what the model suggests
            guidance: classifier-free guidance, 0 to 20; by default what the model suggests
            negative_prompt: what guidance steers away from, in both pictures; at most 2,000 characters
            adapter_scale: how strongly the model's image adapter acts, 0 to 1.5, if it has one
            picture: a PNG, JPEG or WebP file whose image embedding takes the place of the prompt's in after, if the model reads one
            picture_share: how far it does, from 0, not at all, to 1, wholly
            region: where the edits act, as a box LEFT,TOP,RIGHT,BOTTOM in fractions of the picture, for example "0.5,0,1,1" for its right half, or as the grid of a recipe; by default everywhere
            start: a PNG, JPEG or WebP file, your own picture to edit: before and after are drawn from it, not from noise alone; say in the prompt what it shows
            freedom: how far they may go from it, from 0.05, which keeps it, to 1, which is free

        Returns:
            before and after as PNG files, which carry their recipe; and facts about them: the recipe as a query, the out-of-distribution distance (past 1 is unusual, past 1.5 pictures break), seconds, words that the model does not know or that did not fit, notes in sentences and, of a picture of your own, how much is kept: peak signal-to-noise ratios in dB and the share that changed
        """  # noqa: E501  a description is one line

        def drawn() -> tuple[gr.FileData, gr.FileData, dict[str, Any]]:
            default = self.loading.wait().sampler
            asked = self.asked(
                prompt, edits, seed, steps, guidance, negative_prompt, adapter_scale, picture, picture_share, region, start, freedom,
                default=default,
            )  # fmt: skip
            whole = None if picture is None else self.loading.reader().picture(_decoded(picture), picture_share)
            side = self.loading.wait().backbone.side
            own = None if start is None else Start.of(_decoded(start), side, freedom)
            result = self.loading.run(lambda steerer: steerer.pair(replace(asked, picture=whole, start=own)))
            measured = kept(result)
            about = {
                "recipe": result.recipe.to_query(), "ood_distance": round(result.ood_distance, 3),
                "gauge": round(result.ood_distance, 3),  # the former name of the same number
                "seconds": round(result.seconds, 3),
                "unknown": list(result.unknown), "cut": list(result.cut), "notes": result.notes,
            }  # fmt: skip
            about |= {"kept": measured._asdict()} if measured else {}
            before, after = _png(result.before, result.recipe.plain), _png(result.after, result.recipe)
            return _file(before, "before.png"), _file(after, "after.png"), about

        return _answer(drawn)

    def sweep(
        self, prompt: str, feature: str, seed: int = 0, frames: int = sweep.FRAMES
    ) -> tuple[gr.FileData, list[float]]:
        """Draw a prompt with one feature at strengths over its whole usable range.

        Args:
            prompt: what to draw, for example "a cat in a meadow"
            feature: its name or number, or an edit that says more, for example "big@cat"
            seed: the seed of the noise, a whole number from 0
            frames: how many strengths, 3 to 25

        Returns:
            all pictures side by side as one PNG file, and their strengths
        """

        def drawn() -> tuple[gr.FileData, list[float]]:
            steerer = self.loading.wait()
            strip = self.strip(prompt, feature, seed, frames, steerer.sampler, steerer.origin)
            pictures = dict(self.loading.run(lambda steerer: list(strip.draw(steerer.picture))))
            sheet = BytesIO()
            save_sheet(strip, [pictures[number] for number in range(len(strip.cells))], sheet)
            return _file(sheet.getvalue(), "sweep.png"), [cell.strengths[0] for cell in strip.cells]

        return _answer(drawn)

    def search(self, text: str, modality: str = "any", meaning: bool = False) -> list[dict[str, Any]]:
        """Find features by name or caption words, or by meaning.

        Args:
            text: some words, for example "light"; empty for the first 100 features
            modality: any, vision (seen in pictures, never named in captions), language (named, never seen) or cross (both)
            meaning: rank by nearness in meaning instead of matching the words themselves

        Returns:
            at most 100 features, best first, each with name, id, modality and mds (Modality Dominance Score, 0 = only captions, 1 = only pictures); by meaning, with their similarity
        """  # noqa: E501

        def matches() -> list[dict[str, Any]]:
            if modality not in ("any", *MODALITIES):
                raise SteerError(f"`modality` is {modality!r:.80}: allowed are any, {', '.join(MODALITIES)}")
            wanted = None if modality == "any" else modality
            if meaning:
                near = self.loading.wait().search(text, wanted)
                return [_record(feature, similarity=cosine) for feature, cosine in near]
            return [_record(feature) for feature in self.bank.search(text, wanted)[:MOST_FOUND]]

        return _answer(matches)

    def features_of_prompt(self, prompt: str) -> list[dict[str, Any]]:
        """The features that a prompt contains, strongest first: what the edit FEATURE:remove would remove.

        Args:
            prompt: for example "a cat in a meadow"

        Returns:
            features, each with name, id, modality, mds and presence: 1 is as strong as it normally gets
        """
        return _answer(lambda: [_record(f, presence=a) for f, a in self.loading.wait().features_of(prompt)])

    def features_of_picture(self, picture: gr.FileData) -> list[dict[str, Any]]:
        """The vision-only and cross-modal features of a picture, strongest first. No picture has language-only ones.

        Args:
            picture: a PNG, JPEG or WebP file, at most 5 MB and 16 megapixels

        Returns:
            features, each with name, id, modality, mds and activation, in activation scales: 1 is as strong as it normally gets
        """

        def features() -> list[dict[str, Any]]:
            activations = self.loading.reader().features_of(_decoded(picture))
            return [_record(feature, activation=activation) for feature, activation in activations]

        return _answer(features)

    def recipe_of_picture(self, picture: gr.FileData) -> dict[str, Any]:
        """The recipe that a PNG carries: mmsteer's own, or the `parameters` that web UIs for Stable Diffusion write.

        Args:
            picture: a PNG file, or a recipe as JSON, at most 5 MB

        Returns:
            the recipe as a query; its prompt, negative_prompt, seed, steps, guidance and edits; and notes on what was not understood
        """

        def opened() -> dict[str, Any]:
            recipe, notes = read_file(_uploaded(picture))
            return {
                "recipe": recipe.to_query(), "prompt": recipe.prompt, "negative_prompt": recipe.negative_prompt, "seed": recipe.seed,
                "steps": recipe.sampler.steps, "guidance": recipe.sampler.guidance, "edits": list(map(str, recipe.edits)),
                "notes": notes,
            }  # fmt: skip

        return _answer(opened)


def add_api(page: PageState) -> None:
    """Add the endpoints to the page that is being built. Those that draw share the queue of the page's own pictures."""
    api = Api(page)
    for drawing in (api.steer, api.sweep):
        gr.api(drawing, **DRAW)
    page.blocks.checks = {"steer": api.asked, "sweep": api.check_strip}
    slider = SliderApi(page).slider_from_pictures
    for reading in (api.search, api.features_of_prompt, api.features_of_picture, api.recipe_of_picture, slider):
        gr.api(reading, **READ)


def _edits(texts: Any) -> list[Edit]:
    if not isinstance(texts, list | None) or not all(isinstance(text, str) for text in texts or ()):
        raise SteerError(f'the edits are {texts!r:.80}: give a list of texts, for example ["warm light:1.0"]')
    return list(parse_edits(texts or ()))


def _record(feature: Feature, **more: float) -> dict[str, Any]:
    """A feature as JSON."""
    record = {"name": feature.name, "id": feature.id, "modality": feature.modality, "mds": feature.mds}
    return record | {name: round(value, 3) for name, value in more.items()}


def _png(picture: "Image.Image", recipe: Recipe) -> bytes:
    buffer = BytesIO()
    recipe.save_png(picture, buffer)
    return buffer.getvalue()


def _file(data: bytes, name: str) -> gr.FileData:
    """A file that the caller can fetch; the page's cache deletes it after a while."""
    path = save_bytes_to_cache(data, name, get_upload_folder())
    return gr.FileData(path=path, orig_name=name, mime_type="image/png", size=len(data))
