"""How a joint-space difference reaches what the UNet reads: the text route, onto hidden states and the pooled vector; and the image
route, onto an image embedding, where the UNet reads one.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError
from mmsteer.models.backbone import Backbone
from mmsteer.models.conditioning import Conditioning
from mmsteer.models.families import Family
from mmsteer.models.joint_space import JointSpace
from mmsteer.recipes.direction import Features
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.picture import Picture
from mmsteer.steering.difference import Differences
from mmsteer.steering.schedule import Move, Schedule

if TYPE_CHECKING:
    import torch

    from mmsteer.models.prompt import Encoded
    from mmsteer.steering.prompt_state import PromptState


def image_norm(backbone: Backbone, bank: FeatureBank) -> float | None:
    """How long the image embeddings are that a UNet reads beside the prompt; None if it reads none."""
    if backbone.image_width is None:
        return None
    own = backbone.family.image_norm(backbone.pipeline) if backbone.family.image else None
    return own or float(bank.tensors.get("image_norm", 0.0))


class Routes:
    """The routes of the backbones of one family with one bank."""

    def __init__(
        self,
        family: Family,
        bank: FeatureBank,
        joint: JointSpace,
        image_norm: float | None = None,
        known: Features | None = None,
    ) -> None:
        """Put them together.

        Args:
            family: of the backbone.
            bank: the features.
            joint: the map into the joint space.
            image_norm: how long the image embeddings are that the UNet reads; None if it reads none.
            known: knows what edits name; None: the bank alone, without directions.
        """
        self.joint, self._bank, self._family = joint, bank, family
        self._known: Features = bank if known is None else known
        self.reads_image = image_norm is not None
        """Whether the UNet reads an image embedding beside the prompt: then vision-only features act on that alone."""
        self._image_norm = image_norm or 0.0

    def schedule(
        self, state: "PromptState", edits: Sequence[Edit], pooled: float, picture: Picture | None = None
    ) -> Schedule:
        """What edits and a picture add to what the UNet reads, and when (`Steerer.schedule`)."""
        differences = Differences(self._bank, self._known, state.x, state.presence, edits)
        moves, shift = [], state.x * 0
        for words, start, end in dict.fromkeys((e.words, e.start, e.end) for e in edits):
            group = [e for e in edits if (e.words, e.start, e.end) == (words, start, end)]
            image_only = [e for e in group if self._known.get(e.feature).image_only]
            self._check_possible(group[0], image_only)
            dx, dx_image_only = (
                differences.of(part) for part in ([e for e in group if e not in image_only], image_only)
            )
            if dx.any() or dx_image_only.any():
                moves.append(self.move(state, dx, dx_image_only, words, start, end, pooled))
                shift = shift + dx + dx_image_only
        if picture is not None and picture.share:
            moves.append(self._of_picture(state, picture))
        return Schedule(self.conditioning(state), moves, shift)

    def _check_possible(self, first: Edit, image_only: Sequence[Edit]) -> None:
        """SteerError where edits of the same words and step range, `first` among them, ask for what this backbone cannot do."""
        if (first.start, first.end) != (0.0, 1.0) and not self._family.phases:
            raise SteerError(
                f"an edit is to act from {first.start:g} to {first.end:g} of the run, but pipelines of {self._family.title} read the "
                "prompt once for the whole run: leave the range out"
            )
        if first.words and not self._family.words:
            raise SteerError(
                f"an edit is bound to {', '.join(map(repr, first.words))}, but {self._family.title} reads CLIP as one vector for the whole "
                "prompt: leave the words of this edit out"
            )
        if first.words and image_only and self.reads_image:
            name = self._known.get(image_only[0].feature).name
            raise SteerError(
                f"{name!r} is vision-only, or made of pictures: here such features act on an image embedding, which has no words: "
                "leave the words of this edit out"
            )

    def conditioning(self, state: "PromptState") -> Conditioning:
        """What the UNet reads without edits."""
        conditioning = state.encoded.conditioning
        if not self.reads_image:
            return conditioning
        return conditioning._replace(image=self._image_of(state.x).to(conditioning.hidden))

    def _image_of(self, x: "torch.Tensor") -> "torch.Tensor":
        """An image embedding for a prompt nobody has a picture of, `[B, d_joint]`: its joint vector, moved over the modality gap
        (Liang et al., 2203.02053) by the difference of the mean embeddings of both sides.
        """
        moved: torch.Tensor = x - self._bank.tensors["mean_text"].to(x) + self._bank.tensors["mean_image"].to(x)
        moved = moved / moved.norm(dim=-1, keepdim=True)
        return moved * self._image_norm

    def _of_picture(self, state: "PromptState", picture: Picture) -> Move:
        """A picture's image embedding in the place of the prompt's own, as what it adds to that; in between, on the way from one
        direction to the other.

        Raises:
            SteerError: the denoiser reads no image embedding, or one of another width.
        """
        import torch

        if not self.reads_image:
            raise SteerError(
                "the recipe has a whole picture, and this backbone reads no image embedding: give an image adapter with "
                "--ip-adapter, or leave the picture out"
            )
        own, given = self._image_of(state.x), torch.tensor(picture.vector)[None]
        if given.shape[1] != own.shape[1]:
            raise SteerError(
                f"the picture's embedding is {given.shape[1]} wide, and this backbone reads embeddings {own.shape[1]} wide: read the "
                "picture again here, or leave it out"
            )
        begin, end = (part / part.norm(dim=-1, keepdim=True) for part in (own, given))
        mixed = torch.lerp(begin, end, picture.share)
        return Move(0.0, 1.0, None, None, mixed / mixed.norm(dim=-1, keepdim=True) * self._image_norm - own)

    def move(
        self,
        state: "PromptState",
        dx: "torch.Tensor",
        dx_image_only: "torch.Tensor | None" = None,
        words: tuple[str, ...] = (),
        start: float = 0.0,
        end: float = 1.0,
        pooled: float = 1.0,
    ) -> Move:
        """A joint-space difference as what it adds to what the UNet reads.

        Where the UNet reads an image embedding, all of the difference moves that, and only `dx` moves the hidden states: an
        ordinary UNet makes nothing of hidden states that no caption leads to. Elsewhere both move the hidden states.

        Args:
            state: B prompts.
            dx: `[B, d_joint]`, of features that prompts can contain.
            dx_image_only: `[B, d_joint]`, of features that no prompt contains.
            words: of each prompt, whose rows to move; none means every row but the first.
            start: where in the sampling run it begins, 0 to 1.
            end: where it ends.
            pooled: how much of it the pooled vector takes.

        Raises:
            SteerError: a word is not in a prompt.
        """
        both = dx if dx_image_only is None else dx + dx_image_only
        by_text = dx if self.reads_image else both
        dh = self.joint.lift(by_text, state.norm)[:, None] * _chosen_rows(state.encoded, words)  # [B, T, d_text]
        dpooled = pooled * self.joint.lift_pooled(by_text, state.norm) if self._family.pooled and not words else None
        dimage = both * self._image_norm if self.reads_image and not words else None
        return Move(start, end, dh, dpooled, dimage)


def _chosen_rows(encoded: "Encoded", words: tuple[str, ...]) -> "torch.Tensor":
    """Which rows are moved, `[B, T, 1]` of 0 and 1: those of some words, or all but the start of each chunk."""
    import torch

    mask = torch.zeros(*encoded.hidden.shape[:2], 1)
    if not words:
        mask[:] = 1
        mask[:, list(encoded.starts)] = 0
    for prompt in range(len(mask)):
        for word in words:
            mask[prompt, list(encoded.rows(prompt, word))] = 1
    return mask
