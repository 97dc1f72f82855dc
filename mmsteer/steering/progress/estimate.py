"""What noisy latents will become: the clean latents that a sampler is on its way to."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_SPREAD = 2.0  # standard deviation of clean latents, which autoencoders scale to about 1, at most


def clean(
    scheduler: Any, times: "torch.Tensor", before: "torch.Tensor | None", now: "torch.Tensor"
) -> "torch.Tensor | None":
    """The clean latents on the straight line through two states of a run.

    A state is a x0 + s e, with the a and s of its time. A step of DDIM, of Euler's method and of rectified flow keeps x0 and e, so two
    states give x0 (Song et al., 2010.02502, equation 12). Solvers of higher order bend the line a little. Where a sampler adds noise of
    its own there is no line: then what the state says by itself, least squares for x0 and e of unit variance.

    Args:
        scheduler: of diffusers, with timesteps set.
        times: [2], of both states.
        before: the first state, None if it is not known.
        now: the second, of the same shape.

    Returns:
        x0, or None for a scheduler that does not say how noisy a state is.
    """
    levels = [_level(scheduler, time, now) for time in times]
    if None in levels:
        return None
    (a, s), (b, r) = levels[1], levels[0]  # type: ignore[misc]
    if before is not None and abs(r * a - s * b) > 1e-6:
        straight = (r * now - s * before) / (r * a - s * b)
        if straight.std() <= _SPREAD:
            return straight
    return now * a / (a * a + s * s)


def _level(scheduler: Any, time: "torch.Tensor", like: "torch.Tensor") -> "tuple[float, float] | None":
    """How much signal and how much noise a state has at a time, by the scheduler's own way to add noise."""
    import torch

    one, zero = (like.new_full((1, 1, 1, 1), value) for value in (1.0, 0.0))
    at = time.reshape(1).to(like.device)
    try:
        if hasattr(scheduler, "scale_noise"):
            signal, noise = scheduler.scale_noise(one, at, zero), scheduler.scale_noise(zero, at, one)
        else:
            signal, noise = scheduler.add_noise(one, zero, at), scheduler.add_noise(zero, one, at)
    except (AttributeError, IndexError, NotImplementedError):
        return None
    level = torch.cat([signal.flatten(), noise.flatten()])
    return (float(level[0]), float(level[1])) if torch.isfinite(level).all() else None
