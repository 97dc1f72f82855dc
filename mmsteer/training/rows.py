"""Rows of embeddings, read chunk by chunk, so that they may lie on disk and be of any number."""

from collections.abc import Iterator

import torch

from mmsteer.errors import SteerError


def chunks(x: torch.Tensor, size: int = 65_536) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the first row number and the rows of each chunk of `size` rows."""
    for start in range(0, len(x), size):
        yield start, x[start : start + size]


def mean_and_covariance(*sides: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean `[d]` and covariance `[d, d]` of the rows `[N, d]` of all sides together."""
    count = sum(len(x) for x in sides)
    mean = torch.stack([chunk.sum(0, dtype=torch.float64) for x in sides for _, chunk in chunks(x)]).sum(0) / count
    centred = ((chunk - mean.float()) for x in sides for _, chunk in chunks(x))
    return mean.float(), torch.stack([chunk.T @ chunk for chunk in centred]).sum(0) / count


def check_rows(x: torch.Tensor, n_latents: int, name: str) -> None:
    """Check that rows `x [N, d_in]` can be trained on.

    Raises:
        SteerError: for fewer rows than latents, or with the number of the first row that is zero or not finite.
    """
    if len(x) < n_latents:
        raise SteerError(f"{name}: {len(x)} pairs for {n_latents} latents: give more pairs or ask for fewer latents")
    for start, chunk in chunks(x):
        bad = (~chunk.isfinite().all(1)) | (chunk == 0).all(1)
        if bad.any():
            raise SteerError(
                f"{name}: embedding {start + int(bad.nonzero()[0])} is zero or not finite: leave that pair out, or repair "
                "the file it came from"
            )
