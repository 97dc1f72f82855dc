"""Properties of pictures whose answer is plain to see, names on pairs in which they were planted, and a person's own."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsteer.__main__ import main
from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError
from mmsteer.labelling.detection import auc
from mmsteer.labelling.known_names import top_words
from mmsteer.labelling.naming import NamingEvidence, automatic_names
from mmsteer.labelling.picture_properties import PROPERTIES, measure
from mmsteer.labelling.vocabulary import vocabulary
from mmsteer.models.word_segmentation import segments, unspaced

INDEX = {p.name: k for k, p in enumerate(PROPERTIES)}


def flat(red: int, green: int, blue: int, size: int = 96) -> torch.Tensor:
    """One colour everywhere, `uint8 [3, size, size]`."""
    return torch.tensor([red, green, blue], dtype=torch.uint8).view(3, 1, 1).expand(3, size, size).clone()


def landscape(rise: float = 0.0, size: int = 128) -> torch.Tensor:
    """Bright sky over dark ground, and darker ground below: smooth lines that fall by `rise` pixels from left to right."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    depth = y + 0.5 - rise * (x / (size - 1) - 0.5)
    picture = 220 - 130 * (depth - size * 0.4 + 0.5).clamp(0, 1) - 50 * (depth - size * 0.7 + 0.5).clamp(0, 1)
    return picture.round().to(torch.uint8).expand(3, size, size).clone()


def blur(picture: torch.Tensor) -> torch.Tensor:
    """Three box means of 7 pixels: close to a Gaussian of 3.5 pixels."""
    soft = picture.float()
    for _ in range(3):
        soft = F.avg_pool2d(soft, 7, 1, 3, count_include_pad=False)
    return soft.round().to(torch.uint8)


def of(picture: torch.Tensor, name: str) -> float:
    """One property of one picture."""
    return float(measure(picture[None])[0, INDEX[name]])


def test_colours_of_flat_pictures():
    assert of(flat(200, 100, 40), "warmth") == pytest.approx(160 / 255)
    assert of(flat(200, 100, 40), "light") == pytest.approx(160 / 255)
    assert of(flat(40, 100, 200), "warmth") == pytest.approx(-160 / 255)
    assert of(flat(50, 200, 70), "greenness") == pytest.approx(140 / 255)
    assert of(flat(200, 100, 40), "saturation") == pytest.approx(160 / 255)
    assert of(flat(51, 51, 51), "brightness") == pytest.approx(0.2)
    plain = measure(flat(51, 51, 51)[None])[0]
    names = ("contrast", "detail", "balance", "corners", "border", "tilt", "saturation", "greenness")
    assert [float(plain[INDEX[name]]) for name in names] == pytest.approx([0] * len(names), abs=1e-4)


def test_the_tint_of_the_light_is_that_of_what_is_lightest():
    picture = flat(40, 60, 120)  # a cool scene with a small warm lamp
    picture[:, 40:56, 40:56] = torch.tensor([255, 200, 120], dtype=torch.uint8).view(3, 1, 1)
    assert of(picture, "warmth") < 0 < of(picture, "light")


def test_a_border_needs_all_four_sides():
    framed, sky = landscape(), landscape()
    for strip in (framed[:, :8], framed[:, -8:], framed[:, :, :8], framed[:, :, -8:]):
        strip.fill_(250)
    sky[:, :8] = 250
    assert of(framed, "border") > 0.1
    assert of(255 - framed, "border") < -0.1
    assert of(sky, "border") == pytest.approx(0, abs=1e-4)


def test_dark_corners_are_not_a_dark_foreground():
    axis = torch.linspace(-1, 1, 128)
    fall = 1 - 0.8 * ((axis[:, None] ** 2 + axis[None] ** 2).sqrt() - 0.6).clamp(0, 1)
    assert of((landscape() * fall).to(torch.uint8), "corners") < -0.2
    assert of(landscape(), "corners") == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("size", [48, 128, 200])
def test_tilt_is_the_slope_of_the_lines_and_a_mirror_turns_it_round(size):
    picture = landscape(0.2 * size, size)  # 0.2 pixels down per pixel right
    assert of(picture, "tilt") == pytest.approx(0.2, abs=0.07)
    assert of(picture.flip(2), "tilt") == pytest.approx(-of(picture, "tilt"), abs=1e-3)
    assert of(landscape(0, size), "tilt") == pytest.approx(0, abs=1e-3)


