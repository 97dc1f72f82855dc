"""Steering, on line: prompt and edits in, before and after out. `Steerer.steer` tells the whole story.

Knows the order of things; each step lives in the file it is named after.
"""

import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.assets import ASSETS
from mmsteer.bank import MODALITIES, Feature, FeatureBank
from mmsteer.bank.compatibility import check_fit, joint_of
from mmsteer.errors import SteerError
from mmsteer.models.backbone import Backbone
from mmsteer.models.prompt import Encoded, check_prompt, encode, encode_nothing
from mmsteer.models.sampler import Sampler
from mmsteer.steering.cache import Kept
from mmsteer.steering.edit import Edit, LatentEdit, apply_edits, recede
from mmsteer.steering.presence import Presence
from mmsteer.steering.recipe import Origin, Recipe
from mmsteer.steering.sampling import render
from mmsteer.steering.schedule import Move, Plan

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from PIL import Image

_KEPT = 64  # *before* pictures kept: 3 MB at 128x128, 50 MB at 512x512


class Steered(NamedTuple):
    """The two pictures of one recipe, and what there is to know about them."""

    before: "Image.Image"
    after: "Image.Image"
    recipe: Recipe
    ood_distance: float
    """How far the edited hidden states lie from what ordinary prompts give: at 1 only 1 % of prompts lie farther, past 1.5
    pictures break."""
    seconds: float
    """Wall time of this call."""
    unknown: tuple[str, ...]
    """Words of the prompt that the model does not know."""
    cut: tuple[str, ...]
    """Words of the prompt that did not fit."""
    features: list[tuple[Feature, float]]
    """The features that the prompt itself contains, as `Steerer.features_of` gives them."""
    blanked: tuple[bool, bool]
    """Whether the checkpoint's own safety checker made *before*, *after* black."""

    @property
    def gauge(self) -> float:
        """`ood_distance`, by its name in programs of before."""
        return self.ood_distance


