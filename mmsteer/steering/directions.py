"""Features by name, and directions by their definition: the one place where an edit's name becomes what it adds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmsteer.bank import MODALITIES, Feature, FeatureBank, Modality
from mmsteer.bank.ood import range_between
from mmsteer.bank.search import nearest
from mmsteer.errors import SteerError
from mmsteer.models.prompt import encode
from mmsteer.recipes.direction import Contrast, Direction, Wording, is_direction, read_source
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
PARTS = 8  # features that a direction of pictures is taken apart into
_CACHED = 256  # directions: 2 MB where d_joint is 1,280


class KnownFeatures:
    """The features of a bank, and directions: those of words a backbone's text encoder makes. Safe to use from several threads."""

    def __init__(self, backbone: "Backbone", bank: FeatureBank, joint: "JointSpace", presence: "Presence") -> None:
        self._backbone, self._bank, self._joint, self._presence = backbone, bank, joint, presence
        self._made: Cache[Wording | Contrast, Direction] = Cache(_CACHED)

    def get(self, feature: str | int) -> Feature | Direction:
        """A feature of the bank by id or name; else the direction of a name with an arrow, "cat → dog" or "→ night", or with the numbers
        of pictures, "dusk~…".

        Raises:
            SteerError: there is no such feature, or no direction can be made of the name: the model does not know a word, both sides mean
                the same to it, or the numbers are damaged or another CLIP's.
        """
        if self._bank.find(feature) is not None or not is_direction(feature):
            return self._bank.get(feature)
        source = read_source(str(feature))
        direction = self._made.get(source)
        if direction is None:
            direction = self._of_words(source) if isinstance(source, Wording) else self._of_pictures(source)
            self._made.put(source, direction)
        return direction

    def _of_words(self, wording: Wording) -> Direction:
        """The mean joint vector of the second wording minus that of the first, each in the same templates."""
        start, end = in_templates(self._backbone, self._joint, wording)
        step = (end - start).mean(0)
        length = float(step.norm())
        if length < 1e-4:
            raise SteerError(
                f"the direction {str(wording)!r} leads nowhere: to this model both sides mean the same; give other words"
            )
        bank, side = self._bank, self._presence.side
        change = self._presence.of(end, side).mean(0) - self._presence.of(start, side).mean(0)
        weights = [
            (feature, float(change[feature.latent].abs() * bank.tensors[f"steering_{side}"][feature.latent].norm()))
            for feature in bank.features if feature.side == side
        ]  # fmt: skip
        return self._made_of(wording, step, bank.features, bank.directions, weights)

    def _of_pictures(self, contrast: Contrast) -> Direction:
        """The direction of a contrast, taken apart into features along their vectors in pictures."""
        import torch

        bank, step = self._bank, torch.tensor(contrast.vector)
        if (width := len(bank.tensors["mean_image"])) != len(step):
            raise SteerError(
                f"the direction {contrast.title!r} was made of embeddings {len(step)} wide, and those here are {width} wide: make it of "
                "its pictures again here"
            )
        seen = [f for f in bank.features if f.modality != "language" and (f.shared or f.image_latent is not None)]
        if not seen:
            raise SteerError(
                "this bank has no feature that pictures have, so it cannot say what a slider from pictures is"
            )
        rows = torch.stack([_in_pictures(bank, feature) for feature in seen])
        rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)  # [n_features, d_joint]
        parts = matching_pursuit(rows, step, PARTS)
        return self._made_of(contrast, step, seen, rows, [(seen[row], abs(amount)) for row, amount in parts.items()])

    def _made_of(
        self,
        source: Wording | Contrast,
        step: "torch.Tensor",
        features: Sequence[Feature],
        rows: "torch.Tensor",
        weights: list[tuple[Feature, float]],
    ) -> Direction:
        """A direction with all that is said of it.

        Args:
            source: what it is made of.
            step: `[d_joint]`, from one end to the other.
            features: among which the nearest are looked for.
            rows: their vectors, `[n_features, d_joint]`, of unit length.
            weights: features that make it up, with how far each moves.
        """
        near = tuple((features[row], cosine) for row, cosine in nearest(rows, step, NEAR))
        if not any(weight for _, weight in weights):  # none takes part: its nearest one says what it is like
            weights = [(near[0][0], 1.0)]
        shares, mds = shares_of(weights)
        usable = range_between(self._bank.tensors, self._bank.features, step)
        modality = max(MODALITIES, key=lambda one: shares[one])
        length = float(step.norm())
        return Direction(source, step / length, length, usable, modality, mds, shares, near)


