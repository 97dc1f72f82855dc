"""Features by name, and directions made where the name has an arrow: the one place where an edit's name becomes what it adds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmsteer.bank import MODALITIES, Feature, FeatureBank, Modality
from mmsteer.bank.ood import range_between
from mmsteer.bank.search import nearest
from mmsteer.errors import SteerError
from mmsteer.models.prompt import encode
from mmsteer.recipes.direction import Direction, Wording, is_direction, read_wording
from mmsteer.steering.cache import Cache

if TYPE_CHECKING:
    import torch

    from mmsteer.models.backbone import Backbone
    from mmsteer.models.joint_space import JointSpace
    from mmsteer.steering.presence import Presence

TEMPLATES = ("{}", "a {}", "the {}", "a photo of {}", "a picture of {}", "a drawing of {}")
"""In which the words of a direction stand (prompt ensembling: Radford et al., 2103.00020, section 3.1.4). Those with a word that
the model does not know are left out."""
NEAR = 5  # features nearest to a direction
_CACHED = 256  # directions: 2 MB where d_joint is 1,280


class KnownFeatures:
    """The features of a bank, and the directions that a backbone's text encoder makes. Safe to use from several threads."""

    def __init__(self, backbone: "Backbone", bank: FeatureBank, joint: "JointSpace", presence: "Presence") -> None:
        self._backbone, self._bank, self._joint, self._presence = backbone, bank, joint, presence
        self._made: Cache[Wording, Direction] = Cache(_CACHED)

    def get(self, feature: str | int) -> Feature | Direction:
        """A feature of the bank by id or name; else the direction of a name with an arrow, "cat → dog" or "→ night".

        Raises:
            SteerError: there is no such feature, or no direction can be made of the name: the model does not know a word, or both
                sides mean the same to it.
        """
        if self._bank.find(feature) is not None or not is_direction(feature):
            return self._bank.get(feature)
        wording = read_wording(str(feature))
        direction = self._made.get(wording)
        if direction is None:
            direction = self._of_words(wording)
            self._made.put(wording, direction)
        return direction

    def _of_words(self, wording: Wording) -> Direction:
        """The mean joint vector of the second wording minus that of the first, each in the same templates."""
        start, end = self._templated(wording)
        step = (end - start).mean(0)
        length = float(step.norm())
        if length < 1e-4:
            raise SteerError(
                f"the direction {str(wording)!r} leads nowhere: to this model both sides mean the same; give other words"
            )
        bank, side = self._bank, self._presence.side
        near = nearest(bank.directions, step, NEAR)
        closest = tuple((bank.features[row], cosine) for row, cosine in near)
        change = self._presence.of(end, side).mean(0) - self._presence.of(start, side).mean(0)
        weights = [
            (feature, float(change[feature.latent].abs() * bank.tensors[f"steering_{side}"][feature.latent].norm()))
            for feature in bank.features if feature.side == side
        ]  # fmt: skip
        if not any(
            weight for _, weight in weights
        ):  # no feature of the bank takes part: its nearest one says what it is like
            weights = [(closest[0][0], 1.0)]
        shares, mds = shares_of(weights)
        usable = range_between(bank.tensors, bank.features, step)
        modality = max(MODALITIES, key=lambda one: shares[one])
        return Direction(str(wording), wording, step / length, length, usable, modality, mds, shares, closest)

    def _templated(self, wording: Wording) -> "tuple[torch.Tensor, torch.Tensor]":
        """The joint vectors of both wordings in each template that this model can read, `[n_templates, d_joint]` each."""
        words = encode(self._backbone, list(wording))
        if unknown := list(dict.fromkeys((*words.unknown[0], *words.unknown[1]))):
            raise SteerError(f"the model does not know {', '.join(unknown)}: give the direction in other words")
        bare = encode(self._backbone, [template.format("") for template in TEMPLATES]).unknown
        known = [template for template, unknown in zip(TEMPLATES, bare, strict=True) if not unknown]
        texts = [" ".join(template.format(side).split()) for side in wording for template in known]
        x, _ = self._joint.project(encode(self._backbone, texts).last)
        return x[: len(known)], x[len(known) :]


def shares_of(weights: Sequence[tuple[Feature, float]]) -> tuple[dict[Modality, float], float]:
    """What a direction is made of.

    Each feature counts by how far it moves the joint vector from one end of the direction to the other: the change of its presence
    times the length of its steering vector. The dictionary of texts reads the ends of a direction of words; so no part of it is
    vision-only, unless both sides share one dictionary.

    Args:
        weights: features, with how far each moves.

    Returns:
        The share of each class, together 1; and the features' mean Modality Dominance Score, by their weights.
    """
    total = sum(weight for _, weight in weights)
    shares = {m: sum(w for feature, w in weights if feature.modality == m) / total for m in MODALITIES}
    return shares, sum(feature.mds * weight for feature, weight in weights) / total
