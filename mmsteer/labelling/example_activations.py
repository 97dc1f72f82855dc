"""How strongly the features of a bank fire on their examples, for banks made before builds measured it."""

from mmsteer.bank import FeatureBank
from mmsteer.data.embeddings import Embedded
from mmsteer.errors import SteerError
from mmsteer.labelling.codes import encode_pairs
from mmsteer.labelling.feature_records import TOP_CAPTIONS, activations, top_pairs_of
from mmsteer.training.dictionaries import Dictionaries


def measure_examples(bank: FeatureBank, scoring: Embedded) -> dict[int, dict[str, tuple[float, ...]]]:
    """Find each feature's examples among the pairs that it was scored on, and read its activations there.

    Args:
        bank: its dictionaries and the captions of its examples are read.
        scoring: the pairs that the bank was scored on.

    Returns:
        By feature id, `picture_activations` and `caption_activations`, for `FeatureBank.set_example_activations`.

    Raises:
        SteerError: a feature fires most on other captions than the bank says: these are not its pairs.
    """
    image, text = (bank.dictionaries.get(side) or bank.dictionaries["shared"] for side in ("image", "text"))
    codes = encode_pairs(Dictionaries(image, text, paired=False), scoring)
    codes = codes.of([(f.image_latent, f.text_latent) for f in bank.features])
    measured = {}
    for k, feature in enumerate(bank.features):
        rows = top_pairs_of(codes, k)
        captions = tuple(scoring.captions[row] for row in rows[:TOP_CAPTIONS])
        if captions != feature.top_captions:
            raise SteerError(
                f"{feature.name!r} fires most on {captions[0]!r}, and the bank says {feature.top_captions[0]!r}: give the pairs, the seed "
                "and the share held out that the bank was made with"
            )
        measured[feature.id] = activations(codes, k, rows)
    return measured
