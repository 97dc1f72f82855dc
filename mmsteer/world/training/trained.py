"""Where a run finds trained models: first among those it has trained itself, then in the folder it starts from."""

from pathlib import Path

from mmsteer.errors import SteerError


class TrainedParts:
    """Folders of trained models, one a part: "clip", "vae", "judge", "teacher", "unet", "ordinary", "adapter".

    Args:
        trained: Folder of the parts that this run has trained.
        start: Folder named with `--from`; None if the run starts from random weights. SteerError if it is missing.
    """

    def __init__(self, trained: Path, start: Path | None) -> None:
        if start is not None and not start.is_dir():
            raise SteerError(f"--from {start}: there is no such folder; the shipped models are in assets/mini")
        self.trained, self.start = trained, start

    def require(self, name: str) -> Path:
        """The folder of a part that a stage needs; SteerError says where it is missing."""
        places = [folder / name for folder in (self.trained, self.start) if folder is not None]
        for place in places:
            if place.is_dir():
                return place
        raise SteerError(
            f"there is no {name} in {' or '.join(str(place.parent) for place in places)}: train it first, or name a folder "
            "that has it with --from"
        )

    def initial(self, *names: str) -> Path | None:
        """The folder of the weights that a stage starts from: the first of `names` in `--from`, None without `--from`.

        SteerError if `--from` has none of them.
        """
        if self.start is None:
            return None
        for name in names:
            if (self.start / name).is_dir():
                return self.start / name
        raise SteerError(
            f"--from {self.start} has no {' or '.join(names)}: name a folder that has, for example assets/mini"
        )

    def optional(self, name: str) -> Path | None:
        """The folder of a part in `--from`, None if there is none: for stages that may also start from random weights."""
        return self.start / name if self.start is not None and (self.start / name).is_dir() else None
