"""Trains an ordinary UNet: on captions alone, as real checkpoints are, never on an edit.

Studies measure on it what steering does to a UNet that was not trained to be steered.
"""

from pathlib import Path

from mmsteer.world.models.parts import replace_folder
from mmsteer.world.training.condition_batches import CAPTIONS_ALONE
from mmsteer.world.training.tasks.teacher import TeacherTask


class OrdinaryTask(TeacherTask):
    """The teacher's loss on true captions and, now and then, the empty prompt; no weight is projected."""

    name = part = "ordinary"
    condition_shares = CAPTIONS_ALONE

    def project_out_language(self, step: int) -> None:
        """Do nothing: an ordinary UNet reads all that its captions say."""

    def export(self, folder: Path) -> None:
        """Write the UNet to `ordinary` in half precision, not marked as trained to be steered."""
        replace_folder(folder / self.part, self.unet.half().save_pretrained)
