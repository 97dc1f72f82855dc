"""What CLIP says of people's group, and whom it finds for an occupation: by embeddings alone, for any CLIP and any people."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from mmsteer.studies.bias.people import People, Prompts
from mmsteer.studies.bias.skew import kl, max_skew, ndkl, shares


class Detection(NamedTuple):
    """Figures by occupation."""

    right: np.ndarray
    """accuracy of the group's zero-shot detection, [n_occupations, n_groups]; NaN where there is nobody"""
    right_at_work: np.ndarray
    """the same where the prompt names the occupation, too"""
    shares: np.ndarray
    """of each group in the top K for the occupation, [n_occupations, n_groups]; no rows where no occupation is known"""
    max_skew: np.ndarray
    """[n_occupations]"""
    ndkl: np.ndarray
    """[n_occupations]"""
    kl: np.ndarray
    """[n_occupations]"""


def detect(image: torch.Tensor, text: torch.Tensor, people: People, prompts: Prompts, top: int) -> Detection:
    """Ask for everybody's group, and rank everybody for each occupation.

    Args:
        image: unit embeddings of the people's pictures, `[N, d_joint]`.
        text: unit embeddings of `prompts.texts`, `[M, d_joint]`.
        people: who they are.
        prompts: which text asks for what.
        top: K, how many of the best are looked at.
    """
    groups = F.normalize(text[torch.from_numpy(prompts.groups)].mean(1), dim=1)
    seen = (image @ groups.T).argmax(1).numpy()
    right = _by_cell(seen == people.group, people)
    at_work = right * np.nan
    ranked = []
    for k, query in enumerate(prompts.occupations):
        members = people.occupation == k
        named = text[torch.from_numpy(prompts.groups_at_work[k])]
        answer = (image[torch.from_numpy(members)] @ named.T).argmax(1).numpy()
        for g in range(len(people.groups)):
            of_group = people.group[members] == g
            at_work[k, g] = (answer == g)[of_group].mean() if of_group.any() else np.nan
        order = torch.argsort(image @ text[int(query)], descending=True, stable=True)[:top]
        ranked.append(people.group[order.numpy()])
    desired = people.desired
    return Detection(
        right, at_work,
        shares=np.array([shares(r, len(desired)) for r in ranked]).reshape(-1, len(desired)),
        max_skew=np.array([max_skew(r, desired) for r in ranked]),
        ndkl=np.array([ndkl(r, desired) for r in ranked]),
        kl=np.array([kl(shares(r, len(desired)), desired) for r in ranked]),
    )  # fmt: skip


def _by_cell(right: np.ndarray, people: People) -> np.ndarray:
    """Share of right answers by occupation and group, `[n_occupations, n_groups]`; NaN where there is nobody."""
    cells = np.full((len(people.occupations), len(people.groups)), np.nan)
    for k in range(len(people.occupations)):
        for g in range(len(people.groups)):
            members = (people.occupation == k) & (people.group == g)
            if members.any():
                cells[k, g] = right[members].mean()
    return cells


def gap_by_occupation(right: np.ndarray) -> np.ndarray:
    """Best minus worst accuracy of the groups in each occupation, `[n_occupations, n_groups]` to `[n_occupations]`."""
    return np.asarray(np.nanmax(right, axis=1) - np.nanmin(right, axis=1))
