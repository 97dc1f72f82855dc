"""The auxiliary-k loss, which revives dead latents (Gao et al., 2406.04093, A.2)."""

import torch

from mmsteer import distributed
from mmsteer.models.sae import SparseAutoencoder
from mmsteer.training.config import TrainingConfig
from mmsteer.training.sparse import Support, sparse_encode, topk_support


class AuxiliaryK:
    """The auxiliary-k loss of one dictionary: its dead latents alone reconstruct what the others leave over.

    Args:
        dictionary: the one that is trained.
        k: how many dead latents fire for one row.
        config: when a latent counts as dead, and the weight of the loss.
    """

    def __init__(self, dictionary: SparseAutoencoder, k: int, config: TrainingConfig) -> None:
        self._steps_silent = torch.zeros(dictionary.config.n_latents, dtype=torch.long, device=dictionary.W_dec.device)
        self._dictionary, self._k, self._config = dictionary, k, config

    def __call__(
        self, x: torch.Tensor, pre_activations: torch.Tensor, active: torch.Tensor, residual: torch.Tensor
    ) -> torch.Tensor:
        """Count which latents were active in this step, and return the weighted loss: zero where none is dead.

        Args:
            x: rows `[B, d_in]`.
            pre_activations: those of `x`, `[B, n_latents]`.
            active: bool `[n_latents]`, which latents fired for any row.
            residual: `[B, d_in]`, what their reconstruction left over.
        """
        active = distributed.all_reduce(active.long()) > 0
        self._steps_silent = torch.where(active, 0, self._steps_silent + 1)
        dead = (self._steps_silent > self._config.dead_after).nonzero()[:, 0]
        if not len(dead):
            return residual.new_zeros(())
        row, among_dead = topk_support(pre_activations[:, dead], min(self._k, len(dead)))
        code = sparse_encode(self._dictionary, x, pre_activations, Support(row, dead[among_dead]))
        error = residual.detach() - code.decode(self._dictionary.W_dec)
        return self._config.auxiliary_weight * error.square().mean()