class Steerer:
    """A backbone and a bank, ready to steer. Safe to use from several threads at once."""

    def __init__(self, backbone: Backbone, bank: FeatureBank) -> None:
        self.backbone, self.bank = backbone, bank
        self.sampler = Sampler(backbone.steps, backbone.guidance)
        self.joint = joint_of(bank)
        check_fit(backbone, bank, self.joint)
        self.empty = encode_nothing(backbone)
        self.presence = Presence(bank)
        self._image_norm = _image_norm(backbone, bank)
        self.befores: Kept[Recipe, tuple[Image.Image, bool]] = Kept(_KEPT)

    @classmethod
    def load(
        cls,
        backbone: str = "mini",
        bank: "str | Path | None" = None,
        device: str | None = None,
        dtype: str | None = None,
        offload: bool = False,
        adapter: "str | Path | None" = None,
    ) -> "Steerer":
        """Load a backbone by name, folder or hub id, and a bank by folder (default: the embedded bank); with an image adapter
        (`mmsteer.models.image_adapter`), vision-only features act on the image embedding that it reads.
        """
        loaded = Backbone.load(backbone, device, dtype, offload, adapter=adapter)
        return cls(loaded, FeatureBank.load(bank or ASSETS / "banks" / "mini"))

    @cached_property
    def origin(self) -> Origin:
        """What its recipes are made with."""
        return Origin(self.backbone.name, self.backbone.digest, self.bank.digest, self.backbone.scheduler)

    def steer(self, prompt: str, edits: Iterable[Edit] = (), seed: int = 0, sampler: Sampler | None = None) -> Steered:
        """Draw *before* and *after* of a prompt from the same noise."""
        began = time.perf_counter()
        recipe = Recipe(prompt, seed, sampler or self.sampler, tuple(edits), self.origin)
        encoded = encode(self.backbone, [recipe.prompt])
        plan = self.plan(encoded, recipe.edits, recipe.sampler.pooled_guidance)
        before = self._before(recipe.plain, encoded)
        after = self._draw(plan, recipe) if plan.moves else before
        distance = self.ood_distance(encoded, plan.shift)
        return Steered(
            before[0], after[0], recipe, distance, time.perf_counter() - began, encoded.unknown[0], encoded.cut[0],
            self._features(encoded), (before[1], after[1]),
        )  # fmt: skip

    def picture(self, recipe: Recipe) -> "Image.Image":
        """The picture of one recipe, edits and all; one render, or none where it is a *before* already drawn."""
        encoded = encode(self.backbone, [recipe.prompt])
        plan = self.plan(encoded, recipe.edits, recipe.sampler.pooled_guidance)
        return (self._draw(plan, recipe) if plan.moves else self._before(recipe.plain, encoded))[0]

    def render_many(
        self, prompts: Sequence[str], edits: Iterable[Edit], seeds: Sequence[int], sampler: Sampler | None = None
    ) -> "torch.Tensor":
        """The same edits on B prompts at once, `uint8 [B, 3, H, W]`; picture i from the noise of seeds[i]."""
        sampler = sampler or self.sampler
        plan = self.plan(encode(self.backbone, list(prompts)), tuple(edits), sampler.pooled_guidance)
        return render(self.backbone, plan, self.empty, seeds, sampler).pictures

    def plan(self, encoded: Encoded, edits: Sequence[Edit], pooled: float = 1.0) -> Plan:
        """Turn edits into what they add to what the UNet reads; edits that add nothing leave no move. The pooled vector takes
        `pooled` of them.
        """
        x, norm = self.joint.project(encoded.last)  # [B, d_joint], [B, 1]
        conditioning, family = encoded.conditioning, self.backbone.family
        if self.reads_image:
            conditioning = conditioning._replace(image=self._image(x, conditioning.hidden))
        moves, shift = [], x * 0
        receded: dict[str, torch.Tensor] = {}
        for words, start, stop in dict.fromkeys((e.words, e.start, e.end) for e in edits):
            if (start, stop) != (0.0, 1.0) and not family.phases:
                raise SteerError(
                    f"an edit is to act from {start:g} to {stop:g} of the run, but pipelines of {family.title} read the prompt "
                    "once for the whole run: leave the range out"
                )
            own = [e for e in edits if (e.words, e.start, e.end) == (words, start, stop)]
            image_only = [e for e in own if self.bank.get(e.feature).image_only]
            said = [e for e in own if e not in image_only]
            if words and image_only and self.reads_image:
                raise SteerError(
                    f"{image_only[0].feature!r} is vision-only, and here such features act on an image embedding, which has no words: "
                    "leave the words of this edit out"
                )
            dx, dx_image_only = (self._difference(x, some, edits, receded) for some in (said, image_only))
            if dx.any() or dx_image_only.any():
                move = self.move(encoded, norm, dx, dx_image_only, words, start, stop)
                moves.append(move if move.dpooled is None else move._replace(dpooled=pooled * move.dpooled))
                shift = shift + dx + dx_image_only
        return Plan(conditioning, moves, shift)

    @property
    def reads_image(self) -> bool:
        """Whether the UNet reads an image embedding beside the words: then vision-only features act on that alone."""
        return self.backbone.image_width is not None

    def move(
        self,
        encoded: Encoded,
        norm: "torch.Tensor",
        dx: "torch.Tensor",
        image_only: "torch.Tensor | None" = None,
        words: tuple[str, ...] = (),
        start: float = 0.0,
        end: float = 1.0,
    ) -> Move:
        """A joint-space difference `dx [B, d_joint]` as what it adds to what the UNet reads, on some words or on all.

        `norm [B, 1]` is that of the prompts' joint vectors before scaling, as `JointSpace.project` gives it.
        `image_only [B, d_joint]` is what no prompt carries. Where the UNet reads an image embedding, all of the difference moves
        that, and only `dx` the words: an ordinary UNet makes nothing of words that no caption says. Else both move the words.
        """
        whole = dx if image_only is None else dx + image_only
        through_words = dx if self.reads_image else whole
        dh = self.joint.lift(through_words, norm)[:, None] * self._rows(encoded, words)  # [B, T, d_text]
        dpooled = self.joint.lift_pooled(through_words, norm) if self.backbone.family.pooled and not words else None
        dimage = whole * self._image_norm if self.reads_image and not words else None
        return Move(start, end, dh, dpooled, dimage)

    def _image(self, x: "torch.Tensor", hidden: "torch.Tensor") -> "torch.Tensor":
        """The image embedding that goes with a prompt nobody has a picture of, `[B, d_joint]`: its joint vector, moved
        over the modality gap (Liang et al., 2203.02053) by the difference of the mean embeddings of both sides.
        """
        moved = x - self.bank.tensors["mean_text"].to(x) + self.bank.tensors["mean_image"].to(x)
        return (moved / moved.norm(dim=-1, keepdim=True) * self._image_norm).to(hidden)

    def ood_distance(self, encoded: Encoded, shift: "torch.Tensor") -> float:
        """Mahalanobis distance of the (first) edited joint vector from ordinary prompts, 1 = their 99th percentile."""
        x, _ = self.joint.project(encoded.last[0])
        away = x + shift[0] - self.bank.tensors["ood_mean"].to(x)
        distance = (away @ self.bank.tensors["ood_precision"].to(x) @ away).clamp(min=0).sqrt()
        return float(distance / self.bank.tensors["ood_p99"])

    def features_of(self, prompt: str) -> list[tuple[Feature, float]]:
        """The features a prompt itself contains, with their presence (`mmsteer.steering.presence`) in activation scales, strongest first.

        What is listed is what an edit `remove` of strength 1 takes out. SteerError for an empty or overlong prompt.
        """
        return self._features(encode(self.backbone, [Recipe(prompt).prompt]))

    def search(self, text: str, modality: str | None = None, count: int = 12) -> list[tuple[Feature, float]]:
        """The features nearest in meaning to some words, with their cosines, nearest first.

        Compared is what the words add to the empty prompt in the joint space, for by themselves all texts lie close
        together. SteerError for words that the model does not know, for no text, and for a modality that is none.
        """
        from mmsteer.bank.search import nearest

        if modality not in (None, *MODALITIES):
            raise SteerError(f"`modality` is {modality!r}: allowed are {', '.join(MODALITIES)}, or none for all")
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise SteerError(f"`count` is {count!r}: give a whole number from 1 on")
        encoded = encode(self.backbone, [check_prompt(text), ""])
        if encoded.unknown[0]:
            raise SteerError(
                f"the model does not know {', '.join(encoded.unknown[0])}: search by meaning for other words"
            )
        x, _ = self.joint.project(encoded.last)
        found = nearest(self.bank.directions, x[0] - x[1], len(self.bank.features))
        features = [(self.bank.features[row], cosine) for row, cosine in found]
        return [(f, cosine) for f, cosine in features if modality in (None, f.modality)][:count]

    def _features(self, encoded: Encoded) -> list[tuple[Feature, float]]:
        return self.presence.features(self.joint.project(encoded.last[0])[0])

    def _difference(
        self, x: "torch.Tensor", edits: list[Edit], all_edits: Sequence[Edit], receded: "dict[str, torch.Tensor]"
    ) -> "torch.Tensor":
        """The joint-space difference `[B, d_joint]` that edits make: (code' - code) @ effects, over both sides.

        `receded` keeps, for each side, which shares of the code have receded for earlier edits of the same plan.
        """
        dx = x * 0
        features = [(edit, self.bank.get(edit.feature)) for edit in edits]
        for side in dict.fromkeys(feature.side for _, feature in features):
            effects = self.bank.tensors[f"steering_{side}"].to(x)
            code = self.presence.of(x, side).double()  # a strength of 1e-5 must not drown in rounding
            own = [(edit, f) for edit, f in features if f.side == side]
            edited = apply_edits(code, [_on_latent(edit, f) for edit, f in own])
            before = receded.get(side, code * 0)
            receded[side] = self._receding(code, own, all_edits, effects.norm(dim=1), before)
            dx = dx + (edited - code * (1 + receded[side] - before)).to(dx) @ effects
        return dx

    def _receding(
        self,
        code: "torch.Tensor",
        own: list[tuple[Edit, Feature]],
        all_edits: Sequence[Edit],
        effect: "torch.Tensor",
        before: "torch.Tensor",
    ) -> "torch.Tensor":
        """Which shares of the code `[B, n_latents]` have receded after some edits: as a feature grows, the strongest of its
        rivals in the prompt goes, and is gone at strength 1. Else "panda" added to a cat is a tie between two things.

        A rival that has an edit of its own stays as that edit has it.
        """
        edited = {self.bank.get(edit.feature).id for edit in all_edits}
        shares = before
        for edit, feature in own:
            if edit.mode != "remove" and edit.strength > 0:
                rivals = [self.bank.get(rival).latent for rival in feature.mutually_exclusive if rival not in edited]
                shares = shares.maximum(recede(code, rivals, effect.double(), min(edit.strength, 1.0)))
        return shares

    def _rows(self, encoded: Encoded, words: tuple[str, ...]) -> "torch.Tensor":
        """Which rows edits reach, `[B, T, 1]` of 0 and 1: those of some words, or all but the first."""
        import torch

        mask = torch.zeros(*encoded.hidden.shape[:2], 1)
        if not words:
            mask[:, 1:] = 1
        for b, known in enumerate(encoded.words):
            for word in words:
                rows = encoded.rows(b, word)
                if not rows:
                    raise SteerError(f"the word {word!r} is not in the prompt; its words are {', '.join(known)}")
                mask[b, list(rows)] = 1
        return mask

    def _draw(self, plan: Plan, recipe: Recipe) -> "tuple[Image.Image, bool]":
        """A picture, and whether the safety checker blanked it."""
        from PIL import Image

        drawn = render(self.backbone, plan, self.empty, [recipe.seed], recipe.sampler)
        return Image.fromarray(drawn.pictures[0].permute(1, 2, 0).numpy()), drawn.blanked[0]

    def _before(self, recipe: Recipe, encoded: Encoded) -> "tuple[Image.Image, bool]":
        """The picture without edits: drawn once, then kept."""
        drawn = self.befores.get(recipe)
        if drawn is None:
            drawn = self._draw(self.plan(encoded, ()), recipe)
            self.befores.keep(recipe, drawn)
        return drawn


def _image_norm(backbone: Backbone, bank: FeatureBank) -> float:
    """How long the image embeddings are that a backbone reads: by what its normaliser knows of them (their root mean square),
    else as the bank's CLIP gives them; 0 where it reads none.
    """
    if backbone.family.image:
        normalizer = backbone.pipeline.image_normalizer
        return float((normalizer.mean.float().square() + normalizer.std.float().square()).sum().sqrt())
    return float(bank.tensors.get("image_norm", 0.0)) if backbone.image_width else 0.0


def _on_latent(edit: Edit, feature: Feature) -> LatentEdit:
    """Look a feature's latent and unit up."""
    if edit.mode == "remove":
        if feature.image_only:  # not in the prompt to be taken out: push the other way instead
            return LatentEdit(feature.latent, "add", -edit.strength * feature.activation_scale)
        return LatentEdit(feature.latent, "remove", edit.strength)
    return LatentEdit(feature.latent, edit.mode, edit.strength * feature.activation_scale)