def in_templates(backbone: "Backbone", joint: "JointSpace", texts: Sequence[str]) -> "list[torch.Tensor]":
    """The joint vectors of each text in each template that the model can read, `[n_templates, d_joint]` each.

    SteerError for texts with words that the model does not know.
    """
    unknown = [word for words in encode(backbone, list(texts)).unknown for word in words]
    if unknown:
        raise SteerError(f"the model does not know {', '.join(dict.fromkeys(unknown))}: use other words")
    bare = encode(backbone, [template.format("") for template in TEMPLATES]).unknown
    known = [template for template, unread in zip(TEMPLATES, bare, strict=True) if not unread]
    filled = [" ".join(template.format(text).split()) for text in texts for template in known]
    x, _ = joint.project(encode(backbone, filled).last)
    return [x[k * len(known) : (k + 1) * len(known)] for k in range(len(texts))]


def shares_of(weights: Sequence[tuple[Feature, float]]) -> tuple[dict[Modality, float], float]:
    """What a direction is made of.

    Each feature counts by how far it moves the joint vector from one end of the direction to the other. Of words, that is the change of
    its presence times the length of its steering vector: the dictionary of texts reads both ends, so no part is vision-only, unless
    both sides share one dictionary. Of pictures, it is the feature's part in a sparse sum of vectors that pictures have, so no part is
    language-only, again unless they share one.

    Args:
        weights: features, with how far each moves.

    Returns:
        The share of each class, together 1; and the features' mean Modality Dominance Score, by their weights.
    """
    total = sum(weight for _, weight in weights)
    shares = {m: sum(w for feature, w in weights if feature.modality == m) / total for m in MODALITIES}
    return shares, sum(feature.mds * weight for feature, weight in weights) / total


def matching_pursuit(rows: "torch.Tensor", vector: "torch.Tensor", most: int) -> dict[int, float]:
    """A vector as a sum of few rows: the row nearest to what is left joins, then all amounts are fitted again.

    Orthogonal matching pursuit (Pati et al., 1993); Bhalla et al. (2402.10376) take CLIP's embeddings apart into concepts likewise.

    Args:
        rows: `[n, d]`, of unit length.
        vector: `[d]`.
        most: how many rows join.

    Returns:
        Row -> its amount.
    """
    import torch

    chosen: list[int] = []
    amounts, left = rows.new_zeros(0), vector
    while len(chosen) < min(most, len(rows)) and float(left.norm()) > 1e-4 * float(vector.norm()):
        cosines = (rows @ left).abs()
        cosines[chosen] = -1
        chosen.append(int(cosines.argmax()))
        amounts = torch.linalg.lstsq(rows[chosen].T, vector[:, None], driver="gelsd").solution[:, 0]
        left = vector - amounts @ rows[chosen]
    return dict(zip(chosen, amounts.tolist(), strict=True))


def _in_pictures(bank: FeatureBank, feature: Feature) -> "torch.Tensor":
    """What a feature adds to a picture's embedding, `[d_joint]`."""
    if feature.shared:
        return bank.tensors["steering_shared"][feature.latent].float()
    assert feature.image_latent is not None
    return bank.tensors["steering_image"][feature.image_latent].float()
