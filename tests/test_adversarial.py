"""Attacks through one modality's features: the ball, the gradient's way, what is counted, and the study on a tiny run."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmsteer.__main__ import main
from mmsteer.assets import ASSETS
from mmsteer.bank import MODALITIES, FeatureBank
from mmsteer.errors import SteerError
from mmsteer.models.clip import Clip
from mmsteer.studies import adversarial
from mmsteer.studies.attacks import verdict
from mmsteer.studies.attacks.attack import attack, defend, objective, top_captions
from mmsteer.studies.attacks.channel import EVERYTHING, channel, channel_of
from mmsteer.studies.attacks.controls import MANY, STRONG, channels, random_name
from mmsteer.studies.attacks.detector import detection, mahalanobis
from mmsteer.studies.attacks.pgd import bytes_read, embed_all, embed_bytes, pgd, sign_noise
from mmsteer.studies.attacks.tally import ratio
from mmsteer.studies.attacks.trial import GALLERY, kinship, new_scenes, new_trial
from mmsteer.studies.attacks.visibility import psnr, ssim
from mmsteer.studies.attacks.word_swap import change_fact, facts, swaps
from mmsteer.studies.measures.shares import Share
from mmsteer.studies.measures.zero_shot_ablation import energy, energy_matrix, remove
from mmsteer.studies.results import page
from mmsteer.studies.results.sections import adversarial as results
from mmsteer.world.factors import INDEX
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.clip import build_clip
from mmsteer.world.pairs import WorldPairs

TINY = adversarial.Sizes(seeds=2, pictures=3, captions=2, reference=192, budgets=(4,), long=2)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip(MINI / "clip")


@pytest.fixture(scope="module")
def bank() -> FeatureBank:
    return FeatureBank.load(ASSETS / "banks" / "mini")


@pytest.fixture(scope="module")
def batch():
    return next(WorldPairs(77, 64, 128).batches(64))


@pytest.fixture(scope="module")
def trial(clip):
    return new_trial(clip, new_scenes(5, 6))


def start(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def away(clip, batch, count):
    captions = clip.embed_texts(batch.captions[:count])
    return lambda x: -(x * captions).sum(1)


@pytest.mark.parametrize("budget", [1, 2, 8])
def test_no_value_moves_further_than_the_budget_and_some_move_that_far(clip, batch, budget):
    pictures = batch.pictures[:2]
    attacked = pgd(clip, pictures, away(clip, batch, 2), budget, 3, start())
    assert attacked.dtype == torch.uint8
    assert int((attacked.int() - pictures.int()).abs().max()) == budget
    assert int((sign_noise(pictures, budget, start()).int() - pictures.int()).abs().max()) == budget


def test_a_budget_of_nothing_gives_the_same_picture(clip, batch, bank):
    assert torch.equal(pgd(clip, batch.pictures[:2], away(clip, batch, 2), 0, 3, start()), batch.pictures[:2])
    picture = WorldPairs(77, 1, 128)[0].picture
    result = attack(clip, bank, picture, budget=0)
    assert result.attacked.tobytes() == result.picture.tobytes() == picture.tobytes()
    assert result.moved == []
    assert result.ssim == pytest.approx(1)
    assert set(result.difference().tobytes()) == {128}


def test_an_attack_repeats_for_a_seed_and_starts_elsewhere_for_another(clip, batch):
    one, same, other = (pgd(clip, batch.pictures[:1], away(clip, batch, 1), 4, 2, start(s)) for s in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_pgd_agrees_with_a_reference_that_moves_value_by_value(clip, batch):
    """Algorithm of Madry et al. (1706.06083), written again pixel by pixel, with the picture tower called without our preprocessing."""
    picture, caption, budget, steps = batch.pictures[:1], clip.embed_texts(batch.captions[:1]), 4, 2
    clean = picture.double().numpy().ravel()
    noise = (2 * torch.rand(picture.shape, generator=start()) - 1).double().numpy().ravel() * budget
    values = [min(max(v + n, 0.0), 255.0) for v, n in zip(clean, noise, strict=True)]
    for _ in range(steps):
        x = torch.tensor(values, dtype=torch.float32).view(picture.shape).requires_grad_()
        image = clip.model.get_image_features(pixel_values=x / 127.5 - 1).pooler_output
        F.cosine_similarity(image, caption).sum().backward()
        gradient = x.grad.numpy().ravel()
        for i in range(len(values)):
            step = -2.5 * budget / steps if gradient[i] > 0 else 2.5 * budget / steps if gradient[i] < 0 else 0.0
            moved = min(max(values[i] + step, clean[i] - budget), clean[i] + budget)
            values[i] = min(max(moved, 0.0), 255.0)
    attacked = pgd(clip, picture, away(clip, batch, 1), budget, steps, start()).numpy().ravel()
    assert (
        np.abs(np.array(values) - attacked) > 0.51
    ).mean() < 1e-3  # signs of gradients that round differently around 0


def test_bytes_are_embedded_as_the_clip_embeds_pictures(clip):
    pictures = [pair.picture.resize((200, 200)) for pair in (WorldPairs(77, 2, 128)[k] for k in range(2))]
    expected = clip.embed_pictures(clip.prepare(pictures))
    assert torch.allclose(embed_all(clip, bytes_read(clip, pictures)), expected, atol=1e-5)


def test_a_towards_attack_raises_the_similarity_and_an_away_attack_lowers_it(clip, batch, bank):
    pictures, clean = batch.pictures[:3], embed_all(clip, batch.pictures[:3])
    for scope in ("cross", "all"):
        through = channel(bank, scope, "image")
        for towards in (True, False):
            reference = clip.embed_texts(["a pizza in the snow"] * 3 if towards else batch.captions[:3])
            goal = objective(through, clean, reference, towards)
            after = embed_all(clip, pgd(clip, pictures, goal, 4, 5, start()))
            change = ((after - clean) * reference).sum(1)
            assert bool((change > 0.05 if towards else change < -0.05).all())


@pytest.mark.parametrize("scope", MODALITIES)
def test_the_gradient_flows_only_through_the_chosen_class(clip, batch, bank, scope):
    clean = embed_all(clip, batch.pictures[:4])
    one = channel(bank, scope, "image")
    x = clean.clone().requires_grad_()
    reference = clip.embed_texts(batch.captions[:4])
    (gradient,) = torch.autograd.grad((one.contribution(x) * reference).sum(), x)
    basis = one.dictionary.W_enc[:, one.latents].double()
    inside = torch.linalg.qr(basis)[0] if basis.shape[1] < basis.shape[0] else torch.eye(len(basis)).double()
    assert gradient.norm() > 0
    assert torch.allclose(gradient.double() @ inside @ inside.T, gradient.double(), atol=1e-5)
    others = [k for k in range(one.dictionary.config.n_latents) if k not in set(one.latents.tolist())]
    silent = channel_of(bank, "image", others, "text" if scope == "language" else "image", "others")
    (elsewhere,) = torch.autograd.grad((silent.contribution(x) * reference).sum(), x)
    assert not torch.allclose(gradient, elsewhere, atol=1e-3)


def test_a_silent_latent_passes_only_the_gradient_that_would_raise_it(bank, clip, batch):
    one = channel(bank, "cross", "image")
    x = embed_all(clip, batch.pictures[:2]).requires_grad_()
    code = one.code(x)
    fires = code > 0
    assert torch.allclose(code, one.dictionary.encode(x)[:, one.latents], atol=1e-6)
    weights = torch.randn(code.shape, generator=start())
    (gradient,) = torch.autograd.grad((code * weights).sum(), x)
    expected = torch.where(fires, weights, weights.clamp(min=0)) @ one.dictionary.W_enc[:, one.latents].T
    assert torch.allclose(gradient, expected, atol=1e-5)


def test_a_restricted_embedding_moves_by_the_class_alone(bank, clip, batch):
    x, clean = embed_all(clip, batch.pictures[:4]), embed_all(clip, batch.pictures[4:8])
    one = channel(bank, "vision", "image")
    code = bank.dictionaries["image"].encode(torch.cat([x, clean]))[:, one.latents]
    change = (code[:4] - code[4:]) @ bank.dictionaries["image"].W_dec[one.latents]
    assert torch.allclose(one.moved(x, clean), F.normalize(clean + change, dim=1), atol=1e-6)
    assert one.moved(clean, clean) == pytest.approx(clean, abs=1e-6)
    assert EVERYTHING.moved(x, clean) is x


def test_removing_a_class_is_what_the_removal_study_does(bank, clip, batch):
    x = embed_all(clip, batch.pictures[:4])
    dictionary, latents = bank.dictionaries["image"], channel(bank, "cross", "image").latents
    expected = remove(x, dictionary.encode(x), dictionary.W_dec, latents.numpy())
    assert torch.allclose(defend(bank, x, "cross"), expected, atol=1e-5)
    assert torch.equal(defend(bank, x, "all"), x)


def test_random_latents_have_the_count_or_the_energy_of_their_class(bank, clip):
    reference = embed_all(clip, next(WorldPairs(9, 192, 128).batches(192)).pictures)
    every = channels(bank, "image", reference, np.random.default_rng(0))
    for modality in MODALITIES:
        main, many, strong = every[modality], every[random_name(MANY, modality)], every[random_name(STRONG, modality)]
        assert many.dictionary is strong.dictionary is main.dictionary
        assert len(many.latents) == len(main.latents)
        every_latent = channel_of(
            bank, "image", range(main.dictionary.config.n_latents), "text" if modality == "language" else "image", ""
        )
        matrix = energy_matrix(every_latent.code(reference), main.dictionary.W_dec)
        wanted, got = (energy(matrix, one.latents.numpy()) for one in (main, strong))
        assert got == pytest.approx(wanted, rel=0.021)


def test_psnr_by_hand():
    picture = torch.full((2, 3, 16, 16), 100, dtype=torch.uint8)
    other = picture.clone()
    other[1] += 5
    assert psnr(picture, other).tolist() == [float("inf"), pytest.approx(20 * np.log10(255 / 5))]


def test_ssim_by_hand():
    flat = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    assert float(ssim(flat, flat)) == pytest.approx(1)
    assert float(ssim(flat, flat + 10)) == pytest.approx((2 * 100 * 110 + c1) / (100**2 + 110**2 + c1))
    a, b = torch.randint(0, 256, (2, 1, 3, 11, 11), generator=start()).to(torch.uint8)  # one window a channel
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    expected = []
    for x, y in zip(a[0].numpy().astype(float), b[0].numpy().astype(float), strict=True):
        mean_x, mean_y = (window * x).sum(), (window * y).sum()
        var_x, var_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
        cov = (window * (x - mean_x) * (y - mean_y)).sum()
        expected.append(
            (2 * mean_x * mean_y + c1) * (2 * cov + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
        )
    assert float(ssim(a, b)) == pytest.approx(np.mean(expected))


def test_a_swap_changes_one_word_and_no_fact():
    stated, caption = facts(), "a lovely cat at night"
    assert stated["kitten"] == stated["cat"] == {("thing", "cat")}
    assert stated["moonlight"] == {("place", "night")}
    assert stated["in"] == stated["lovely"] == frozenset()
    others = swaps(caption)
    assert "a lovely kitten at night" in others
    assert "a boring cat at night" in others
    assert not [other for other in others if "dog" in other.split()]
    for other in others:
        changed = [(a, b) for a, b in zip(caption.split(), other.split(), strict=True) if a != b]
        assert len(changed) == 1
        assert stated[changed[0][0]] == stated[changed[0][1]]


def test_a_target_differs_in_one_factor():
    assert change_fact("a tiny cat in the woods", "place", "forest", "night") == "a tiny cat at night"
    assert change_fact("a tiny cat in the woods", "size", "small", "big") == "a big cat in the woods"
    assert change_fact("a cat", "place", "forest", "night") is None
    scenes = new_scenes(5, 6)
    for k, target in enumerate(scenes.targets):
        assert target.caption != scenes.captions[k]
        assert target.value != scenes.values[k][INDEX[target.factor]]


def test_right_answers_by_hand(trial):
    right = trial.right(trial.clean)
    similarity = trial.image @ trial.text.T
    expected = [float(similarity[k].argmax() == k) for k in range(len(trial.clean))]
    assert right["to caption"].tolist() == expected
    assert similarity.shape == (GALLERY, GALLERY)
    assert right["thing"].mean() > 0.8
    assert np.allclose(right["R@1"], (right["to caption"] + right["to picture"]) / 2)
    swapped = trial.right(trial.text[: len(trial.clean)])
    assert swapped["to caption"].tolist() == [1.0] * len(trial.clean)
    reached = trial.reached(trial.targets)
    assert reached["nearer to the target"].tolist() == [1.0] * len(trial.clean)
    assert trial.reached(trial.matching)["nearer to the target"].sum() == 0


def test_a_distance_and_an_auc_by_hand():
    clean = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert mahalanobis(clean)(torch.tensor([[0.0, 0.0], [2.0, 0.0]])).tolist() == pytest.approx([0, 8])  # variance 1/2
    result = detection(np.arange(100.0), [100.0, 49.5, 3.0, -1.0])
    assert result.auc.value == pytest.approx((1 + 0.5 + 0.035 + 0) / 4)
    assert result.caught.value == 0.25


def test_clips_with_other_beginnings_are_no_kin(clip):
    torch.manual_seed(3)
    stranger = Clip(MINI / "clip")
    stranger.__dict__["model"] = build_clip(clip.tokenizer)
    assert abs(kinship(clip, stranger)) < 0.1
    assert kinship(clip, clip) == pytest.approx(1, abs=1e-5)


def test_a_ratio_needs_something_to_divide_by():
    assert ratio([np.ones(20)], [np.zeros(20)]) is None
    assert ratio([np.full(20, 0.25)], [np.full(20, 0.5)]) == Share(0.5, 0.5, 0.5, 20)


def test_the_attack_of_one_picture_says_what_moved(clip, bank):
    pair = WorldPairs(77, 1, 128)[0]
    result = attack(clip, bank, pair.picture.resize((256, 256)), budget=4, steps=5, caption=pair.caption)
    assert result.picture.size == result.attacked.size == result.difference().size == (128, 128)
    assert result.after.norm() == pytest.approx(1, abs=1e-5)
    caption = clip.embed_texts([pair.caption])[0]
    assert float(result.after @ caption) < float(result.before @ caption) - 0.05
    changes = [abs(one.after - one.before) for one in result.moved]
    assert changes == sorted(changes, reverse=True)
    assert changes[0] > 0.1
    assert {one.feature.modality for one in result.moved} >= {"cross"}
    assert 34 < result.psnr < 50
    captions = [pair.caption, "a pizza at night", "a bus"]
    (best, similarity), *_ = top_captions(clip, result.before, captions, 2)
    assert best == pair.caption
    assert similarity == pytest.approx(float(result.before @ caption), abs=1e-5)
    without = dict(top_captions(clip, result.before, captions, bank=bank, removed="cross"))
    assert without[pair.caption] < similarity


@pytest.mark.parametrize("wrong", [{"budget": -1}, {"budget": 999}, {"steps": 0}, {"modality": "touch"}])
def test_an_impossible_attack_says_what_is_possible(clip, bank, wrong):
    with pytest.raises(SteerError, match="give a budget of 0 to"):
        attack(clip, bank, Image.new("RGB", (128, 128)), **wrong)


def comparisons_of(cross: float, vision: float, language: float) -> dict:
    def share(value: float) -> Share:
        return Share(value, value - 0.05, value + 0.05, 100)

    pairs = {
        ("cross", "vision"): cross - vision,
        ("cross", "language"): cross - language,
        ("vision", "language"): vision - language,
    }
    return {"shown": 4, "comparisons": [
        {"budget": 4, "attack through": a, "more than": b, "R@1 lost": share(value)} for (a, b), value in pairs.items()
    ]}  # fmt: skip


def test_the_soft_spot_costs_clearly_more_than_both_others():
    assert verdict.soft_spot(comparisons_of(0.8, 0.3, 0.1)) == "cross"
    assert verdict.soft_spot(comparisons_of(0.1, 0.6, 0.2)) == "vision"
    assert verdict.soft_spot(comparisons_of(0.5, 0.48, 0.1)) is None
    assert verdict.difference(comparisons_of(0.8, 0.3, 0.1), "vision", "cross").high == pytest.approx(-0.45)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The command on a tiny run; the other CLIP is a copy of the attacked one."""
    folder = tmp_path_factory.mktemp("adversarial")
    (folder / "twin").symlink_to(MINI / "clip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adversarial, "QUICK", TINY)
        command = ["study", "adversarial", "--quick", "--json", str(folder / "adversarial.json"), "--seed", "40"]
        assert main([*command, "--figure", str(folder / "a.png"), "--other-clip", str(folder / "twin")]) == 0
    return folder


@pytest.fixture(scope="module")
def figures(ran):
    return json.loads((ran / "adversarial.json").read_text())


def test_the_command_writes_every_part(ran, figures):
    assert {row["through"] for row in figures["attacks"]} > {*MODALITIES, "all", "noise", random_name(MANY, "cross")}
    assert {row["attack through"] for row in figures["defences"]} > {"cross, adaptive", "nothing"}
    assert {row["score"] for row in figures["detectors"]} > {"cross code", "reconstruction error"}
    assert {row["through"] for row in figures["swaps"]} > {*MODALITIES, "all"}
    assert Image.open(ran / "a.png").size[0] > 500
    assert Image.open(ran / "a.webp").size[1] == 9 * 128


def test_an_attack_carries_over_to_the_same_clip_in_full(figures):
    for row in figures["attacks"]:
        assert row["twin: R@1 lost"] == row["R@1 lost"]
        carried = row["twin: carries over"]
        assert carried is None or carried["value"] == 1
    assert figures["kinship"] == {"twin": pytest.approx(1)}
    assert "from the same beginning" in figures["text"]
    assert figures["clean"]["twin: R@1"] == figures["clean"]["R@1"]


def test_the_section_says_what_the_file_says(figures):
    section = results.section(figures)
    for sentence in figures["text"].split("\n"):
        assert sentence in section
    assert section.count("\n| cross | 10 |") == 3  # away, by budget, towards
    figures = json.loads(json.dumps(figures))
    figures["attacks"][1]["R@1 lost"]["value"] = 0.123
    assert "0.12 [" in results.section(figures)
    assert results.section(figures) != section


def test_a_study_without_a_file_has_no_section(tmp_path, figures):
    written = page.read()
    written.pop("adversarial", None)
    assert "adversarial" not in page.sections(written)
    assert results.TITLE not in page.render(written)
    assert results.TITLE in page.render({**written, "adversarial": figures})


def test_embedding_is_differentiable_down_to_bytes(clip, batch):
    pixels = batch.pictures[:1].float().requires_grad_()
    embed_bytes(clip, pixels).sum().backward()
    assert pixels.grad.abs().sum() > 0
