"""One dictionary for both sides, and the penalties that pull its two codes of a pair together."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from mmsteer import distributed
from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.training.auxiliary_k import AuxiliaryK
from mmsteer.training.config import DictionarySizes, TrainingConfig
from mmsteer.training.dictionaries import Dictionaries
from mmsteer.training.scaling import fit_scaling
from mmsteer.training.sparse import SparseCode, Support, batch_topk_support, sparse_encode, topk_support
from mmsteer.training.trainer import new_dictionary, train, update_thresholds


@dataclass(frozen=True)
class SharedDictionary:
    """An objective: one dictionary for both sides."""

    centred: bool = True
    """A mean and a scale for each modality, instead of one for all rows."""
    batch_topk: bool = False
    """BatchTopK instead of TopK."""
    group_weight: float = 0.0
    """Weight of the L2,1 norm of paired codes (2601.20028)."""
    masked: float = 0.0
    """Share of coordinates that are hidden from the encoder, the same ones on both sides of a pair (2601.20028)."""
    cosine_weight: float = 0.0
    """Weight of the cosine between paired codes, each without its strongest latent (2602.06218)."""

    def __call__(
        self, image: torch.Tensor, text: torch.Tensor, sizes: DictionarySizes, config: TrainingConfig
    ) -> Dictionaries:
        """Train on matched rows `[N, d_joint]`."""
        generator = torch.Generator().manual_seed(config.seed)
        scalings = [fit_scaling(x, 0) for x in (image, text)] if self.centred else [fit_scaling(image, 0, text)] * 2
        on_device = [scaling.to(config.device) for scaling in scalings]
        k, d_in = sizes.shared_k, image.shape[1]
        shape = SAEConfig(d_in, sizes.shared_latents, None if self.batch_topk else k)
        dictionary = new_dictionary(shape, generator, config.device)
        auxiliary = AuxiliaryK(dictionary, 2 * k, config)
        thresholds = torch.full((2,), torch.nan, device=config.device)

        def loss(indices: torch.Tensor) -> torch.Tensor:
            rows = torch.cat([s.batch(x, indices) for s, x in zip(on_device, (image, text), strict=True)])
            visible = self._mask(rows, config.batch_size, generator)
            with torch.no_grad():
                pre_activations = dictionary.pre_activations(visible)
            if self.batch_topk:
                support, smallest = _batch_topk_of_each_side(pre_activations, k * config.batch_size)
                update_thresholds(thresholds, smallest)
            else:
                support = topk_support(pre_activations, k)
            code = sparse_encode(dictionary, visible, pre_activations, support)
            residual = rows - dictionary.b_dec - code.decode(dictionary.W_dec)
            error = residual.square().mean() + auxiliary(visible, pre_activations, code.active(), residual)
            return self._with_penalties(error, code, d_in)

        train([dictionary], loss, len(image), config, generator)
        folded = [scaling.fold(dictionary) for scaling in scalings]
        _set_thresholds(folded, thresholds)
        return Dictionaries(folded[0], folded[1], paired=True)

    def _mask(self, rows: torch.Tensor, batch_size: int, generator: torch.Generator) -> torch.Tensor:
        """Rows of both sides `[2 * B, d_in]` as the encoder sees them."""
        if not self.masked:
            return rows
        visible = distributed.share(torch.rand(batch_size, rows.shape[1], generator=generator) >= self.masked)
        return rows * visible.repeat(2, 1).to(rows.device)

    def _with_penalties(self, error: torch.Tensor, code: SparseCode, d_in: int) -> torch.Tensor:
        """The loss: the reconstruction error, and what pulls paired codes together."""
        if self.group_weight:
            z, w = code.dense().chunk(2)
            error = error + self.group_weight * (z.square() + w.square() + 1e-12).sqrt().sum(1).mean() / d_in
        if self.cosine_weight:
            z, w = (half * (half < half.max(1, keepdim=True).values) for half in code.dense().chunk(2))
            error = error - self.cosine_weight * F.cosine_similarity(z, w, dim=1).mean()
        return error


def _batch_topk_of_each_side(pre_activations: torch.Tensor, count: int) -> tuple[Support, torch.Tensor]:
    """BatchTopK with a budget for each side: over a mixed batch one of them would take most of it."""
    (image, least_image), (text, least_text) = (batch_topk_support(half, count) for half in pre_activations.chunk(2))
    rows = torch.cat([image.row, text.row + len(pre_activations) // 2])
    return Support(rows, torch.cat([image.latent, text.latent])), torch.stack([least_image, least_text])


def _set_thresholds(sides: list[SparseAutoencoder], thresholds: torch.Tensor) -> None:
    for side, threshold in zip(sides, thresholds, strict=True):
        if side.threshold is not None:
            side.threshold.fill_(float(threshold))
