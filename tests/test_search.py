"""Features near in meaning and near one another, and their places on a map."""

from pathlib import Path

import pytest
import torch

from mmsteer import FeatureBank, Steerer, SteerError
from mmsteer.bank.feature_map import MOST, places
from mmsteer.bank.search import nearest
from mmsteer.models.prompt import encode
from mmsteer.steering.directions import TEMPLATES

# ---- how features lie to one another -------------------------------------------------------------------------------


def test_the_nearest_by_hand():
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]])
    found = nearest(rows, torch.tensor([3.0, 0.0]), 3)  # its length does not count
    assert [row for row, _ in found] == [0, 2, 1]
    assert [cosine for _, cosine in found] == pytest.approx([1.0, 0.6, 0.0])
    assert len(nearest(rows, torch.tensor([3.0, 0.0]), 9)) == 4
    assert [cosine for _, cosine in nearest(rows, torch.zeros(2), 2)] == [0.0, 0.0]


def test_places_keep_what_is_alike_together_and_are_the_same_again():
    generator = torch.Generator().manual_seed(0)
    rows = torch.eye(8)[:3].repeat_interleave(10, 0) + 0.05 * torch.randn(30, 8, generator=generator)
    rows = rows / rows.norm(dim=1, keepdim=True)
    put = places(rows)
    assert torch.equal(put, places(rows))
    assert put.min() == 0
    assert put.max() == 1
    apart, group = torch.cdist(put, put), torch.arange(30) // 10
    same = group[:, None] == group[None]
    assert apart[same].max() < apart[~same].min()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_a_few_features_have_places_too(count: int):
    put = places(torch.eye(6)[:count])
    assert put.shape == (count, 2)
    assert torch.isfinite(put).all()
    assert len({tuple(at) for at in put.tolist()}) == count


def test_features_that_are_all_alike_have_places_and_only_so_many_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mmsteer.bank.feature_map._ROUNDS", 2)
    put = places(torch.ones(MOST + 5, 4) / 2)
    assert put.shape == (MOST, 2)
    assert torch.isfinite(put).all()


def test_directions_are_those_a_feature_acts_along(tiny_bank: Path):
    bank = FeatureBank.load(tiny_bank)
    directions = bank.directions
    assert torch.allclose(directions.norm(dim=1), torch.ones(len(bank.features)))
    for name, side in (("night", "text"), ("warm light", "image"), ("lovely", "text")):
        feature = bank.get(name)
        expected = bank.tensors[f"steering_{side}"][feature.latent]
        assert torch.allclose(directions[feature.id], expected / expected.norm())


# ---- search by meaning ---------------------------------------------------------------------------------------------


def test_search_ranks_by_cosine_with_what_the_words_add(tiny: Steerer):
    found = tiny.search("a cat at night", count=100)
    assert len(found) == len(tiny.bank.features)
    wordings = ("a cat at night", "")
    filled = [[" ".join(template.format(text).split()) for template in TEMPLATES] for text in wordings]
    x, nothing = (tiny.joint.project(encode(tiny.backbone, texts).last)[0].mean(0) for texts in filled)
    for feature, cosine in found:
        row = tiny.bank.tensors[f"steering_{feature.side}"][feature.latent]
        assert cosine == pytest.approx(float(torch.cosine_similarity(x - nothing, row, dim=0)), abs=1e-5)
    assert [c for _, c in found] == sorted((c for _, c in found), reverse=True)
    vision = tiny.search("a cat at night", "vision", count=2)
    assert vision == [pair for pair in found if pair[0].modality == "vision"][:2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": " "}, "empty"),
        ({"text": "x" * 2001}, "2,000 are allowed"),
        ({"text": "cat", "modality": "smell"}, "`modality` is 'smell'"),
        ({"text": "cat", "count": 0}, "`count` is 0"),
        ({"text": "cat", "count": True}, "`count` is True"),
    ],
)
def test_search_says_what_is_wrong(tiny: Steerer, given: dict, message: str):
    with pytest.raises(SteerError, match=message):
        tiny.search(**given)


@pytest.fixture(scope="module")
def mini() -> Steerer:
    return Steerer.load("mini")


@pytest.mark.parametrize(
    ("text", "first"),
    [("a kitten", "cat"), ("ship", "sailboat"), ("in the dunes", "desert"), ("little", "small")],
)
def test_words_in_no_feature_name_find_the_feature(mini: Steerer, text: str, first: str):
    named = [f.name.rstrip(" 0123456789") for f, _ in mini.search(text) if f.named_by]
    assert first in named[:2]


def test_most_names_find_a_feature_of_that_name_first(mini: Steerer):
    """The feature itself, or the second of the same concept: "cactus" may find "cactus 2"."""
    said = [f for f in mini.bank.features if f.named_by == "truth" and not f.image_only and not f.name[-1].isdigit()]
    hits = [f.name == mini.search(f.name, count=1)[0][0].name.rstrip(" 23456789") for f in said]
    assert sum(hits) / len(hits) > 0.8


def test_words_the_model_does_not_know_are_told(mini: Steerer):
    with pytest.raises(SteerError, match="does not know moonshine, zebra: "):
        mini.search("a moonshine zebra")
