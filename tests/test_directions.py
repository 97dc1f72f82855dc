"""Sliders made of words: the direction between two wordings, or towards one, and that it behaves as features do."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from mmsteer import Edit, Recipe, Steerer, SteerError, sweep
from mmsteer.bank.ood import range_between, room
from mmsteer.recipes.direction import Direction, is_direction, read_wording
from mmsteer.recipes.provenance import missing
from mmsteer.recipes.worded_prompt import in_words
from mmsteer.steering.directions import TEMPLATES, shares_of

PROMPT = "a cat at night"


def direction(steerer: Steerer, name: str) -> Direction:
    made = steerer.feature(name)
    assert isinstance(made, Direction)
    return made


def mean_embedding(steerer: Steerer, side: str) -> torch.Tensor:
    """The mean text embedding of the templates by transformers' own CLIP, `[d_joint]`."""
    from transformers import CLIPTextModelWithProjection

    folder, tokenizer = steerer.backbone.checkpoint.source / "clip", steerer.backbone.pipeline.tokenizer
    model = CLIPTextModelWithProjection.from_pretrained(folder)
    texts = [" ".join(template.format(side).split()) for template in TEMPLATES]
    tokens = tokenizer(texts, padding="max_length", max_length=steerer.backbone.length, return_tensors="pt")
    with torch.no_grad():
        x = model(tokens.input_ids).text_embeds
    return (x / x.norm(dim=1, keepdim=True)).mean(0)


@pytest.mark.parametrize(("name", "start", "end"), [("cat -> dog", "cat", "dog"), ("→ Snow", "", "snow")])
def test_a_direction_is_the_difference_of_two_mean_embeddings(tiny: Steerer, name: str, start: str, end: str):
    made = direction(tiny, name)
    step = mean_embedding(tiny, end) - mean_embedding(tiny, start)
    assert torch.allclose(made.vector * made.activation_scale, step, atol=1e-5)
    assert made.vector.norm() == pytest.approx(1, abs=1e-5)
    shift = tiny.schedule(tiny.read([PROMPT]), [Edit(name, strength=0.5)]).shift[0]
    assert torch.allclose(shift, 0.5 * step, atol=1e-5)


def test_both_arrows_and_any_case_and_space_mean_one_direction(tiny: Steerer):
    assert {direction(tiny, name).id for name in ("cat->dog", " Cat  → DOG ", "cat -> dog")} == {"cat → dog"}
    assert tiny.feature("night") is tiny.bank.get("night")


def test_the_way_back_is_the_opposite(tiny: Steerer):
    there, back = direction(tiny, "cat -> dog"), direction(tiny, "dog -> cat")
    assert torch.allclose(there.vector, -back.vector, atol=1e-5)
    state = tiny.read([PROMPT])
    shifts = [tiny.schedule(state, [edit]).shift for edit in (Edit("cat -> dog", "remove"), Edit("dog -> cat"))]
    assert torch.allclose(*shifts, atol=1e-5)


def test_strength_zero_is_bit_identical(tiny: Steerer):
    steered = tiny.steer(PROMPT, [Edit("cat -> dog", strength=0.0)], seed=3)
    assert steered.before is steered.after
    assert tiny.steer(PROMPT, [Edit("cat -> dog")], seed=3).after.tobytes() != steered.before.tobytes()


def test_it_suppresses_nothing_and_leaves_other_edits_as_they_are(tiny: Steerer):
    state = tiny.read([PROMPT])
    alone = [tiny.schedule(state, [edit]).shift for edit in (Edit("cat -> dog"), Edit("night", strength=0.7))]
    both = tiny.schedule(state, [Edit("cat -> dog"), Edit("night", strength=0.7)]).shift
    assert torch.allclose(both, sum(alone), atol=1e-5)


def test_a_link_a_json_and_a_png_make_it_again(tiny: Steerer, tmp_path):
    steered = tiny.steer(PROMPT, [Edit.parse("cat -> dog:0.8@cat[0-0.5]")], seed=3)
    steered.recipe.save_png(steered.after, tmp_path / "after.png")
    again = [
        Recipe.from_query(steered.recipe.to_query()), Recipe.from_json(steered.recipe.to_json()),
        Recipe.from_png(tmp_path / "after.png"),
    ]  # fmt: skip
    fresh = Steerer(tiny.backbone, tiny.bank)
    for recipe in again:
        assert recipe == steered.recipe
        assert missing(tiny.bank, recipe) == []
        assert fresh.picture(recipe).tobytes() == steered.after.tobytes()


