"""Steering: prompt and edits in, before and after out. `Steerer.steer` tells the whole story; each step lives in its own file."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from mmsteer.assets import ASSETS
from mmsteer.bank import Feature, FeatureBank
from mmsteer.bank.compatibility import check_compatible, joint_space_of
from mmsteer.bank.ood import ood_distance
from mmsteer.errors import SteerError
from mmsteer.models.backbone import Backbone
from mmsteer.models.prompt import Encoded, encode_negative
from mmsteer.models.sampler import Sampler
from mmsteer.pixels import to_picture
from mmsteer.recipes.direction import Direction
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.notebook import counts, table
from mmsteer.recipes.picture import Picture
from mmsteer.recipes.recipe import Origin, Recipe
from mmsteer.recipes.region import Region
from mmsteer.recipes.start import Start
from mmsteer.steering.cache import Cache
from mmsteer.steering.directions import KnownFeatures
from mmsteer.steering.feature_search import search
from mmsteer.steering.presence import Presence
from mmsteer.steering.progress.step import Step
from mmsteer.steering.prompt_state import PromptState, read_prompts
from mmsteer.steering.routes import Routes, image_norm
from mmsteer.steering.sampling import render
from mmsteer.steering.schedule import Schedule
from mmsteer.steering.steered import NegativePrompt, Steered
from mmsteer.steering.zero_gpu import on_zero_gpu

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from PIL import Image

_CACHED = 64  # *before* pictures: 3 MB at 128x128, 50 MB at 512x512


class Steerer:
    """A backbone and a bank, ready to steer. Safe to use from several threads at once; the model is never changed."""

    def __init__(self, backbone: Backbone, bank: FeatureBank) -> None:
        """Put a loaded backbone and a bank together; SteerError if the bank was made for another text encoder."""
        self.backbone, self.bank = backbone, bank
        self.sampler = Sampler(backbone.steps, backbone.guidance)
        self.joint = joint_space_of(bank)
        check_compatible(backbone, bank, self.joint)
        self._empty = encode_negative(backbone, "", 1)
        self.empty = self._empty.conditioning
        self.presence = Presence(bank)
        self.known = KnownFeatures(backbone, bank, self.joint, self.presence)
        """The bank's features, and directions: what an edit may name."""
        self.routes = Routes(backbone.family, bank, self.joint, image_norm(backbone, bank), self.known)
        self.befores: Cache[Recipe, tuple[Image.Image, bool]] = Cache(_CACHED)
        self.between_steps: Callable[[Step], None] = _go_on
        """Called between two steps of every drawing; an error that it raises ends the drawing and leaves nothing behind."""

    @classmethod
    def load(
        cls,
        backbone: str = "mini",
        bank: "str | Path | None" = None,
        device: str | None = None,
        dtype: str | None = None,
        offload: bool = False,
        adapter: "str | Path | None" = None,
        compiled: bool = False,
    ) -> "Steerer":
        """Load a backbone and a bank.

        Args:
            backbone: a known backbone (`mini`, `sd15`, `sdxl` …), a folder that diffusers saved, a safetensors file of a
                whole checkpoint, or a hub id, with `@COMMIT` if you like.
            bank: a bank's folder; None takes the embedded one.
            device: `cpu`, `cuda` or `mps`; None takes the best there is.
            dtype: `float32`, `float16` or `bfloat16`; None takes float32 on a CPU, else float16.
            offload: keep only the part at work on the GPU: less memory, slower.
            adapter: an image adapter: a safetensors file, a folder with adapters in it, or `hub:OWNER/NAME[@REVISION]`, of which the
                one is taken that fits checkpoint and bank. Vision-only features then act on the image embedding that it reads
                (`mmsteer.models.image_adapter`).
            compiled: compile the denoiser (`mmsteer.models.backbone.Backbone.compile`). Pictures are then not bit-identical to those
                without.

        Raises:
            SteerError: something is missing, damaged, or does not go together; the message says what would do.

        Example:
            >>> from mmsteer import Steerer
            >>> Steerer.load().backbone.name
            'mini'
        """
        if compiled and on_zero_gpu():
            raise SteerError(
                "--compile does not work on ZeroGPU, where each call is a process of its own: leave it out"
            )
        known = FeatureBank.load(bank or ASSETS / "banks" / "mini")
        reads = len(known.tensors["mean_image"])
        loaded = Backbone.load(backbone, device, dtype, offload, adapter=adapter, adapter_reads=reads)
        if compiled:
            loaded.compile()
        return cls(loaded, known)

    @cached_property
    def origin(self) -> Origin:
        """What its recipes are made with."""
        return Origin(self.backbone.name, self.backbone.digest, self.bank.digest, self.backbone.scheduler)

    def _repr_html_(self) -> str:
        """What notebooks show: backbone and bank, and how many features there are."""
        backbone, bank = self.backbone, self.bank
        return table({
            "backbone": f"{backbone.name} ({backbone.family.title}), on {backbone.device}",
            "edits change": backbone.family.reads,
            "drawn in": f"{self.sampler.steps} steps, guidance {self.sampler.guidance:g}",
            "bank": f"{bank.folder.name if bank.folder else 'in memory'}, from {bank.origin}; {bank.faithfulness}",
            "features": counts(bank.features),
        })  # fmt: skip

    # -- people's layer: prompts, features and pictures --

    def steer(
        self,
        prompt: str,
        edits: Iterable[Edit] = (),
        seed: int = 0,
        sampler: Sampler | None = None,
        picture: Picture | None = None,
        negative_prompt: str = "",
        region: Region | None = None,
        start: Start | None = None,
    ) -> Steered:
        """Draw *before* and *after* of a prompt from the same noise.

        Args:
            prompt: 1 to 2,000 characters.
            edits: at most 32; without any, both pictures are the same.
            seed: of the noise, 0 to 2**32 - 1.
            sampler: steps and guidance; None takes the backbone's own.
            picture: a picture whose image embedding takes the place of the prompt's in *after*
                (`mmsteer.pictures.picture_features.PictureReader.picture`), where the backbone reads one.
            negative_prompt: what guidance steers away from, in both pictures, at most 2,000 characters; no edit acts on it. Empty
                is the usual: the empty prompt. Without guidance it has no effect.
            region: where the edits act; outside *after* stays as *before*. None: everywhere.
            start: a picture of your own to draw from, in both pictures (`Start.of`); None: from noise alone.

        Returns:
            Both pictures, their recipe, the OOD distance, and what the model could not read.

        Raises:
            SteerError: a value is out of its range, a feature is not in the bank, or a word not in the prompt.

        Example:
            >>> from mmsteer import Edit, Steerer
            >>> steered = Steerer.load().steer("a cat at night", [Edit("warm light")], seed=3)
            >>> steered.after.size
            (256, 256)
        """
        sampler = sampler or self.sampler
        given = tuple(edits), self.origin, picture, negative_prompt, region, start
        return self.pair(Recipe(prompt, seed, sampler, *given))

    def pair(self, recipe: Recipe) -> Steered:
        """Draw *before* and *after* of a recipe, wherever that was made, from the same noise; SteerError as `steer`."""
        began = time.perf_counter()
        recipe = replace(recipe, origin=self.origin)
        state = self._state(recipe)  # hidden [1, T, d_text], x [1, d_joint], presence [1, n_latents]
        schedule = self.schedule(
            state, recipe.edits, recipe.sampler.pooled_guidance, recipe.picture
        )  # Δh [1, T, d_text]
        before = self._before(recipe.plain, state)
        after = self._draw(schedule, recipe, state) if schedule.moves else before
        distance = ood_distance(self.bank.tensors, state.x[0] + schedule.shift[0])
        encoded, features = state.encoded, self._features(state)
        seconds = time.perf_counter() - began
        return Steered(
            before[0], after[0], recipe, distance, seconds, encoded.unknown[0], encoded.cut[0], features, (before[1], after[1]),
            self._negative_prompt(recipe, state), tuple(self.known.get(edit.feature) for edit in recipe.edits),
        )  # fmt: skip

    def picture(self, recipe: Recipe) -> "Image.Image":
        """The picture of one recipe, edits and all; drawn once, or not at all where it is a *before* already drawn.

        Args:
            recipe: for example `steered.recipe`, or `Recipe("a cat at night", edits=[Edit("warm light")])`.

        Raises:
            SteerError: as `steer`.
        """
        state = self._state(recipe)
        schedule = self.schedule(state, recipe.edits, recipe.sampler.pooled_guidance, recipe.picture)
        return (self._draw(schedule, recipe, state) if schedule.moves else self._before(recipe.plain, state))[0]

    def feature(self, name: str | int) -> "Feature | Direction":
        """What an edit's name stands for: a feature of the bank, or the direction of words with an arrow between them.

        Args:
            name: a feature's name or id, "summer → winter" or "summer -> winter", or "→ winter".

        Raises:
            SteerError: there is no such feature, or the model does not know a word.
        """
        return self.known.get(name)

    def features_of(self, prompt: str) -> list[tuple[Feature, float]]:
        """The features a prompt contains, with their presence in activation scales, strongest first.

        An edit `remove` of strength 1 takes out just what is listed. SteerError for an empty or overlong prompt.
        """
        return self._features(self.read([Recipe(prompt).prompt]))

    def search(self, text: str, modality: str | None = None, count: int = 12) -> list[tuple[Feature, float]]:
        """The features nearest in meaning to some words, with their cosines (`mmsteer.steering.feature_search`)."""
        return search(self.backbone, self.bank, self.joint, text, modality, count)

    # -- tensor layer: B prompts at once --

    def read(self, prompts: Sequence[str], negative_prompt: str = "") -> PromptState:
        """Encode, project and read B prompts; and encode what guidance steers away from."""

        def negative(least: int) -> Encoded:
            return (
                encode_negative(self.backbone, negative_prompt, least) if negative_prompt or least > 1 else self._empty
            )

        return read_prompts(self.backbone, self.joint, self.presence, prompts, negative)

    def schedule(
        self, state: PromptState, edits: Sequence[Edit], pooled: float = 1.0, picture: Picture | None = None
    ) -> Schedule:
        """Turn edits into what they add to what the UNet reads, and when; edits that add nothing leave no move.

        Args:
            state: B prompts, as `read` gives them.
            edits: of features in the bank, or of directions.
            pooled: how much of them the pooled vector takes, where the UNet reads one.
            picture: whose image embedding takes the place of the prompts'.

        Raises:
            SteerError: a feature is not in the bank, a word is not in a prompt, or an edit or a picture asks for what this backbone
                cannot do.
        """
        return self.routes.schedule(state, edits, pooled, picture)

    def render_many(
        self, prompts: Sequence[str], edits: Iterable[Edit], seeds: Sequence[int], sampler: Sampler | None = None
    ) -> "torch.Tensor":
        """The same edits on B prompts at once, `uint8 [B, 3, H, W]`; picture i from the noise of seeds[i]."""
        sampler = sampler or self.sampler
        state = self.read(prompts)
        schedule = self.schedule(state, tuple(edits), sampler.pooled_guidance)
        return render(self.backbone, schedule, state.against.conditioning, seeds, sampler, self.between_steps).pictures

    def _features(self, state: PromptState) -> list[tuple[Feature, float]]:
        return self.presence.features(state.presence[self.presence.side][0])

    def _state(self, recipe: Recipe) -> PromptState:
        """What a recipe's prompts are read as; a negative prompt that nothing is compared with is not read."""
        return self.read([recipe.prompt], recipe.negative_prompt if self._guided(recipe) else "")

    def _guided(self, recipe: Recipe) -> bool:
        return recipe.sampler.guidance > 1 and self.backbone.family.compares

    def _negative_prompt(self, recipe: Recipe, state: PromptState) -> NegativePrompt | None:
        """What became of a recipe's negative prompt."""
        if not recipe.negative_prompt:
            return None
        if not self._guided(recipe):
            return NegativePrompt(used=False)
        return NegativePrompt(state.against.unknown[0], state.against.cut[0])

    def _draw(self, schedule: Schedule, recipe: Recipe, state: PromptState) -> "tuple[Image.Image, bool]":
        """A picture, and whether the safety checker blanked it."""
        how = recipe.sampler, self.between_steps, recipe.region, recipe.start
        drawn = render(self.backbone, schedule, state.against.conditioning, [recipe.seed], *how)
        return to_picture(drawn.pictures[0]), drawn.blanked[0]

    def _before(self, recipe: Recipe, state: PromptState) -> "tuple[Image.Image, bool]":
        """The picture without edits: drawn once, then cached."""
        drawn = self.befores.get(recipe)
        if drawn is None:
            drawn = self._draw(self.schedule(state, ()), recipe, state)
            self.befores.put(recipe, drawn)
        return drawn


def _go_on(_: Step) -> None:
    """Nothing to do between two steps."""
