"""How visible a change is: peak signal-to-noise ratio, and structural similarity (SSIM, Wang et al. 2004)."""

import torch
import torch.nn.functional as F

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # the paper's constants for values in 0..255


def psnr(pictures: torch.Tensor, changed: torch.Tensor) -> torch.Tensor:
    """Of each picture in dB, `[B]`, for `uint8 [B, 3, S, S]`; infinite where nothing changed."""
    error = (pictures.double() - changed.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(255**2 / error)


def ssim(pictures: torch.Tensor, changed: torch.Tensor) -> torch.Tensor:
    """Mean over positions and channels, `[B]`, for `uint8 [B, 3, S, S]`: an 11 by 11 Gaussian window, sigma 1.5, no padding."""
    at = torch.arange(_WINDOW, dtype=torch.double) - _WINDOW // 2
    line = torch.exp(-at.square() / (2 * _SIGMA**2))
    window = (line[:, None] * line / line.sum() ** 2).expand(3, 1, -1, -1)

    def local_mean(values: torch.Tensor) -> torch.Tensor:
        return F.conv2d(values, window, groups=3)

    a, b = pictures.double(), changed.double()
    mean_a, mean_b = local_mean(a), local_mean(b)
    var_a, var_b = local_mean(a * a) - mean_a**2, local_mean(b * b) - mean_b**2
    cov = local_mean(a * b) - mean_a * mean_b
    same = (2 * mean_a * mean_b + _C1) * (2 * cov + _C2) / ((mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2))
    return same.flatten(1).mean(1)
