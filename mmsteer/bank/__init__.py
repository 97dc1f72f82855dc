"""What is known of features: a bank of them, their Modality Dominance Scores, search, a map, and which backbones a bank fits."""

from mmsteer.bank.bank import FeatureBank
from mmsteer.bank.feature import MODALITIES, Feature, Modality, NamedBy

__all__ = ["MODALITIES", "Feature", "FeatureBank", "Modality", "NamedBy"]
