"""The benchmark's parts, as small as they get: that they run at all."""

from mmsteer.bench import embedding


def test_a_clip_of_a_real_shape_embeds_captioned_pictures():
    measured = embedding.measure(2, 1)
    assert set(measured) == {"embedding on cpu, pairs/s", "embedding: share of a bare forward loop's rate"}
    assert all(value > 0 for value in measured.values())
