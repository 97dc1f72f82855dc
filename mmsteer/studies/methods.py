"""What a feature is compared with: other directions along which to push, and other words.

Every direction is pushed as far as the feature's own at strength 1 pushes, by the same lift, with or without the same
suppression. None gets help that the others do not get.
"""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F

from mmsteer.bank import Feature
from mmsteer.models.prompt import Encoded, encode
from mmsteer.steering.edit import Edit
from mmsteer.steering.sampling import render
from mmsteer.steering.schedule import Plan
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.cases import Value
from mmsteer.world.draws import READ
from mmsteer.world.embedding import load_clip
from mmsteer.world.factors import FACTORS
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.clip import tokens
from mmsteer.world.pairs import WorldPairs


class Method(NamedTuple):
    """One way to ask for a value."""

    title: str
    labels: bool
    """Whether it needs to know which pairs have the value, or the value's word."""


DIRECTIONS = {
    "feature": Method("feature", False),
    "mean": Method("mean difference", True),
    "decoder": Method("decoder direction", False),
    "random": Method("random direction", False),
}
WORDS = {
    "appended": Method("words appended", True),
    "replaced": Method("words replaced", True),
    "silent": Method("words left out", True),
}
WITH = " + suppression"


def needs_labels(title: str) -> bool:
    """Whether a method, with or without suppression, needs to know which pairs have the value."""
    known = {method.title: method.labels for method in (*DIRECTIONS.values(), *WORDS.values())}
    return known[title.removesuffix(WITH)]


def directions(steerer: Steerer, feature: Feature, mean: torch.Tensor) -> dict[str, torch.Tensor]:
    """A push `[d_joint]` for each of DIRECTIONS, all as long as the feature's own at strength 1; `mean [d_joint]` is the
    difference of means of its value.
    """
    bank = steerer.bank
    own = bank.tensors[f"steering_{feature.side}"][feature.latent].float() * feature.activation_scale
    chance = torch.randn(len(own), generator=torch.Generator().manual_seed(feature.id))
    decoder = bank.dictionaries[feature.side].W_dec[feature.latent].detach().float()
    ways = {"feature": own, "mean": mean, "decoder": decoder, "random": chance}
    return {name: way / way.norm() * own.norm() for name, way in ways.items()}


def suppressed(steerer: Steerer, encoded: Encoded, feature: Feature, strength: float) -> torch.Tensor:
    """What suppression alone adds to prompts as a feature grows to `strength`, `[B, d_joint]`."""
    whole = steerer.plan(encoded, [Edit(feature.id, strength=strength)]).shift
    own = steerer.bank.tensors[f"steering_{feature.side}"][feature.latent].float() * (
        feature.activation_scale * strength
    )
    return whole - own


def pushed(
    steerer: Steerer,
    prompts: list[str],
    dx: torch.Tensor,
    seeds: list[int],
    image_only: bool = False,
    start: float = 0.0,
) -> torch.Tensor:
    """Pictures `uint8 [B, 3, H, W]` with a difference of the joint space `dx [B, d_joint]` added to the prompts, from a fraction of
    the run on. `image_only` says that no prompt carries it: where there is an image route, it takes that alone.
    """
    encoded = encode(steerer.backbone, prompts)
    prompt = steerer.plan(encoded, ()).prompt
    _, norm = steerer.joint.project(encoded.last)
    move = steerer.move(encoded, norm, dx * 0 if image_only else dx, dx if image_only else None, start=start)
    return render(steerer.backbone, Plan(prompt, [move], dx), steerer.empty, seeds, steerer.sampler).pictures


@cache
def mean_differences(seed: int, count: int) -> dict[Value, torch.Tensor]:
    """Per factor value, mean embedding with it minus mean without, `[d_joint]`, over `count` pairs whose factors are known: of
    captions that tell it for cross-modal factors, of pictures for vision-only ones.
    """
    clip, tokenizer = load_clip(MINI / "clip")
    batch = next(iter(WorldPairs(seed + 1, count, READ).batches(count)))
    with torch.no_grad():
        text = F.normalize(clip.get_text_features(tokens(tokenizer, batch.captions)).pooler_output, dim=-1)
        parts = [clip.get_image_features(p.float() / 127.5 - 1).pooler_output for p in batch.pictures.split(128)]
    image = F.normalize(torch.cat(parts), dim=-1)
    differences = {}
    for k, factor in enumerate(FACTORS):
        for v, value in enumerate(factor.values):
            has = torch.from_numpy(batch.factors[:, k] == v)
            told = has & torch.from_numpy(batch.mentioned[:, k])
            with_it, x = (has, image) if factor.modality == "vision" else (told, text)
            differences[factor.name, value] = x[with_it].mean(0) - x[~with_it].mean(0)
    return differences
