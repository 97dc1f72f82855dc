"""An ordinary UNet of the world: trained on captions alone, as real checkpoints are, never on an edit.

On it the studies measure what steering does to a UNet that was not trained to be steered.
"""

from pathlib import Path

from mmsteer.world.training.checkpoint import replace_folder
from mmsteer.world.training.conditioning import CAPTIONS_ALONE
from mmsteer.world.training.teacher import TeacherTask


class OrdinaryTask(TeacherTask):
    """The teacher's loss, given nothing but true captions and, now and then, none; no weight is projected."""

    name = part = "ordinary"
    mixture = CAPTIONS_ALONE

    def keep_blind(self, step: int) -> None:
        """An ordinary UNet notices whatever its captions say."""

    def export(self, folder: Path) -> None:
        replace_folder(folder / self.part, self.unet.half().save_pretrained)
