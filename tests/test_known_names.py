"""Names from annotations, by a scheme that is not the world's, and by the world's."""

from pathlib import Path

import numpy as np
import pytest
from captioned import write_folder

from mmsteer.data.annotations import Annotation, AnnotationScheme, Factor, FactorValue
from mmsteer.data.embedding import embed_pairs
from mmsteer.data.sources import Folder
from mmsteer.labelling.known_names import agrees, concepts, known_value, name_by_truth
from mmsteer.labelling.picture_properties import PROPERTIES
from mmsteer.models.clip import Clip
from mmsteer.world.captions import wordings
from mmsteer.world.factors import FACTORS, label
from mmsteer.world.scheme import SCHEME

ANIMAL = Factor(
    "animal", "cross", (FactorValue("cow", "cow", ("cow", "a brown cow")), FactorValue("hen", "hen", ("hen",)))
)
WEATHER = Factor(
    "weather",
    "vision",
    (FactorValue("plain", "plain"), FactorValue("fog", "foggy", picture_property="weak contrast")),
    neutral="plain",
)
TONE = Factor("tone", "language", (FactorValue("none", "no tone"), FactorValue("dear", "dear", ("my dear",))), "none")
FARM = AnnotationScheme((ANIMAL, WEATHER, TONE), frozenset({"a", "my"}))

# four pairs: what is drawn or worded, and what captions mention
VALUES = np.array([[0, 0, 0], [0, 1, 1], [1, 1, 1], [1, 0, 0]])
MENTIONED = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 1], [1, 0, 1]], bool)


def test_concepts_of_a_side_are_what_it_can_show():
    names, presence = concepts(FARM, VALUES, MENTIONED, "image")
    assert names == [("animal", "cow"), ("animal", "hen"), ("weather", "fog")]
    assert presence.T.astype(int).tolist() == [[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]]
    names, presence = concepts(FARM, VALUES, MENTIONED, "text")
    assert names == [("animal", "cow"), ("animal", "hen"), ("tone", "dear")]
    assert presence.T.astype(int).tolist() == [[1, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]]


def test_a_feature_is_named_after_the_value_that_it_detects():
    fires = np.array([[0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 0]], bool).T
    fog, hen, rare = name_by_truth(fires, FARM, VALUES, MENTIONED, "image")
    assert fog == ("foggy", 1.0, "weather", "fog")
    assert hen == ("hen", 1.0, "animal", "hen")
    assert rare.name_confidence == pytest.approx(2 / 3)


def test_a_name_stands_for_a_value_with_or_without_its_number():
    assert known_value("hen 2", FARM) == known_value("hen", FARM) == ("animal", "hen")
    assert known_value("foggy", FARM) == ("weather", "fog")
    for name in ("fog", "plain", "no tone", "feature 7", "2", "hen x"):  # no labels, or neutral
        assert known_value(name, FARM) is None


@pytest.mark.parametrize(
    ("automatic", "known", "same"),
    [
        ("cow", "cow 3", True), ("a cow", "cow", True), ("brown", "cow", True), ("hen", "cow", False), ("a", "cow", False),
        ("weak contrast", "foggy", True), ("fog", "foggy", False), ("dear", "dear", True), (None, "cow", False),
        ("cow", "feature 7", False),
    ],
)  # fmt: skip
def test_an_automatic_name_agrees_if_captions_or_pictures_say_the_same(automatic, known, same):
    assert agrees(automatic, known, FARM) == same


def test_annotations_of_any_source_travel_with_its_embeddings(tiny_folder: Path, tmp_path: Path):
    class Farm(Folder):
        scheme = FARM

        def stream(self):
            for k, sample in enumerate(super().stream()):
                yield sample._replace(annotation=Annotation(VALUES[k % 4], MENTIONED[k % 4]))

    folder = write_folder(tmp_path / "farm", 6)
    (folder / "002.png").write_bytes(b"no picture")
    pairs = embed_pairs(Clip(tiny_folder / "clip"), Farm(folder), tmp_path / "work", shard=4, batch=3)
    rows = np.array([0, 1, 3, 4, 5]) % 4
    assert pairs.annotated
    assert np.array_equal(pairs.factors, VALUES[rows])
    assert np.array_equal(pairs.mentioned, MENTIONED[rows])


def test_the_world_describes_each_of_its_factors():
    poles = {pole for p in PROPERTIES for pole in (p.low, p.high)}
    assert [f.name for f in SCHEME.factors] == [f.name for f in FACTORS]
    for described, factor in zip(SCHEME.factors, FACTORS, strict=True):
        assert (described.modality, described.neutral) == (factor.modality, factor.neutral)
        assert tuple(v.name for v in described.values) == factor.values
        for value in described.values:
            assert value.label == label(factor.name, value.name)
            assert value.wordings == wordings(factor.name, value.name)
            nameless = value.name == factor.neutral
            assert known_value(value.label, SCHEME) == (None if nameless else (factor.name, value.name))
            shown = factor.modality == "vision" and not nameless
            assert (value.picture_property in poles) == shown
