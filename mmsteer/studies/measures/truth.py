"""Features against the world's known factors: what each is identified as, and which values embeddings carry at all."""

from typing import NamedTuple

import numpy as np
import torch

from mmsteer.bank import Modality
from mmsteer.bank.mds import Score
from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.codes import Codes
from mmsteer.labelling.cross_modal_probe import fit_probes
from mmsteer.labelling.feature_records import true_names
from mmsteer.labelling.known_names import LEAST_CONFIDENCE, concepts, f1
from mmsteer.studies.measures.cases import Value
from mmsteer.world.factors import FACTORS, INDEX
from mmsteer.world.scheme import SCHEME


class LabelledFeature(NamedTuple):
    """One feature's label beside the truth."""

    label: Modality
    """By the absolute rule."""
    score: Score
    value: Value | None
    """The factor value it is identified as."""

    @property
    def truth(self) -> Modality | None:
        """The modality of the value it is identified as."""
        return FACTORS[INDEX[self.value[0]]].modality if self.value else None


def identify(active: Codes, drawn: Embedded, captioned: Embedded) -> list[Value | None]:
    """The factor value that each feature detects with F1 >= 0.7 on its stronger side; None where it detects none.

    Args:
        active: activations of the features on N pairs.
        drawn: the pairs whose factors the pictures show.
        captioned: the pairs whose factors the captions mention; other ones than `drawn` where captions were shuffled.
    """
    names = true_names(active, drawn, captioned, SCHEME)
    return [(name.factor, name.value) if name.name_confidence >= LEAST_CONFIDENCE else None for name in names]


def decodable(fitting: Embedded, testing: Embedded) -> set[Value]:
    """Factor values that a linear probe (`fit_probes`) reads with F1 >= 0.7 from every side that shows or mentions them."""
    readable = set(values())
    for side in ("image", "text"):
        names, truth = concepts(SCHEME, fitting.factors, fitting.mentioned, side)
        _, present = concepts(SCHEME, testing.factors, testing.mentioned, side)
        probes, cuts = fit_probes(torch.from_numpy(truth.astype(np.float32)), getattr(fitting, side))
        scores = f1((getattr(testing, side) @ probes.T > cuts).numpy(), present).diagonal()
        readable -= {name for name, score in zip(names, scores, strict=True) if score < LEAST_CONFIDENCE}
    return readable


def values() -> list[Value]:
    """Every factor value that has a name of its own."""
    return [(f.name, v) for f in FACTORS for v in f.values if v != f.neutral]
