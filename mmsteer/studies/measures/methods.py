"""What a feature is compared with: other directions along which to push, and other words.

Every direction is pushed as far as the feature's own at strength 1, by the same lift to hidden states, with or without the same
suppression. No method gets help that the others do not get.
"""

from functools import cache
from typing import NamedTuple

import torch

from mmsteer.bank import Feature
from mmsteer.recipes.edit import Edit
from mmsteer.steering.prompt_state import PromptState
from mmsteer.steering.sampling import render
from mmsteer.steering.schedule import Schedule
from mmsteer.steering.steerer import Steerer
from mmsteer.studies.measures.cases import Value
from mmsteer.world.draws import READ
from mmsteer.world.embedding import embed_captions, embed_pictures, load_clip
from mmsteer.world.factors import FACTORS
from mmsteer.world.models.assembly import MINI
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
WITH_SUPPRESSION = " + suppression"
"""Ends the title of a direction that is pushed together with suppression."""


def needs_labels(title: str) -> bool:
    """Whether a method, with or without suppression, needs to know which pairs have the value."""
    labels = {method.title: method.labels for method in (*DIRECTIONS.values(), *WORDS.values())}
    return labels[title.removesuffix(WITH_SUPPRESSION)]


def directions(steerer: Steerer, feature: Feature, mean: torch.Tensor) -> dict[str, torch.Tensor]:
    """A push `[d_joint]` for each of DIRECTIONS, all as long as the feature's own at strength 1.

    Args:
        steerer: with the feature's bank.
        feature: the feature they are compared with.
        mean: the difference of means of the feature's value, `[d_joint]`, of any length.
    """
    bank = steerer.bank
    steering = bank.push(feature)
    chance = torch.randn(len(steering), generator=torch.Generator().manual_seed(feature.id))
    decoder = bank.dictionaries[feature.side].W_dec[feature.latent].detach().float()
    vectors = {"feature": steering, "mean": mean, "decoder": decoder, "random": chance}
    return {name: vector / vector.norm() * steering.norm() for name, vector in vectors.items()}


def suppression_shift(steerer: Steerer, state: PromptState, feature: Feature, strength: float) -> torch.Tensor:
    """What suppression alone adds to prompts as a feature grows to `strength`, `[B, d_joint]`."""
    both = steerer.schedule(state, [Edit(feature.id, strength=strength)]).shift
    steering = steerer.bank.tensors[f"steering_{feature.side}"][feature.latent].float() * (
        feature.activation_scale * strength
    )
    return both - steering


def draw_pushed(
    steerer: Steerer,
    prompts: list[str],
    dx: torch.Tensor,
    seeds: list[int],
    image_only: bool = False,
    start: float = 0.0,
) -> torch.Tensor:
    """Pictures `uint8 [B, 3, H, W]` of prompts that are pushed in the joint space.

    Args:
        steerer: draws them.
        prompts: B prompts.
        dx: what is added to each prompt, `[B, d_joint]`.
        seeds: of the noise, one a prompt.
        image_only: whether no prompt can carry `dx`; where there is an image route, it takes `dx` alone.
        start: from which fraction of the run on.
    """
    state = steerer.read(prompts)
    move = steerer.routes.move(state, dx * 0 if image_only else dx, dx if image_only else None, start=start)
    schedule = Schedule(steerer.routes.conditioning(state), [move], dx)
    against = state.against.conditioning
    return render(steerer.backbone, schedule, against, seeds, steerer.sampler, steerer.between_steps).pictures


@cache
def mean_differences(seed: int, count: int) -> dict[Value, torch.Tensor]:
    """Per factor value, the mean embedding with it minus the mean without, `[d_joint]`, over `count` pairs with known factors:
    of captions that mention it for cross-modal factors, of pictures for vision-only ones.
    """
    clip, tokenizer = load_clip(MINI / "clip")
    batch = next(iter(WorldPairs(seed + 1, count, READ).batches(count)))
    text, image = embed_captions(clip, tokenizer, batch.captions), embed_pictures(clip, batch.pictures)
    differences = {}
    for k, factor in enumerate(FACTORS):
        for v, value in enumerate(factor.values):
            drawn = torch.from_numpy(batch.factors[:, k] == v)
            captioned = drawn & torch.from_numpy(batch.mentioned[:, k])
            with_it, x = (drawn, image) if factor.modality == "vision" else (captioned, text)
            differences[factor.name, value] = x[with_it].mean(0) - x[~with_it].mean(0)
    return differences
