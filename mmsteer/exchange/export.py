"""The dictionaries of a bank as folders that SAELens loads."""

import shutil
from pathlib import Path

from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError

# the outputs of CLIPModel that each dictionary reads, at unit length
_OUTPUTS = {"image": "image_embeds", "text": "text_embeds", "shared": "image_embeds and text_embeds"}


def export_bank(bank: FeatureBank, out: Path) -> list[Path]:
    """Write each dictionary as SAELens reads it (`SAE.load_from_disk(folder)`), with the name of the vectors that it reads.

    Args:
        bank: Its dictionaries are written.
        out: A folder that does not exist yet. It is written under another name and then renamed.

    Returns:
        The folders of the dictionaries in `out`.

    Raises:
        SteerError: If `out` exists.
    """
    if out.exists():
        raise SteerError(f"{out} exists: give a folder that does not, or move that one away")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    clip = bank.meta.get("clip", {})
    model = clip.get("id", "clip") if isinstance(clip, dict) else clip
    for side, dictionary in bank.dictionaries.items():
        about = {"model_name": model, "hook_name": _OUTPUTS[side], "dataset_path": bank.origin}
        dictionary.save(partial / side, about)
    partial.replace(out)
    return [out / side for side in bank.dictionaries]
