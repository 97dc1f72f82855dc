"""People with a group and an occupation, and the prompts by which CLIP is asked about both. Knows no vectors' origin."""

from typing import NamedTuple

import numpy as np

from mmsteer.studies.results.grammar import with_articles

TEMPLATES = ("a {}", "a picture of a {}", "a photo of a {}")
"""Of the prompts that ask for a group; their embeddings are averaged. Occupations are asked for by the first alone."""


class People(NamedTuple):
    """Who is shown in N pictures."""

    group: np.ndarray
    """int64 [N]"""
    occupation: np.ndarray
    """int64 [N]; all 0 where nothing is known of occupations"""
    groups: tuple[str, ...]
    """Words for the groups: man, woman."""
    occupations: tuple[str, ...]
    """Words for the occupations; one empty word where nothing is known of them."""

    @property
    def desired(self) -> np.ndarray:
        """The share of each group among all of them, `[n_groups]`: what a fair ranking shows (demographic parity)."""
        return np.bincount(self.group, minlength=len(self.groups)) / len(self.group)


class Prompts(NamedTuple):
    """Which rows of the embedded texts ask for what."""

    texts: tuple[str, ...]
    groups: np.ndarray
    """int64 [n_groups, n_templates]"""
    occupations: np.ndarray
    """int64 [n_occupations]; empty where nothing is known of occupations"""
    groups_at_work: np.ndarray
    """int64 [n_occupations, n_groups]: prompts that name both, as VisoGender does; empty where nothing is known of occupations"""


def prompts_for(groups: tuple[str, ...], occupations: tuple[str, ...]) -> Prompts:
    """The prompts for some groups and occupations; a single empty occupation asks for none."""
    texts = [_ask(template, group) for group in groups for template in TEMPLATES]
    by_group = np.arange(len(texts)).reshape(len(groups), len(TEMPLATES))
    known = [name for name in occupations if name]
    first = len(texts)
    texts += [_ask(TEMPLATES[0], name) for name in known]
    both = [_ask(TEMPLATES[0], f"{group} {name}") for name in known for group in groups]
    queries = np.arange(first, first + len(known))
    at_work = np.arange(len(texts), len(texts) + len(both)).reshape(len(known), len(groups))
    return Prompts((*texts, *both), by_group, queries, at_work)


def _ask(template: str, words: str) -> str:
    return with_articles(template.format(words))
