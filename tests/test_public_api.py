"""What people's programs, banks and recipes rely on: public names, the examples in docstrings, files written before."""

import doctest
import json
import shutil
from importlib import import_module
from pathlib import Path

import pytest

import mmsteer
from mmsteer import Edit, FeatureBank, Recipe, Sampler, Steerer
from mmsteer.assets import ASSETS
from mmsteer.bank.feature import OLD_NAMES

FIRST_RELEASE = {"Edit", "Feature", "FeatureBank", "Origin", "Recipe", "Sampler", "SteerError", "Steered", "Steerer"}
SHIPPED = ASSETS / "banks" / "mini"
WITH_EXAMPLES = (
    "mmsteer", "mmsteer.bank.bank", "mmsteer.recipes.edit", "mmsteer.pictures.picture_features", "mmsteer.steering.steerer",
    "mmsteer.recipes.sweep", "mmsteer.recipes.start",
)  # fmt: skip


@pytest.fixture(scope="module")
def mini() -> Steerer:
    return Steerer.load("mini")


def test_public_names_import():
    assert set(mmsteer.__all__) >= FIRST_RELEASE
    for name in mmsteer.__all__:
        assert getattr(mmsteer, name) is not None
    assert mmsteer.sweep.over.__module__ == mmsteer.sweep.__name__
    with pytest.raises(AttributeError, match="has no attribute 'Steering'; it has Edit, "):
        mmsteer.Steering  # noqa: B018


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_give_what_they_say(name, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])  # where a reader of the README stands
    results = doctest.testmod(import_module(name))
    assert results.attempted > 0
    assert results.failed == 0


def test_the_shipped_bank_acts_as_it_did():
    bank = FeatureBank.load(SHIPPED)
    assert bank.digest == "af5e835ae4ef212f"
    assert len(bank.features) == 198


def test_a_bank_of_schema_4_loads_as_the_same(tmp_path):
    bank, old = FeatureBank.load(SHIPPED), shutil.copytree(SHIPPED, tmp_path / "old")
    data = json.loads((old / "bank.json").read_text())
    data["meta"] |= {"schema": 4, "bridge": data["meta"].pop("text_to_joint")}
    former = {new: name for name, new in OLD_NAMES.items() if new in data["features"][0]}
    data["features"] = [{former.get(key, key): value for key, value in record.items()} for record in data["features"]]
    assert {"unit", "sure", "rivals"} <= set(data["features"][0])
    (old / "bank.json").write_text(json.dumps(data))
    again = FeatureBank.load(old)
    assert again.features == bank.features
    assert again.digest == bank.digest
    assert again.faithfulness == bank.faithfulness
    again.rename("ocean", "the sea")  # written in the current schema
    data = json.loads((old / "bank.json").read_text())
    assert data["meta"]["schema"] == 5
    assert FeatureBank.load(old).get("the sea").activation_scale == bank.get("ocean").activation_scale


def test_former_names_of_fields_still_answer(mini):
    ocean = mini.bank.get("ocean")
    assert (ocean.unit, ocean.sure, ocean.rivals) == (
        ocean.activation_scale, ocean.name_confidence, ocean.mutually_exclusive
    )  # fmt: skip
    with pytest.raises(AttributeError, match="a Feature has no 'units'"):
        ocean.units  # noqa: B018
    steered = mini.steer("a cat at night", [Edit("warm light")], 1)
    assert steered.gauge == steered.ood_distance


@pytest.mark.parametrize(
    "saved",
    [
        '{"prompt": "a cat at night", "seed": 3, "edits": [{"feature": "warm light", "strength": 1.0}]}',
        '{"prompt": "a cat at night", "seed": 3, "backbone": "/home/ann/mini", "sampler": {"steps": 4, "guidance": 1.0}, '
        '"edits": [{"feature": "warm light", "mode": "add", "strength": 1.0, "words": [], "start": 0.0, "end": 1.0}]}',
    ],
)
def test_a_recipe_saved_before_draws_the_same_picture(mini, saved):
    opened = Recipe.from_json(saved)
    now = Recipe("a cat at night", 3, Sampler(4, 1.0), (Edit("warm light"),))
    assert opened == now
    assert mini.picture(opened).tobytes() == mini.picture(now).tobytes()
