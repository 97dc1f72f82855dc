"""How alike the samples are on which a feature fires: EmbSim and WinRate, MonoSemanticity, cross-modal MonoSemanticity.

Pure functions of torch tensors. Codes are `[N, n_latents]`: activations of any features, or coordinates of raw embeddings.
Embeddings are `[N, d]`, of the same samples, by another encoder than the one the features read; only their directions
count. Every score is `[n_latents]`, one number a feature.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

_CHUNK = 64  # features compared at once: their top samples are held in memory


class TopSimilarity(NamedTuple):
    """How much more alike a feature's top samples are than random ones; NaN where it fires on fewer than m samples."""

    emb_sim: torch.Tensor
    """[n_latents], in [-2, 2]: mean similarity among top samples minus that of top to random samples"""
    win_rate: torch.Tensor
    """[n_latents], in [0, 1]: how often a top sample is more like another top sample than like a random one"""


def top_similarity(codes: torch.Tensor, embeddings: torch.Tensor, m: int = 20, seed: int = 0) -> TopSimilarity:
    """EmbSim and WinRate (2502.14888) of the m >= 2 samples that activate each feature most.

    With Z+ the embeddings of those and Z- of m random samples, `[m, d]`, S+ = Z+ Z+^T and S- = Z+ Z-^T:
    EmbSim is the mean of S+_ij - S-_ij over i != j, WinRate the share of them with S+_ij > S-_ij. The paper's text was
    not available: these are its formulas as given elsewhere, with m = 20.

    Args:
        codes: activations, `[N, n_latents]`.
        embeddings: of the same samples, `[N, d]`.
        m: how many top samples, and how many random ones.
        seed: of the random samples.
    """
    e = F.normalize(embeddings, dim=1)
    others = torch.randint(len(codes), (codes.shape[1], m), generator=torch.Generator().manual_seed(seed))
    emb_sim, win_rate = torch.full((2, codes.shape[1]), torch.nan, dtype=e.dtype)
    apart = ~torch.eye(m, dtype=torch.bool)
    enough = ((codes > 0).sum(0) >= m).nonzero()[:, 0]
    for start in range(0, len(enough), _CHUNK):
        part = enough[start : start + _CHUNK]
        z_top, z_random = e[codes[:, part].topk(m, dim=0).indices.T], e[others[part]]  # [_CHUNK, m, d]
        alike, chance = ((z_top @ z.mT)[:, apart] for z in (z_top, z_random))  # [_CHUNK, m (m - 1)]
        emb_sim[part] = (alike - chance).mean(1)
        win_rate[part] = (alike > chance).to(e.dtype).mean(1)
    return TopSimilarity(emb_sim, win_rate)


def monosemanticity(codes: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
    """MonoSemanticity score (Pach et al., 2504.02821): mean similarity of two samples, weighted by both activations.

    MS = sum_{i<j} a_i a_j cos(e_i, e_j) / sum_{i<j} a_i a_j, with a a feature's activations scaled to [0, 1] over all
    samples. With unit rows e_i that is (|sum a_i e_i|^2 - sum a_i^2) / ((sum a_i)^2 - sum a_i^2). NaN with fewer than
    two samples of a > 0.
    """
    a = _scaled(codes)
    total, squares = a.sum(0), a.square().sum(0)
    together = a.T @ F.normalize(embeddings, dim=1)
    score = (together.square().sum(1) - squares) / (total.square() - squares)
    return torch.where((a > 0).sum(0) > 1, score, torch.nan)


def cross_monosemanticity(
    codes_a: torch.Tensor, embeddings_a: torch.Tensor, codes_b: torch.Tensor, embeddings_b: torch.Tensor
) -> torch.Tensor:
    """Cross-modal MonoSemanticity (MMS; Kaushik et al., 2601.20028): how alike a feature's samples of two modalities are.

    MMS = sum_ij a_i b_j cos(e_i, f_j) / sum_ij a_i b_j = <sum a_i e_i, sum b_j f_j> / (sum a_i sum b_j), over every
    sample i of one modality and j of the other, scaled as in `monosemanticity`. Column k of both codes is feature k;
    both embeddings are of one space. 0 for a split feature, which one modality never activates.
    """
    a, b = _scaled(codes_a), _scaled(codes_b)
    together = (a.T @ F.normalize(embeddings_a, dim=1)) * (b.T @ F.normalize(embeddings_b, dim=1))
    weight = a.sum(0) * b.sum(0)
    return torch.where(weight > 0, together.sum(1) / weight, 0.0)


def _scaled(codes: torch.Tensor) -> torch.Tensor:
    """Activations of each feature from 0 (its least) to 1 (its most); all 0 where they are all the same."""
    low, high = codes.aminmax(dim=0)
    return torch.where(high > low, (codes - low) / (high - low), 0.0)