def test_it_is_swept_over_its_own_range(tiny: Steerer):
    made = direction(tiny, "cat -> dog")
    swept = sweep.over(tiny.known, Recipe(PROMPT), Edit("cat -> dog"), frames=3)
    assert swept.axes == ("cat → dog",)
    assert [cell.strengths[0] for cell in swept.cells] == [made.usable[0], 0, made.usable[1]]
    grid = sweep.against(tiny.known, Recipe(PROMPT), Edit("cat -> dog"), Edit("night"), side=3)
    assert len(grid.cells) == 9


def test_a_range_ends_where_a_typical_prompt_leaves_the_usual_range():
    from conftest import make_bank

    bank = make_bank({"projection": torch.eye(16)}, "none")
    tensors, features = bank.tensors, [replace(bank.features[0], usable=(-2.0, 3.0))]
    # a unit vector times an activation scale of 0.5: v'Pv = 0.25, and the room 2 * 3 * 0.25
    assert room(tensors, features) == pytest.approx(1.5)
    step = torch.zeros(16)
    step[0] = 0.5  # 1/2 ± sqrt(1/4 + 1.5 / 0.25)
    assert range_between(tensors, features, step) == (-2.0, 3.0)


def test_the_features_of_the_embedded_bank_agree_on_the_room():
    from mmsteer import FeatureBank

    bank = FeatureBank.load("assets/banks/mini")
    each = [room(bank.tensors, [feature]) for feature in bank.features]
    middle = sorted(each)[len(each) // 10 : -len(each) // 10]
    assert max(middle) < 1.5 * min(middle)


def test_shares_and_score_are_weighted_by_how_far_features_move(tiny: Steerer):
    night, lovely = tiny.bank.get("night"), tiny.bank.get("lovely")  # scores 0.6 and 0
    shares, mds = shares_of([(night, 3.0), (lovely, 1.0)])
    assert shares == {"vision": 0, "cross": 0.75, "language": 0.25}
    assert mds == pytest.approx(0.45)
    made = direction(tiny, "cat -> dog")
    assert sum(made.shares.values()) == pytest.approx(1)
    assert made.shares["vision"] == 0
    assert made.shares[made.modality] == max(made.shares.values())


def test_its_nearest_features_come_with_their_cosines(tiny: Steerer):
    made = direction(tiny, "cat -> dog")
    cosines = tiny.bank.directions @ made.vector
    assert [cosine for _, cosine in made.near] == pytest.approx(cosines.sort(descending=True).values[:5].tolist())
    assert made.near[0][0] is tiny.bank.features[int(cosines.argmax())]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("cat ->", "a word after it"), ("->", "a word after it"), ("a -> b -> c", "one arrow"), ("cat → CAT", "leads nowhere"),
        ("-> " + "very " * 20, "more than 60"), ("cat -> dog:2", "one of : @"), ("cat -> \x00", "nobody sees"),
    ],
)  # fmt: skip
def test_what_is_no_direction_is_refused_in_one_sentence(tiny: Steerer, name: str, why: str):
    assert is_direction(name)
    with pytest.raises(SteerError, match=why):
        tiny.steer(PROMPT, [Edit(name)])


def test_unknown_words_are_named(steerer: Steerer):
    with pytest.raises(SteerError, match="the model does not know zebra, yurt"):
        steerer.steer(PROMPT, [Edit("a zebra -> yurt")])


def test_it_cannot_be_set(tiny: Steerer):
    with pytest.raises(SteerError, match="'cat → dog' cannot be set"):
        tiny.steer(PROMPT, [Edit("cat -> dog", "set")])


def test_the_text_form_of_an_edit_holds_it():
    for name, mode, tail in product(("cat -> dog", "→ dog"), ("", ":remove"), (":0.5", ":0.5@cat[0.2-1]")):
        edit = Edit.parse(f"{name}{mode}{tail}")
        assert edit.feature == name
        assert Edit.parse(str(edit)) == edit
    assert str(read_wording("->  a DOG")) == "→ a dog"


@pytest.mark.parametrize(
    ("name", "strength", "wanted"),
    [("cat -> dog", 1, "a dog at night"), ("dog -> cat", -1, "a dog at night"), ("penguin -> dog", 1, "a cat at night dog"),
     ("→ snow", 1, "a cat at night snow"), ("→ night", -1, "a cat at")],
)  # fmt: skip
def test_prompting_in_its_place_exchanges_the_words(tiny: Steerer, name: str, strength: float, wanted: str):
    assert in_words(tiny.bank, PROMPT, [Edit(name, strength=strength)]).prompt == wanted
