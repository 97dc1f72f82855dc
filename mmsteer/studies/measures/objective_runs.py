"""One training run of an objective on pairs of the world, with its features identified against the known factors.

Runs are independent, and `run_job` is called in processes of their own.
"""

from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
import torch

from mmsteer.bank.mds import absolute_rule
from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.codes import FeatureLatents, encode_pairs
from mmsteer.labelling.match import match_latents
from mmsteer.studies.measures.factor_similarity import similarity
from mmsteer.studies.measures.truth import LabelledFeature, identify
from mmsteer.training.config import DictionarySizes, TrainingConfig
from mmsteer.training.dictionaries import Dictionaries, quality
from mmsteer.training.objectives import train_dictionaries
from mmsteer.world.embedding import embed_world
from mmsteer.world.models.assembly import MINI


class Job(NamedTuple):
    """One training run, and the world it is measured in."""

    name: str
    objective: str
    probe: bool
    """Whether the cross-modal probe extends single latents (`mmsteer.labelling.cross_modal_probe`)."""
    world: str
    """`world`, `shuffled` (pictures with the captions of others) or `untrained` (a CLIP with random weights)."""
    seed: int
    steps: int


class DatasetSplits(NamedTuple):
    """The pairs of a study, embedded once and then read from a folder."""

    folder: Path
    seed: int
    pairs: int
    """To train on."""
    held_out: int
    """Half of them to match on, half to score on."""

    def embed(self, world: str) -> tuple[Embedded, Embedded, Embedded]:
        """Pairs to train on, to match on, to score on."""
        clip = self.folder / "untrained" if world == "untrained" else MINI / "clip"
        train = embed_world(clip, self.seed + 1, self.pairs, self.folder)
        held_out = embed_world(clip, self.seed + 2, self.held_out, self.folder)
        return train, held_out.part(0, self.held_out // 2), held_out.part(self.held_out // 2, self.held_out)


class Run(NamedTuple):
    """What a job led to."""

    job: Job
    seconds: float
    dictionaries: Dictionaries
    latents: list[FeatureLatents]
    features: list[LabelledFeature]
    sides: dict[str, dict[str, float]]
    similarity: list[dict[str, Any]]


def write_untrained(folder: Path) -> None:
    """Write a CLIP of the embedded one's shape with random weights."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    torch.manual_seed(0)
    CLIPModel(CLIPConfig.from_pretrained(MINI / "clip")).save_pretrained(folder)
    for part in (CLIPTokenizer, CLIPImageProcessorPil):
        part.from_pretrained(MINI / "clip").save_pretrained(folder)


def run_job(job: Job, splits: DatasetSplits) -> Run:
    """Train the dictionaries of a job, match their latents, and identify the features on fresh pairs."""
    train, matching, scoring = splits.embed(job.world)
    captioned = scoring
    if job.world == "shuffled":
        train, matching, captioned = (_shuffled(part) for part in (train, matching, scoring))
        scoring = scoring._replace(text=captioned.text)
    began = monotonic()
    sizes, config = DictionarySizes(), TrainingConfig(job.steps, seed=job.seed)
    dictionaries = train_dictionaries(job.objective, train.image, train.text, sizes, config)
    dictionaries, latents = match_latents(dictionaries, matching, train if job.probe else None)
    seconds = monotonic() - began
    active = encode_pairs(dictionaries, scoring).of(latents)
    values = identify(active, scoring, captioned)
    scores = active.scores(resamples=1)
    features = [LabelledFeature(absolute_rule(s), s, v) for s, v in zip(scores, values, strict=True)]
    sides = {"image": quality(dictionaries.image, scoring.image), "text": quality(dictionaries.text, scoring.text)}
    return Run(job, seconds, dictionaries, latents, features, sides, similarity(job.name, active, scoring))


def _shuffled(pairs: Embedded) -> Embedded:
    """Captions of other pictures: text, captions and the factors they mention in another order; pictures as they were."""
    order = np.random.default_rng(0).permutation(len(pairs.captions))
    return Embedded(
        pairs.image, pairs.text[torch.from_numpy(order)], [pairs.captions[i] for i in order], pairs.factors[order],
        pairs.mentioned[order],
    )  # fmt: skip
