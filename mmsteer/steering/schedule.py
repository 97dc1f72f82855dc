"""What the UNet reads over the sampling run: the prompt's own conditioning, and what edits add to it, when.

Pure: adds tensors up; knows nothing of features or pictures.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.models.conditioning import Conditioning

if TYPE_CHECKING:
    import torch


class Move(NamedTuple):
    """What some edits add to what the UNet reads, over one part of the run."""

    start: float
    end: float
    dh: "torch.Tensor | None"
    """[B, T, d_text], zero on rows that are not chosen; None for a whole picture."""
    dpooled: "torch.Tensor | None" = None
    """[B, d_pooled], where the UNet reads a pooled vector too and the edits are not bound to words."""
    dimage: "torch.Tensor | None" = None
    """[B, d_joint], likewise for an image embedding."""


class Schedule:
    """What the UNet reads for B prompts, at each moment of the sampling run."""

    def __init__(self, conditioning: Conditioning, moves: "list[Move]", shift: "torch.Tensor") -> None:
        self.moves = moves
        """None of them without edits: then `at` gives the very conditioning."""
        self.shift = shift
        """[B, d_joint]: the sum of all joint-space differences."""
        self._states: dict[tuple[int, ...], Conditioning] = {(): conditioning}

    @property
    def prompt(self) -> Conditioning:
        """What is read without edits."""
        return self._states[()]

    @property
    def changes(self) -> bool:
        """Whether what is read changes during the run."""
        return any((move.start, move.end) != (0.0, 1.0) for move in self.moves)

    def at(self, fraction: float) -> Conditioning:
        """What is read at a fraction of the run: the same object for as long as nothing changes."""
        active = tuple(i for i, move in enumerate(self.moves) if move.start <= fraction < move.end)
        if active not in self._states:
            moves = [self.moves[i] for i in active]
            prompt = self._states[()]
            self._states[active] = prompt._replace(
                hidden=_moved(prompt.hidden, [move.dh for move in moves]),
                pooled=_moved(prompt.pooled, [move.dpooled for move in moves]),
                image=_moved(prompt.image, [move.dimage for move in moves]),
            )
        return self._states[active]

    def beside_before(self) -> "Schedule":
        """The same for 2B prompts: these B without edits, then these B."""
        import torch

        def below(part: "torch.Tensor | None") -> "torch.Tensor | None":
            return None if part is None else torch.cat([part * 0, part])

        both = Conditioning(*(None if part is None else torch.cat([part, part]) for part in self.prompt))  # type: ignore[arg-type]
        moves = [Move(m.start, m.end, below(m.dh), below(m.dpooled), below(m.dimage)) for m in self.moves]
        return Schedule(both, moves, torch.cat([self.shift * 0, self.shift]))


def _moved(part: Any, differences: "list[torch.Tensor | None]") -> Any:
    """A part of the conditioning with differences added, in its own precision."""
    terms = [difference for difference in differences if difference is not None]
    return (part.float() + sum(terms[1:], terms[0]).to(part.device)).to(part) if terms else part