def test_detail_on_one_side():
    picture = flat(120, 120, 120)
    picture[:, 30:60:2, 70:86] = 20
    assert of(picture, "balance") > 0.4
    assert of(picture.flip(2), "balance") == pytest.approx(-of(picture, "balance"), abs=1e-4)


def test_sharpness_is_of_edges_and_not_of_contrast():
    sharp, blurred = landscape(), blur(landscape())
    faint = (100 + sharp.float() / 2).to(torch.uint8)
    assert of(sharp, "sharpness") == pytest.approx(of(faint, "sharpness"), abs=0.1)
    assert of(blurred, "sharpness") < of(sharp, "sharpness") / 2
    mixed = blurred.clone()  # a sharp subject in soft surroundings
    mixed[:, 40:88, 40:88] = (torch.rand(3, 12, 12).repeat_interleave(4, 1).repeat_interleave(4, 2) * 255).byte()
    assert of(mixed, "sharpness") > of(blurred, "sharpness")
    assert of(mixed, "surroundings") < of(sharp, "surroundings") / 2


def test_pictures_are_measured_one_by_one():
    pictures = torch.randint(0, 256, (70, 3, 40, 56), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    properties = measure(pictures)
    assert properties.shape == (70, len(PROPERTIES))
    assert properties.isfinite().all()
    torch.testing.assert_close(properties[65:67], measure(pictures[65:67]))
    assert measure(pictures[:0]).shape == (0, len(PROPERTIES))


def test_auc_by_hand():
    values = np.array([[0.0], [0.0], [0.0], [2.0], [1.0]])
    groups = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0]], bool)
    # against 0, 0, 1: the 0 inside ties twice (1 of 3 contests), the 2 wins all three; a group of all, or none, is chance
    assert auc(values, groups).tolist() == [[pytest.approx(4 / 6), 0.5, 0.5]]


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.0, 1.0, 2.5]), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_auc_agrees_with_counting(rows):
    inside, outside = [v for v, g in rows if g], [v for v, g in rows if not g]
    contests = [1.0 if a > b else 0.5 if a == b else 0.0 for a in inside for b in outside]
    area = auc(np.array([[v] for v, _ in rows]), np.array([[g] for _, g in rows]))
    assert area[0, 0] == pytest.approx(sum(contests) / len(contests) if contests else 0.5)


def test_vocabulary_has_phrases_and_drops_what_most_captions_contain():
    captions = ["please draw the fox", "the bear on the dunes", "the fox on the dunes", "please draw the bear"] * 20
    assert vocabulary(captions) == [
        "please draw", "bear on", "fox on", "please", "dunes", "bear", "draw", "fox", "on",
        "the dunes", "draw the", "the bear", "the fox", "on the",
    ]  # fmt: skip
    assert len(vocabulary(captions, limit=3)) == 3
    with pytest.raises(SteerError, match="no word that could be a name is in 20 of the 36 captions"):
        vocabulary(captions[:36])


