"""The world's factors, described for those who read its samples but not its files."""

from mmsteer.data import annotations
from mmsteer.data.annotations import AnnotationScheme, FactorValue
from mmsteer.world.captions import wordings
from mmsteer.world.factors import FACTORS, Factor, label

# The pole of a picture property (`mmsteer.labelling.picture_properties`) as which a value is drawn.
_PICTURE_PROPERTIES = {
    ("light", "warm"): "warm light", ("light", "cool"): "cool light", ("vignette", "on"): "dark corners",
    ("frame", "on"): "bright border", ("softness", "soft"): "soft surroundings", ("tilt", "left"): "tilted left",
    ("tilt", "right"): "tilted right",
}  # fmt: skip
_FUNCTION_WORDS = frozenset({"in", "on", "at", "the", "a", "to", "by"})


def _describe(factor: Factor) -> annotations.Factor:
    values = [
        FactorValue(v, label(factor.name, v), wordings(factor.name, v), _PICTURE_PROPERTIES.get((factor.name, v)))
        for v in factor.values
    ]
    return annotations.Factor(factor.name, factor.modality, tuple(values), factor.neutral)


SCHEME = AnnotationScheme(tuple(_describe(factor) for factor in FACTORS), _FUNCTION_WORDS)
"""All factors, in the order of `mmsteer.world.factors.FACTORS`."""
