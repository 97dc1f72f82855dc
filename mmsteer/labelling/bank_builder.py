"""The bank that dictionaries make: latents matched, scored and named, with the tensors to a backbone."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsteer.models.registry import public_name

if TYPE_CHECKING:
    import torch

    from mmsteer.data.embeddings import Embedded
    from mmsteer.data.splits import Splits
    from mmsteer.models.backbone import Backbone
    from mmsteer.models.clip import Clip
    from mmsteer.training.objectives import Dictionaries

FITTED_ON = 10_000  # captions that the tensors is fitted on
NORMED = 64  # pictures on which the length of image embeddings is measured


def make_bank(
    found: "Dictionaries", splits: "Splits", about: dict[str, Any], backbone: str | None, out: Path, read: bool
) -> None:
    """Match latents, score and name features, fit the tensors, and write the bank with its example sheets.

    With `read`, latents left single are read across; `about` says how the dictionaries came to be.
    """
    import torch

    from mmsteer.bank import MODALITIES, FeatureBank
    from mmsteer.labelling.examples import look_again, write_examples
    from mmsteer.labelling.known_names import agrees
    from mmsteer.labelling.mutual_exclusion import find_mutually_exclusive
    from mmsteer.labelling.score import Clues, make_features, pair_up, quality
    from mmsteer.labelling.shared_dictionary import as_shared
    from mmsteer.labelling.text_to_joint import calibrate, fit_tensors

    clip, reader, train, matching, scoring, source, candidates, written, meta = splits
    sides = {side: quality(getattr(found, side), getattr(scoring, side)) for side in ("image", "text")}
    print(f"on held-out pairs: {sides}", flush=True)
    found, latents = pair_up(found, matching, train if read else None)
    dictionaries = {"image": found.image, "text": found.text}
    joint, told = _joint(clip, train, reader)
    alone = [caption for scene in written for caption in scene]
    told_alone = clip.words(alone).unflatten(0, (len(written), -1)) if written else None
    tensors = joint | fit_tensors(train, dictionaries, told_alone)
    some = [picture for _, picture in source.pictures(scoring.items[:NORMED].tolist())]
    tensors["image_norm"] = torch.tensor(clip.image_norm(some))
    properties, tiles = look_again(source, scoring.items.tolist())
    clues = Clues(properties, candidates, clip.words(candidates).numpy(), tensors["steering_text"].numpy())
    features, top = make_features(found, latents, scoring, clues, source.scheme)
    if found.image is found.text:
        features, tensors, dictionaries = as_shared(features, tensors, found.image)
    features = find_mutually_exclusive(features, dictionaries, train.text)
    features = calibrate(features, tensors, train.sample(FITTED_ON).text)
    meta = {
        "backbone": public_name(backbone) if backbone else None,
        **meta,
        **about,
        "sides": sides,
        "text_to_joint": told,
    }
    bank = FeatureBank(features, meta, dictionaries, tensors)
    bank.save(out)
    write_examples(out / "examples", tiles, top)
    for modality in MODALITIES:
        own = Counter(f.named_by for f in features if f.modality == modality)
        print(
            f"{modality:9s} {own.total():4d} features: {own['truth']} named after a factor, "
            f"{own['words'] + own['property']} by words or properties, {own[None]} without a sure name"
        )
    known = [f for f in features if f.named_by == "truth"]
    if known and source.scheme is not None:
        agree = sum(agrees(f.automatic, f.name, source.scheme) for f in known)
        print(f"the automatic name agrees with the known one for {agree} of {len(known)}")
    print(f"wrote {out}")


def _joint(
    clip: "Clip", train: "Embedded", reader: "Backbone | None"
) -> "tuple[dict[str, torch.Tensor], dict[str, Any]]":
    """The map between what the backbone reads and the joint space; without a backbone CLIP's own projection."""
    from mmsteer.labelling.text_to_joint import fit_joint

    if reader is not None:
        some = train.sample(FITTED_ON)
        first = {
            caption: k for k, caption in reversed(list(enumerate(some.captions)))
        }  # faithfulness is told on unseen ones
        rows = sorted(first.values())
        return fit_joint(reader, [some.captions[k] for k in rows], some.text[rows], clip.projection)
    assert clip.projection is not None, "`open_inputs` has checked it"
    return {"projection": clip.projection}, {"kind": "projection"}