# things, what stands before them, and what after
SCRIPTS = {
    "Chinese": (
        ("狐狸", "熊猫", "小熊", "企鹅", "兔子", "狗"),
        ("一只", "两只", "有只", "大"),
        ("在雪地里", "站在草地上", "，夜晚", ""),
    ),
    "Japanese": (
        ("きつね", "りんご", "ヘリコプター", "ねこ", "熊", "犬"),
        ("大きな", "赤い", ""),
        ("が雪の中", "と草原", "。夜"),
    ),
    "Thai": (("สุนัขจิ้งจอก", "แมว", "เพนกวิน", "หมี", "ม้า", "ปลา"), ("มี", "วาด", ""), ("บนหิมะ", "ที่ชายหาด", " ตัวใหญ่")),
    "mixed": (
        ("狐狸", "panda", "きつね", "แมว", "blue bird", "cake"),
        ("a ", "draw ", "一只 "),
        (" in snow", " 在雪地里", " 4K"),
    ),
    "Hindi": (("लोमड़ी", "बिल्ली", "भालू", "पेंगुइन", "कुत्ता", "मछली"), ("एक ", "दो "), (" बर्फ में", " रात में", "")),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_features_are_named_in_any_script(script):
    things, before, after = SCRIPTS[script]
    rng = np.random.default_rng(0)
    thing = rng.integers(len(things), size=1200)
    captions = [rng.choice(before) + things[t] + rng.choice(after) for t in thing]
    z = (thing[:, None] == np.arange(len(things))).astype(np.float32)
    candidates = vocabulary(captions)
    evidence = NamingEvidence(
        captions, np.zeros((1200, len(PROPERTIES)), np.float32), candidates, rng.standard_normal((len(candidates), 4)),
        choosing=np.arange(1200) % 2 == 0,
    )  # fmt: skip
    names = automatic_names(z, z, ["cross"] * len(things), np.zeros((len(things), 4)), evidence)
    assert [(name.text, name.score) for name in names] == [(thing, 1.0) for thing in things]
    for name, words in zip(things, top_words(z > 0, captions, candidates), strict=True):
        assert words[0] in name.split()


def test_a_part_of_a_word_is_no_candidate():
    captions = [f"{thing}{place}" for thing in ("狐狸", "企鹅", "狗") for place in ("在雪地", "去沙滩", "，草")] * 20
    names = set(vocabulary(captions))
    assert names >= {"狐狸", "企鹅", "狗", "去沙滩", "草"}
    assert not {"狐", "狸", "企", "鹅", "沙", "滩", "沙滩"} & names


def test_words_of_a_text_in_any_script():
    assert segments("A Cat's 2-tone bag, café") == [["a", "cat's", "2-tone", "bag", "café"]]
    assert segments("一只cat。ﾈｺ") == [["一", "只"], ["cat"], ["ネ", "コ"]]
    assert segments("ที่นี่ बिल्ली") == [["ที่", "นี่"], ["बिल्ली"]]
    assert segments(" ,;") == []
    assert [unspaced(text) for text in ("猫", "ねこ", "แมว", "ヘリコプター", "고양이", "cat", "猫a", "")] == [
        True
    ] * 4 + [False] * 4


class Planted:
    """2,000 captioned pictures in which it is known what sets each of eight features off."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        count, things = 2000, ("fox", "owl", "bear", "whale", "robot", "cake", "tree", "bus")
        thing, polite = rng.integers(8, size=count), rng.random(count) < 0.3
        self.captions = [("please draw " if p else "") + f"a {things[t]}" for t, p in zip(thing, polite, strict=True)]
        self.properties = rng.standard_normal((count, len(PROPERTIES))).astype(np.float32)
        dark = self.properties[:, INDEX["corners"]] < -0.8
        strength = (1 + rng.random(count)).astype(np.float32)
        chance, nothing = (rng.random(count) < 0.1) * strength, np.zeros(count, np.float32)
        columns = {  # name: (picture code, caption code)
            "fox": ((thing == 0) * strength, (thing == 0) * strength),
            "please draw": (nothing, polite * strength),
            "dark corners": (dark * strength, nothing),
            "chance": (nothing, chance),
            "chance seen": (chance, nothing),
            # most of all on buses, but what it does is all over the place
            "much": (nothing, (thing == 7) * 0.5 + (rng.random(count) < 0.9)),
            "seen owl": ((thing == 1) * strength, nothing),
            "never": (nothing, nothing),
        }
        self.features = list(columns)
        self.z_image, self.z_text = (np.stack([pair[side] for pair in columns.values()], 1) for side in (0, 1))
        self.candidates = vocabulary(self.captions)
        self.embeddings = rng.standard_normal((len(self.candidates), 16))
        self.directions = np.zeros((len(self.features), 16))
        self.directions[0] = self.embeddings[self.candidates.index("fox")]
        self.choosing = np.arange(count) % 2 == 0

    def names(self, captions: list[str] | None = None):
        """Automatic names of all features."""
        kinds = ["vision" if t.sum() == 0 else "language" if i.sum() == 0 else "cross"
                 for i, t in zip(self.z_image.T, self.z_text.T, strict=True)]  # fmt: skip
        evidence = NamingEvidence(
            captions or self.captions, self.properties, self.candidates, self.embeddings, self.choosing
        )
        names = automatic_names(self.z_image, self.z_text, kinds, self.directions, evidence)
        return dict(zip(self.features, names, strict=True))


@pytest.fixture(scope="module")
def planted() -> Planted:
    """The same for all tests."""
    return Planted()


def test_features_get_the_planted_names_and_chance_gets_none(planted):
    names = planted.names()
    assert (names["fox"].text, names["fox"].kind, names["fox"].score) == ("fox", "words", 1.0)
    assert names["fox"].share == pytest.approx(1)
    assert (names["please draw"].text, names["please draw"].score) == ("please draw", 1.0)
    assert (names["dark corners"].text, names["dark corners"].kind) == ("dark corners", "property")
    assert names["dark corners"].score == 1.0
    assert names["dark corners"].share > 0.95
    assert (names["seen owl"].text, names["seen owl"].kind) == ("owl", "words")  # no property: the captions say it
    for feature in ("chance", "chance seen"):
        assert names[feature].text is None
        assert names[feature].candidate
        assert names[feature].score == pytest.approx(0.5, abs=0.1)
    assert names["never"].text is None
    assert names["never"].score == 0.5


def test_what_moves_a_feature_most_is_no_name_for_a_small_part_of_what_it_does(planted):
    much = planted.names()["much"]
    assert (much.text, much.candidate) == (None, "bus")
    assert much.score > 0.85
    assert much.share == pytest.approx(0.18, abs=0.03)  # 1/8 (0.9 + 0.5) of 0.9 + 0.5/8


def test_the_score_is_held_out(planted):
    shuffled = list(planted.captions)
    held_out = np.flatnonzero(~planted.choosing)
    for row, other in zip(held_out, np.random.default_rng(1).permutation(held_out), strict=True):
        shuffled[row] = planted.captions[other]
    fox = planted.names(shuffled)["fox"]
    assert (fox.candidate, fox.text) == ("fox", None)  # chosen on the other half, where it is right
    assert fox.score == pytest.approx(0.5, abs=0.1)


@pytest.fixture
def bank(tiny_bank, tmp_path):
    """A copy of the tiny bank that a test may change."""
    FeatureBank.load(tiny_bank).save(tmp_path / "bank")
    return tmp_path / "bank"


def test_a_renamed_feature_stays_renamed_and_all_else_is_kept(bank):
    before, others = FeatureBank.load(bank), {p: p.read_bytes() for p in bank.rglob("*.safetensors")}
    loaded = FeatureBank.load(bank)
    feature = loaded.rename("Penguin", "  emperor   penguin ")
    assert feature.name == "emperor penguin"
    again = FeatureBank.load(bank)
    assert again.features == loaded.features
    assert again.get("emperor penguin") == dataclasses.replace(
        before.get(0), name=feature.name, name_confidence=None, named_by="person"
    )
    assert again.features[1:] == before.features[1:]
    assert again.meta == before.meta
    assert {p: p.read_bytes() for p in bank.rglob("*.safetensors")} == others
    assert not list(bank.glob("*.partial"))
    with pytest.raises(SteerError, match="no feature 'penguin'"):
        loaded.get("penguin")
    again.rename(0, "penguin")
    assert FeatureBank.load(bank).get("penguin").id == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (" ", "1 to 60 characters, this one 0"), ("x" * 61, "this one 61"), ("NIGHT", "that is feature 1"),
        ("17", "bare number"), ("a:b", "bare number and holds none of : @"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_is_refused_and_nothing_changes(bank, name, told):
    before = (bank / "bank.json").read_bytes()
    with pytest.raises(SteerError, match=rf"cannot rename feature 0, 'penguin'.*{told}"):
        FeatureBank.load(bank).rename("penguin", name)
    assert (bank / "bank.json").read_bytes() == before


def test_a_feature_may_change_the_case_of_its_name(bank):
    assert FeatureBank.load(bank).rename("penguin", "Penguin").name == "Penguin"


def test_the_command_renames_by_number_or_name(bank, capsys):
    assert main(["bank", "rename", "0", "emperor", "--bank", str(bank)]) == 0
    assert "feature 0: 'penguin' is now 'emperor'" in capsys.readouterr().out
    assert main(["bank", "rename", "emperor", "king", "--bank", str(bank)]) == 0
    assert json.loads((bank / "bank.json").read_text())["features"][0]["name"] == "king"
    assert main(["bank", "rename", "emperor", "queen", "--bank", str(bank)]) == 2
    assert "no feature 'emperor'" in capsys.readouterr().err
