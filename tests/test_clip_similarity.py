"""CLIP similarity of pictures to a prompt and to features, and how the page shows it."""

import numpy as np

from mmsteer import Edit, FeatureBank, Sampler, Steerer, SteerError
from mmsteer.steering.clip_similarity import Similarity, clip_similarity
from mmsteer.steering.picture_features import PictureReader
from mmsteer.ui.steer.reading import Reading, similarities

FAST = Sampler(3, 3.0)


def test_likeness_is_the_cosine_in_the_joint_space(tiny: Steerer):
    reader, result = (
        PictureReader(tiny),
        tiny.steer("a cat", [Edit("night"), Edit("warm light"), Edit("lovely")], 3, FAST),
    )
    found = clip_similarity(reader, result.recipe, [result.before, result.after])
    assert [one.name for one in found] == ["the prompt", "night", "warm light", "lovely"]
    x = reader.embed([result.before, result.after])
    assert np.allclose(found[1].values, (x @ tiny.bank.dictionaries["image"].W_dec[1]).tolist(), atol=1e-5)
    assert np.allclose(found[2].values, (x @ tiny.bank.dictionaries["image"].W_dec[2]).tolist(), atol=1e-5)
    assert np.allclose(found[3].values, (x @ tiny.bank.dictionaries["text"].W_dec[5]).tolist(), atol=1e-5)
    shifted = FeatureBank(
        tiny.bank.features, tiny.bank.meta, tiny.bank.dictionaries, tiny.bank.tensors | {"mean_image": x[0]}
    )
    centred = clip_similarity(
        PictureReader(Steerer(tiny.backbone, shifted)), result.recipe, [result.before, result.after]
    )
    assert centred[1].values[0] == 0  # the mean picture is neither for nor against
    assert centred[0] == found[0]


def test_numbers_are_short_and_markup_is_text(tiny: Steerer):
    many = [Similarity("the prompt", (0.5, 0.25)), *(Similarity(f"<b>{k}", (-0.1, 0.2)) for k in range(9))]
    message = similarities(many)
    assert "the prompt <b>0.50 → 0.25</b>" in message
    assert "&lt;b&gt;5" in message
    assert "<b>6" not in message
    assert ", and 3 more" in message


def test_without_a_clip_there_are_no_numbers_and_no_noise(tiny: Steerer):
    class Nothing(PictureReader):
        def embed(self, pictures):
            raise SteerError("there is none")

    reading, result = Reading(), tiny.steer("a cat", [Edit("night")], 3, FAST)
    assert reading.likely
    assert reading.clip_similarity(Nothing(tiny), result) == ""
    assert not reading.likely
    assert reading.clip_similarity(Nothing(tiny), result) == ""
