"""Search for features by meaning: the words of a query against the features' directions in the joint space."""

from typing import TYPE_CHECKING

from mmsteer.bank import MODALITIES, Feature, FeatureBank
from mmsteer.bank.search import nearest
from mmsteer.errors import SteerError
from mmsteer.models.prompt import check_prompt
from mmsteer.steering.directions import in_templates

if TYPE_CHECKING:
    from mmsteer.models.backbone import Backbone
    from mmsteer.models.joint_space import JointSpace


def search(
    backbone: "Backbone", bank: FeatureBank, joint: "JointSpace", text: str, modality: str | None, count: int
) -> list[tuple[Feature, float]]:
    """The features nearest in meaning to some words.

    Compared is what the words add to the empty prompt in the joint space, since by themselves all texts lie close together: the
    mean over the wordings of directions (`mmsteer.steering.directions.TEMPLATES`).

    Args:
        backbone: whose text encoder reads the words.
        bank: the features.
        joint: the map into the joint space that belongs to both.
        text: words that the model knows.
        modality: `vision`, `language` or `cross`; None for all.
        count: at most this many, from 1 on.

    Returns:
        Features with their cosines, nearest first.

    Raises:
        SteerError: for no text, words that the model does not know, and values out of range.
    """
    if modality not in (None, *MODALITIES):
        raise SteerError(f"`modality` is {modality!r}: allowed are {', '.join(MODALITIES)}, or none for all")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SteerError(f"`count` is {count!r}: give a whole number from 1 on")
    nothing, words = in_templates(backbone, joint, ("", check_prompt(text)))
    added = (words - nothing).mean(0)
    ranked = [(bank.features[row], cosine) for row, cosine in nearest(bank.directions, added, len(bank.features))]
    return [(feature, cosine) for feature, cosine in ranked if modality in (None, feature.modality)][:count]
