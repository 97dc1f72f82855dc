"""The embedded world: seeded, and its captions mention what is drawn and no more."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mmsteer
from mmsteer.errors import SteerError
from mmsteer.world.captions import captions, vocabulary
from mmsteer.world.factors import FACTORS, INDEX, draw_factors, label
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.tokenizer import build_tokenizer
from mmsteer.world.pairs import WorldPairs, captions_only
from mmsteer.world.paraphrases import falsify
from mmsteer.world.readout import load
from mmsteer.world.scene import N_NUISANCE, draw


def test_a_seed_gives_the_same_pairs_and_a_longer_set_begins_alike():
    short, long = (next(iter(WorldPairs(5, n).batches(n))) for n in (70, 130))
    assert torch.equal(short.pictures, long.pictures[:70])
    assert short.captions == long.captions[:70]
    pair = WorldPairs(5, 70)[3]
    assert (np.asarray(pair.picture) == short.pictures[3].permute(1, 2, 0).numpy()).all()
    assert pair.caption == short.captions[3]


def test_each_drawn_factor_changes_the_picture_and_no_language_factor_does():
    rng = np.random.default_rng(0)
    values, _ = draw_factors(rng, 1)
    values[0, INDEX["thing"]], values[0, INDEX["gender"]] = 0, 0
    nuisance = rng.random((1, N_NUISANCE), dtype=np.float32)
    plain = draw(values, nuisance)
    for i, factor in enumerate(FACTORS):
        if factor.name == "gender":
            continue  # only people have one
        other = values.copy()
        other[0, i] = (values[0, i] + 1) % len(factor.values)
        same = torch.equal(draw(other, nuisance), plain)
        assert same == (factor.modality == "language"), factor.name


def test_captions_alone_are_those_of_other_scenes():
    alone = captions_only(5, 40)
    assert alone[:3] == captions_only(5, 40)[:3] != captions_only(6, 40)[:3]
    undrawn, drawn = set(sum(alone, [])), set(next(iter(WorldPairs(5, 200).batches(200))).captions)
    assert len(undrawn) > 150
    assert len(undrawn & drawn) < 20  # short ones come again
    assert set(" ".join(undrawn).split()) <= set(vocabulary()) | {w + "," for w in vocabulary()}


def test_captions_alone_paraphrase_each_scene_with_every_opening_mood_and_closing_once():
    for scene in captions_only(5, 40):
        assert len(scene) == 5
        for factor in FACTORS:
            if factor.modality == "language":
                counts = [sum(value in caption for caption in scene) for value in factor.values[1:]]
                assert counts == [1, 1, 1, 1], (factor.name, scene)


def test_captions_mention_the_factors_they_should_and_never_a_vision_factor():
    rng = np.random.default_rng(1)
    values, mentioned = draw_factors(rng, 400)
    never = {label(f.name, v).split()[0] for f in FACTORS if f.modality == "vision" for v in f.values} - {
        "no",
        "rolled",
    }
    one_word = ("panda", "penguin", "owl", "whale", "robot", "guitar", "pizza")  # things with one wording only
    things = FACTORS[INDEX["thing"]].values
    for text, row, mentions in zip(captions(rng, values, mentioned), values, mentioned, strict=True):
        words = set(text.split())
        assert not never & words, text
        drawn = things[row[INDEX["thing"]]]
        assert words & set(one_word) == ({drawn} & set(one_word) if mentions[INDEX["thing"]] else set()), text


def test_every_caption_word_is_one_token():
    tokenizer = build_tokenizer()
    for word in vocabulary():
        assert len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1, word
    assert build_tokenizer().get_vocab() == tokenizer.get_vocab()


def test_occupations_have_the_planted_bias():
    values, _ = draw_factors(np.random.default_rng(2), 20_000)
    thing = FACTORS[INDEX["thing"]].values.index("farmer")
    gender = values[values[:, INDEX["thing"]] == thing, INDEX["gender"]]
    women = (gender == FACTORS[INDEX["gender"]].values.index("woman")).mean()
    assert 0.55 < women < 0.95  # 0.9 where the caption does not say, even where it does


def test_a_false_caption_is_known_to_be_false():
    rng = np.random.default_rng(2)
    values, mentioned = draw_factors(rng, 500)
    claimed, claimed_mentioned, false = falsify(rng, values, mentioned)
    differs = (claimed_mentioned & (claimed != values)) | (mentioned & ~claimed_mentioned)
    cross = np.array([factor.modality == "cross" for factor in FACTORS])
    assert not (differs & ~false)[:, cross].any()  # whatever is claimed otherwise is known to be false
    assert not false[:, ~cross].any()
    lies = differs[:, [INDEX[name] for name in ("thing", "place", "position", "size")]]
    assert lies.any(1).mean() > 0.8  # another draw may hit the same value
    assert (lies.sum(1) == 1).mean() > 0.5  # mostly one false factor at a time


def test_a_rolled_backdrop_leaves_the_sprite_upright():
    rng = np.random.default_rng(3)
    values, _ = draw_factors(rng, 1)
    values[0, [INDEX[name] for name in ("light", "vignette", "frame", "softness")]] = 0
    values[0, INDEX["position"]], values[0, INDEX["size"]] = 1, 1
    nuisance = rng.random((1, N_NUISANCE), dtype=np.float32)
    upright, rolled = (draw(np.where(np.arange(len(FACTORS)) == INDEX["tilt"], t, values), nuisance) for t in (0, 1))
    change = (upright - rolled).abs().amax((0, 1))
    assert change.max() > 0.1
    assert (change == 0).float().mean() > 0.05  # where the sprite covers the backdrop


def test_the_readout_says_in_words_what_a_picture_shows(tmp_path):
    assert load(tmp_path) is None  # no judge
    readout = load(MINI)
    assert readout is not None
    pairs = [WorldPairs(7, 6)[k] for k in range(6)]
    for words, pair in zip(readout([pair.picture for pair in pairs]), pairs, strict=True):
        drawn = [factor for factor in FACTORS if factor.modality != "language"]
        assert words == {factor.name: label(factor.name, pair.factors[factor.name]) for factor in drawn}
    with pytest.raises(SteerError, match="100x100"):
        readout([Image.new("RGB", (100, 100))])


@pytest.mark.parametrize(
    "folder", ["bank", "bench", "data", "exchange", "labelling", "models", "steering", "training", "ui"]
)
def test_the_world_is_imported_by_its_command_and_the_studies_alone(folder):
    files = list((Path(mmsteer.__file__).parent / folder).rglob("*.py"))
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.startswith("mmsteer.world") for name in names), path
