"""Thirteen properties that can be measured on any picture, each with two poles that a person can name.

They need nothing but pixels, so they can name features of any bank. Each is a plain statistic of colours or of slopes (first
differences of luma), designed so that no property follows from another: sharpness is curvature over slope, which does not
depend on contrast; corners are compared along rows, which a bright sky does not affect.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

SIDE = 128  # pixels: every picture is measured at this width and height
_BLOCK = 8  # pixels: width and height of the blocks in which sharpness is measured
_EDGE = 0.02  # smallest change of brightness between neighbouring pixels that counts as an edge
_CHUNK = 64  # pictures measured together: small enough to stay in the processor's cache


class Property(NamedTuple):
    """One measurable property and the words for its two ends."""

    name: str
    high: str
    low: str
    meaning: str


PROPERTIES: tuple[Property, ...] = (
    Property("warmth", "warm colours", "cool colours", "mean of red minus blue"),
    Property("light", "warm light", "cool light", "red minus blue of what is lightest: the tint of the light"),
    Property("greenness", "green colours", "purple colours", "mean of green minus the mean of red and blue"),
    Property("brightness", "bright", "dark", "mean luma"),
    Property("contrast", "strong contrast", "weak contrast", "standard deviation of luma"),
    Property("saturation", "vivid colours", "pale colours", "mean of the largest minus the smallest channel"),
    Property("detail", "much detail", "little detail", "mean slope of luma"),
    Property("balance", "detail on the right", "detail on the left", "where slope has its centre, from -1 to 1"),
    Property("sharpness", "sharp", "soft", "curvature over slope, median of all blocks with an edge"),
    Property("surroundings", "sharp surroundings", "soft surroundings", "the same, softest tenth of the outer blocks"),
    Property("corners", "bright corners", "dark corners", "log luma of a row's ends over its middle, top and bottom rows"),
    Property("border", "bright border", "dark border", "luma of the rim minus just inside, least of the four sides"),
    Property("tilt", "tilted right", "tilted left", "mean slope of near-horizontal edges; right: the right end is lower"),
)  # fmt: skip


def measure(pictures: torch.Tensor) -> torch.Tensor:
    """Measure pictures.

    Args:
        pictures: `uint8 [B, 3, H, W]` of any size from 32 pixels.

    Returns:
        `float32 [B, n_properties]`, in the order of `PROPERTIES`. Colours and luma run from 0 to 1; lengths are pixels of a
        copy of 128x128; tilt is pixels down per pixel to the right.
    """
    if not len(pictures):
        return torch.zeros(0, len(PROPERTIES))
    return torch.cat([_measure(chunk.float() / 255) for chunk in torch.split(pictures, _CHUNK)])


def _measure(x: torch.Tensor) -> torch.Tensor:
    """Measure `float [B, 3, H, W]` in [0, 1]: `[B, n_properties]`."""
    if x.shape[-2:] != (SIDE, SIDE):
        x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    luma = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1)
    half = F.avg_pool2d(x, 2)  # enough for colours, and for slopes whose direction noise must not change
    half_luma = F.avg_pool2d(luma, 2)
    red, green, blue = half.mean((2, 3)).unbind(1)
    lightest = half[..., 6:-6, 6:-6].flatten(2).topk(54, 2).values[..., -1]  # one in fifty is lighter; no border
    slope = torch.stack(_slopes(luma)).square().sum(0).sqrt()
    sharpness, surroundings = _sharpness(luma, slope)
    return torch.stack(
        [
            red - blue, lightest[:, 0] - lightest[:, 2], green - (red + blue) / 2,
            luma.mean((1, 2)), luma.std((1, 2)), (half.amax(1) - half.amin(1)).mean((1, 2)),
            slope.mean((1, 2)), _balance(slope), sharpness, surroundings,
            _corners(half_luma), _border(luma), _tilt(half_luma[:, 6:-6, 6:-6]),
        ],
        1,
    )  # fmt: skip


def _slopes(luma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Change per pixel across and down `[B, H - 2, W - 2]` of the inner pixels of `[B, H, W]`."""
    return (luma[:, 1:-1, 2:] - luma[:, 1:-1, :-2]) / 2, (luma[:, 2:, 1:-1] - luma[:, :-2, 1:-1]) / 2


def _balance(slope: torch.Tensor) -> torch.Tensor:
    """Where slope has its centre: -1 at the left edge of the picture, 1 at the right."""
    x = torch.linspace(-1, 1, slope.shape[-1])
    return (slope * x).sum((1, 2)) / slope.sum((1, 2)).clamp(min=1e-6)


def _sharpness(luma: torch.Tensor, slope: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sharpness of the picture and of its surroundings: curvature over slope, each the largest of its block.

    It is 2 at a step between neighbouring pixels and 0.2 where that step is blurred by 3 pixels. Blocks at the rim are left
    out; a picture without edges has 1.
    """
    near = luma[:, 1:-1, 2:] + luma[:, 1:-1, :-2] + luma[:, 2:, 1:-1] + luma[:, :-2, 1:-1]
    curved, steep = (
        F.max_pool2d(F.pad(v, (1, 1, 1, 1)), _BLOCK) for v in ((near - 4 * luma[:, 1:-1, 1:-1]).abs(), slope)
    )
    ratio = torch.where(steep > _EDGE, curved / steep.clamp(min=_EDGE), math.nan)[:, 2:-2, 2:-2]
    outer = torch.ones(ratio.shape[1:], dtype=torch.bool)
    outer[2:-2, 2:-2] = False
    overall, softest = ratio.flatten(1).nanquantile(0.5, 1), ratio[:, outer].nanquantile(0.1, 1)
    return overall.nan_to_num(1.0), softest.nan_to_num(1.0)


def _corners(luma: torch.Tensor) -> torch.Tensor:
    """Ends of the top and bottom rows against their middle, so that a bright sky makes no dark corners. Leaves out a border."""
    n = luma.shape[-1]
    rim, band, end, middle = n // 14, n // 4, n // 7, n // 4
    rows = (torch.cat([luma[:, rim:band], luma[:, -band:-rim]], 1) + 0.02).log()
    ends = torch.cat([rows[..., rim:end], rows[..., -end:-rim]], 2)
    return ends.mean((1, 2)) - rows[..., middle:-middle].mean((1, 2))


def _border(luma: torch.Tensor) -> torch.Tensor:
    """The outermost 4 pixels of each side against those 10 to 14 from it. All four sides must agree: a sky is no border."""
    sides = [luma.rot90(k, (1, 2))[:, :, 14:-14] for k in range(4)]
    steps = torch.stack([side[:, :4].mean((1, 2)) - side[:, 10:14].mean((1, 2)) for side in sides], 1)
    return steps.amin(1).clamp(min=0) + steps.amax(1).clamp(max=0)


def _tilt(luma: torch.Tensor) -> torch.Tensor:
    """Mean slope of edges less steep than one half, weighted by the root of their strength, or one sharp edge would decide."""
    across, down = _slopes(luma)
    level = across.abs() < down.abs() / 2
    weight = level * down.abs().sqrt() * (down.abs() > 0.002)
    slope = torch.where(level, -across / torch.where(level, down, 1.0), 0.0)
    return (weight * slope).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1e-6)
