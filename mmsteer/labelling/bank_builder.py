"""Build a bank from trained dictionaries: match latents, score and name features, fit the tensors, write the folder."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsteer.models.registry import public_name

if TYPE_CHECKING:
    import torch

    from mmsteer.bank import Feature
    from mmsteer.data.annotations import AnnotationScheme
    from mmsteer.data.splits import Splits
    from mmsteer.training.dictionaries import Dictionaries

_NORM_PICTURES = 64  # on which the length of image embeddings is measured


def build_bank(
    dictionaries: "Dictionaries",
    splits: "Splits",
    about: dict[str, Any],
    backbone: str | None,
    out: Path,
    probe: bool,
) -> None:
    """Build a bank and write it with its example sheets. Prints what the features came to.

    Args:
        dictionaries: one for each side.
        splits: pairs to train, match and score on, with the CLIP that embedded them.
        about: how the dictionaries were made; becomes part of the bank's `meta`.
        backbone: the name of the backbone to steer, if any.
        out: the bank's folder.
        probe: whether latents without a partner get a cross-modal probe.
    """
    from mmsteer.bank import FeatureBank
    from mmsteer.bank.shared_dictionary import as_shared
    from mmsteer.labelling.examples import read_pictures, write_examples
    from mmsteer.labelling.feature_records import feature_records
    from mmsteer.labelling.match import match_latents
    from mmsteer.labelling.mutual_exclusion import find_mutually_exclusive
    from mmsteer.labelling.naming.automatic_names import NamingEvidence
    from mmsteer.labelling.ood import with_usable_ranges
    from mmsteer.labelling.text_to_joint import MAX_CAPTIONS
    from mmsteer.training.dictionaries import quality

    train, scoring = splits.train, splits.scoring
    sides = {side: quality(getattr(dictionaries, side), getattr(scoring, side)) for side in ("image", "text")}
    print(f"on held-out pairs: {sides}", flush=True)

    dictionaries, latents = match_latents(dictionaries, splits.matching, train if probe else None)
    tensors, text_to_joint = _fit_tensors(splits, dictionaries)
    properties, thumbnails = read_pictures(splits.source, scoring.items.tolist())
    evidence = NamingEvidence(
        scoring.captions, properties, splits.candidates, splits.clip.embed_texts(splits.candidates).numpy(),
        choosing=scoring.picture % 2 == 0,  # no picture both chooses names and scores them
    )  # fmt: skip
    features, top_pairs = feature_records(
        dictionaries, latents, scoring, evidence, tensors["steering_text"].numpy(), splits.source.scheme
    )

    by_side = {"image": dictionaries.image, "text": dictionaries.text}
    if dictionaries.image is dictionaries.text:
        features, tensors, by_side = as_shared(features, tensors, dictionaries.image)
    features = find_mutually_exclusive(features, by_side, train.text)
    features = with_usable_ranges(features, tensors, train.sample(MAX_CAPTIONS).text)
    commit = splits.reader.commit if splits.reader else None
    meta = {
        "backbone": public_name(backbone) if backbone else None,
        **({"backbone_commit": commit} if commit else {}),
        **splits.meta,
        **about,
        "sides": sides,
        "text_to_joint": text_to_joint,
    }
    FeatureBank(features, meta, by_side, tensors).save(out)
    write_examples(out / "examples", thumbnails, top_pairs)
    _print_summary(features, splits.source.scheme)
    print(f"wrote {out}")


def _fit_tensors(splits: "Splits", dictionaries: "Dictionaries") -> "tuple[dict[str, torch.Tensor], dict[str, Any]]":
    """All tensors of a bank beside its dictionaries (`mmsteer.bank.tensors`), and what to record of its text-to-joint map."""
    import torch

    from mmsteer.labelling.ood import embedding_statistics
    from mmsteer.labelling.steering_vectors import steering_tensors

    clip, train, scenes = splits.clip, splits.train, splits.captions_only
    text_to_joint, about = _text_to_joint(splits)
    embedded = None
    if scenes:
        flat = clip.embed_texts([caption for scene in scenes for caption in scene])
        embedded = flat.view(len(scenes), -1, flat.shape[1])
    by_side = {"image": dictionaries.image, "text": dictionaries.text}
    numbers = splits.scoring.items[:_NORM_PICTURES].tolist()
    pictures = [picture for _, picture in splits.source.pictures(numbers)]
    return {
        **text_to_joint,
        **steering_tensors(train, by_side, embedded),
        **embedding_statistics(train),
        "image_norm": torch.tensor(clip.image_norm(pictures)),
    }, about


def _text_to_joint(splits: "Splits") -> "tuple[dict[str, torch.Tensor], dict[str, Any]]":
    """The map between what the backbone reads and the joint space; without a backbone CLIP's own projection."""
    from mmsteer.labelling.text_to_joint import MAX_CAPTIONS, fit_text_to_joint

    clip, backbone = splits.clip, splits.reader
    if backbone is None:
        assert clip.projection is not None, "`open_inputs` refuses a CLIP without one"
        return {"projection": clip.projection}, {"kind": "projection"}
    sample = splits.train.sample(MAX_CAPTIONS)
    # the first row of each caption: faithfulness is measured on captions the fit has not seen
    first = {caption: row for row, caption in reversed(list(enumerate(sample.captions)))}
    rows = sorted(first.values())
    return fit_text_to_joint(backbone, [sample.captions[row] for row in rows], sample.text[rows], clip.projection)


def _print_summary(features: "list[Feature]", scheme: "AnnotationScheme | None") -> None:
    """How many features of each modality have a name, and from where."""
    from mmsteer.bank import MODALITIES
    from mmsteer.labelling.naming.known_names import agrees

    for modality in MODALITIES:
        named = Counter(f.named_by for f in features if f.modality == modality)
        print(
            f"{modality:9s} {named.total():4d} features: {named['truth']} named after a factor, "
            f"{named['words'] + named['property']} after words or properties, {named[None]} without a reliable name"
        )
    known = [f for f in features if f.named_by == "truth"]
    if known and scheme is not None:
        agree = sum(agrees(f.automatic, f.name, scheme) for f in known)
        print(f"the automatic name agrees with the known one for {agree} of {len(known)}")
