"""Steering, on line: prompt and edits in, before and after out. `Steerer.steer` tells the whole story.

Knows the order of things; each step lives in the file it is named after.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mmsteer.backbone import ASSETS, Backbone
from mmsteer.bank import Feature, FeatureBank
from mmsteer.diffuse import render
from mmsteer.edit import Edit, LatentEdit, apply_edits
from mmsteer.errors import SteerError
from mmsteer.joint import JointSpace
from mmsteer.prompt import Encoded, encode
from mmsteer.recipe import Recipe, Sampler

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
    gauge: float
    """How far the edited state lies from ordinary prompts: 1 is as far as the farthest 1 % of them, past 1.5 pictures break."""
    seconds: float
    """Wall time of this call."""
    unknown: tuple[str, ...]
    """Words of the prompt that the model does not know."""
    cut: tuple[str, ...]
    """Words of the prompt that did not fit."""


class Move(NamedTuple):
    """What some edits add to the hidden states, over one part of the run."""

    start: float
    end: float
    dh: "torch.Tensor"
    """[B, T, d_text], zero on rows that are not chosen."""


class Plan:
    """Hidden states over the sampling run."""

    def __init__(self, hidden: "torch.Tensor", moves: "list[Move]", shift: "torch.Tensor") -> None:
        self.hidden, self.moves = hidden, moves
        self.shift = shift
        """[B, d_joint]: the sum of all joint-space differences."""
        self._states: dict[tuple[int, ...], torch.Tensor] = {(): hidden}

    def at(self, fraction: float) -> "torch.Tensor":
        """Hidden states `[B, T, d_text]` at a fraction of the run: the same object for as long as nothing changes."""
        active = tuple(i for i, move in enumerate(self.moves) if move.start <= fraction < move.end)
        if active not in self._states:
            self._states[active] = self.hidden + sum(self.moves[i].dh for i in active)
        return self._states[active]


class Steerer:
    """A backbone and a bank, ready to steer. Safe to use from several threads at once."""

    def __init__(self, backbone: Backbone, bank: FeatureBank) -> None:
        self.backbone, self.bank = backbone, bank
        self.sampler = Sampler(backbone.spec.steps, backbone.spec.guidance)
        self.joint = JointSpace(bank.bridge["projection"].to(backbone.device))
        self.empty = encode(backbone, [""]).hidden
        self._befores: OrderedDict[Recipe, Image.Image] = OrderedDict()
        self._keeping = threading.Lock()

    @classmethod
    def load(cls, backbone: str = "mini", bank: "str | Path | None" = None, device: str = "cpu") -> "Steerer":
        """Load a backbone by name or folder and a bank by folder (default: the embedded bank)."""
        return cls(Backbone.load(backbone, device), FeatureBank.load(bank or ASSETS / "banks" / "mini"))

    def steer(self, prompt: str, edits: Iterable[Edit] = (), seed: int = 0, sampler: Sampler | None = None) -> Steered:
        """Draw *before* and *after* of a prompt from the same noise."""
        began = time.perf_counter()
        recipe = Recipe(prompt, seed, sampler or self.sampler, tuple(edits), self.backbone.name)
        encoded = encode(self.backbone, [recipe.prompt])
        plan = self.plan(encoded, recipe.edits)
        before = self._before(recipe.plain, encoded)
        after = self._draw(plan, recipe) if plan.moves else before
        gauge = self.gauge(encoded, plan.shift)
        seconds = time.perf_counter() - began
        return Steered(before, after, recipe, gauge, seconds, encoded.unknown[0], encoded.cut[0])

    def picture(self, recipe: Recipe) -> "Image.Image":
        """The picture of one recipe, edits and all; one render, or none where it is a *before* already drawn."""
        encoded = encode(self.backbone, [recipe.prompt])
        plan = self.plan(encoded, recipe.edits)
        return self._draw(plan, recipe) if plan.moves else self._before(recipe.plain, encoded)

    def render_many(
        self, prompts: Sequence[str], edits: Iterable[Edit], seeds: Sequence[int], sampler: Sampler | None = None
    ) -> "torch.Tensor":
        """The same edits on B prompts at once, `uint8 [B, 3, H, W]`; picture i from the noise of seeds[i]."""
        plan = self.plan(encode(self.backbone, list(prompts)), tuple(edits))
        return render(self.backbone, plan.at, self.empty, seeds, sampler or self.sampler)

    def plan(self, encoded: Encoded, edits: Sequence[Edit]) -> Plan:
        """Turn edits into what they add to the hidden states; edits that add nothing leave no move."""
        end = encoded.end.view(-1, 1, 1).expand(-1, 1, encoded.hidden.shape[2])
        x, norm = self.joint.project(encoded.hidden.gather(1, end)[:, 0])  # [B, d_joint], [B, 1]
        moves, shift = [], x * 0
        for words, start, stop in dict.fromkeys((e.words, e.start, e.end) for e in edits):
            dx = self._difference(x, [e for e in edits if (e.words, e.start, e.end) == (words, start, stop)])
            if dx.any():
                dh = self.joint.lift(dx, norm)[:, None] * self._rows(encoded, words)  # [B, T, d_text]
                moves.append(Move(start, stop, dh))
                shift = shift + dx
        return Plan(encoded.hidden, moves, shift)

    def gauge(self, encoded: Encoded, shift: "torch.Tensor") -> float:
        """Mahalanobis distance of the (first) edited joint vector from ordinary prompts, 1 = their 99th percentile."""
        x, _ = self.joint.project(encoded.hidden[0, encoded.end[0]])
        away = x + shift[0] - self.bank.bridge["gauge_mean"].to(x)
        distance = (away @ self.bank.bridge["gauge_precision"].to(x) @ away).clamp(min=0).sqrt()
        return float(distance / self.bank.bridge["gauge_p99"])

    def features_of(self, prompt: str) -> list[tuple[Feature, float]]:
        """The features a prompt itself has, with their activation in units, strongest first."""
        encoded = encode(self.backbone, [Recipe(prompt).prompt])
        x, _ = self.joint.project(encoded.hidden[0, encoded.end[0]])
        side = "shared" if "shared" in self.bank.dictionaries else "text"
        code = self.bank.dictionaries[side].encode(x)
        found = [(f, float(code[f.latent]) / f.unit) for f in self.bank.features if f.side == side]
        return sorted(((f, a) for f, a in found if a > 0), key=lambda pair: -pair[1])

    def _difference(self, x: "torch.Tensor", edits: list[Edit]) -> "torch.Tensor":
        """The joint-space difference `[B, d_joint]` that edits make: (code' - code) @ effects, over both sides."""
        dx = x * 0
        features = [(edit, self.bank.get(edit.feature)) for edit in edits]
        for side in dict.fromkeys(feature.side for _, feature in features):
            dictionary = self.bank.dictionaries[side]
            # no prompt carries a vision-only feature: on the image side the code to edit is zero
            # (in double: a strength of 1e-5 must not drown in rounding)
            code = dictionary.encode(x).double() * (0 if side == "image" else 1)
            edited = apply_edits(code, [_on_latent(edit, f) for edit, f in features if f.side == side])
            dx = dx + (edited - code).to(dx) @ self.bank.bridge[f"effect_{side}"].to(dx)
        return dx

    def _rows(self, encoded: Encoded, words: tuple[str, ...]) -> "torch.Tensor":
        """Which rows edits reach, `[B, T, 1]` of 0 and 1: those of some words, or all but the first."""
        import torch

        mask = torch.zeros(*encoded.hidden.shape[:2], 1, device=encoded.hidden.device)
        if not words:
            mask[:, 1:] = 1
        for b, known in enumerate(encoded.words):
            for word in words:
                if word.lower() not in known:
                    raise SteerError(f"the word {word!r} is not in the prompt; its words are {', '.join(known)}")
                mask[b, list(known[word.lower()])] = 1
        return mask

    def _draw(self, plan: Plan, recipe: Recipe) -> "Image.Image":
        from PIL import Image

        pictures = render(self.backbone, plan.at, self.empty, [recipe.seed], recipe.sampler)
        return Image.fromarray(pictures[0].permute(1, 2, 0).numpy())

    def _before(self, recipe: Recipe, encoded: Encoded) -> "Image.Image":
        """The picture without edits: drawn once, then kept."""
        with self._keeping:
            if recipe in self._befores:
                self._befores.move_to_end(recipe)
                return self._befores[recipe]
        picture = self._draw(self.plan(encoded, ()), recipe)
        with self._keeping:
            self._befores[recipe] = picture
            while len(self._befores) > _KEPT:
                self._befores.popitem(last=False)
        return picture


def _on_latent(edit: Edit, feature: Feature) -> LatentEdit:
    """Look a feature's latent and unit up."""
    if edit.mode == "remove":
        if feature.side == "image":  # not in the prompt to be taken out: push the other way instead
            return LatentEdit(feature.latent, "add", -edit.strength * feature.unit)
        return LatentEdit(feature.latent, "remove", edit.strength)
    return LatentEdit(feature.latent, edit.mode, edit.strength * feature.unit)
