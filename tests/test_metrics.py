"""Scores of what features fire on, by hand and by double loops; and the parts of the zero-shot ablation evaluation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsteer.errors import SteerError
from mmsteer.studies.measures.monosemanticity import cross_monosemanticity, monosemanticity, top_similarity
from mmsteer.studies.measures.zero_shot_ablation import (
    TOLERANCE,
    ZeroShotAblation,
    energy,
    energy_matrix,
    interval,
    latents,
    pick,
    pick_at_random,
    remove,
)
from mmsteer.world.factors import FACTORS

# two samples along x, two along y
FOUR = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
SIZES = st.tuples(st.integers(3, 9), st.integers(3, 9), st.integers(0, 1000))


def random_pair(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sparse codes `[n, 5]` and embeddings `[n, 3]`."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.rand(n, 5, generator=generator, dtype=torch.float64)
    embeddings = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return codes * (codes > 0.4), embeddings


def scaled(z: torch.Tensor) -> torch.Tensor:
    return (z - z.min()) / (z.max() - z.min()) if z.max() > z.min() else torch.zeros_like(z)


def test_monosemanticity_by_hand():
    codes = torch.tensor([
        [2.0, 2.0, 2.0, 1.0],
        [2.0, 0.0, 1.0, 0.0],
        [0.0, 2.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
    ])  # fmt: skip
    scores = monosemanticity(codes, FOUR)
    # both along x; one along each; pairs 1 & 2 (1/2) alike, 1 & 3 (1/2) and 2 & 3 (1/4) not; one sample has no pair
    assert scores[:3].tolist() == pytest.approx([1.0, 0.0, (1 / 2) / (1 / 2 + 1 / 2 + 1 / 4)])
    assert torch.isnan(scores[3])


@given(SIZES)
@settings(max_examples=30, deadline=None)
def test_closed_forms_equal_double_loops(sizes):
    n, other, seed = sizes
    (a, e), (b, f) = random_pair(n, seed), random_pair(other, seed + 1)
    same, cross = monosemanticity(a, e), cross_monosemanticity(a, e, b, f)
    for k in range(a.shape[1]):
        u, v = scaled(a[:, k]), scaled(b[:, k])
        weight = sum(u[i] * u[j] for i in range(n) for j in range(i))
        alike = sum(u[i] * u[j] * F.cosine_similarity(e[i], e[j], dim=0) for i in range(n) for j in range(i))
        assert same[k] == pytest.approx(alike / weight) if weight > 0 else torch.isnan(same[k])
        weight = sum(u[i] * v[j] for i in range(n) for j in range(other))
        alike = sum(u[i] * v[j] * F.cosine_similarity(e[i], f[j], dim=0) for i in range(n) for j in range(other))
        assert cross[k] == pytest.approx(alike / weight if weight > 0 else 0.0)


def test_cross_monosemanticity_by_hand_and_of_a_split_feature():
    image = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    text = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    # pictures and captions along x; pictures along x, captions along y; pictures alone
    assert cross_monosemanticity(image, FOUR, text, FOUR).tolist() == [1.0, 0.0, 0.0]


def test_shifted_and_stretched_activations_score_the_same():
    codes, embeddings = random_pair(9, 0)
    assert torch.allclose(monosemanticity(codes, embeddings), monosemanticity(3 * codes - 1, embeddings))


def test_emb_sim_by_hand():
    # m = 2: the top samples of feature 0 are the two along x, of feature 1 one along each
    codes = torch.tensor([[3.0, 3.0, 1.0], [2.0, 0.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    seed = 5
    others = torch.randint(4, (3, 2), generator=torch.Generator().manual_seed(seed))
    along_x = (others < 2).float()
    similarity = top_similarity(codes, FOUR, m=2, seed=seed)
    # top samples are alike (1); a random one is (1) if it is along x, else not (0)
    assert similarity.emb_sim[0] == pytest.approx(1 - float(along_x[0].mean()))
    assert similarity.win_rate[0] == pytest.approx(float((along_x[0] == 0).float().mean()))
    # top samples are not alike (0): no random one is less so. Sample 1 meets random 2, sample 2 meets random 1
    assert similarity.emb_sim[1] == pytest.approx(-float(along_x[1, 1] + 1 - along_x[1, 0]) / 2)
    assert similarity.win_rate[1] == 0
    assert torch.isnan(similarity.emb_sim[2])  # fires on one sample
    assert torch.isnan(similarity.win_rate[2])


@pytest.mark.parametrize("m", [2, 3, 10])
def test_emb_sim_and_win_rate_equal_double_loops(m):
    codes, embeddings = random_pair(40, 1)
    others = torch.randint(40, (5, m), generator=torch.Generator().manual_seed(0))
    e, similarity = F.normalize(embeddings, dim=1), top_similarity(codes, embeddings, m)
    for k in range(5):
        top = codes[:, k].argsort(descending=True)[:m]
        more = [
            float(e[top[i]] @ e[top[j]] - e[top[i]] @ e[others[k, j]]) for i in range(m) for j in range(m) if i != j
        ]
        assert similarity.emb_sim[k] == pytest.approx(np.mean(more))
        assert similarity.win_rate[k] == pytest.approx(np.mean(np.array(more) > 0))


def test_more_top_samples_than_samples_is_nan():
    assert torch.isnan(top_similarity(torch.ones(4, 2), FOUR, m=5).emb_sim).all()


def a_dictionary(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Unit embeddings `[256, 8]`, a code `[256, 40]`, decoder rows `[40, 8]`."""
    generator = torch.Generator().manual_seed(seed)
    x = F.normalize(torch.randn(256, 8, generator=generator), dim=1)
    code = torch.relu(torch.randn(256, 40, generator=generator) - 1)
    return x, code, 0.3 * F.normalize(torch.randn(40, 8, generator=generator), dim=1)


def test_energy_is_the_mean_squared_norm_removed():
    _, code, rows = a_dictionary()
    group = np.array([3, 5, 30])
    taken = code[:, group] @ rows[group]
    assert energy(energy_matrix(code, rows), group) == pytest.approx(float(taken.square().sum(1).mean()), rel=1e-5)


def test_picks_have_equal_energy():
    _, code, rows = a_dictionary()
    matrix, rng = energy_matrix(code, rows), np.random.default_rng(0)
    target = energy(matrix, np.arange(10))
    picks = [pick_at_random(rng, matrix, np.arange(40), target) for _ in range(20)]
    assert all(energy(matrix, chosen) == pytest.approx(target, rel=TOLERANCE + 1e-9) for chosen in picks)
    assert all(len(set(chosen)) == len(chosen) for chosen in picks)
    assert len({tuple(sorted(chosen)) for chosen in picks}) > 1


def test_a_pick_leaves_out_what_overshoots():
    matrix = np.diag([5.0, 1.0, 4.0, 1.0])
    assert pick(matrix, np.array([1, 0, 2, 3]), target=5.0).tolist() == [1, 2]
    assert pick(matrix, np.array([0, 1, 2, 3]), target=3.0) is None
    with pytest.raises(SteerError, match="energy"):
        pick_at_random(np.random.default_rng(0), matrix, np.arange(4), 3.0)


def test_removal_subtracts_what_a_latent_contributes():
    x = torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    code, rows = torch.tensor([[0.6, 9.0], [0.0, 9.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert remove(x, code, rows, np.array([0])).flatten().tolist() == pytest.approx([0, 1, 1, 0])


def test_removing_nothing_changes_no_answer():
    x, code, rows = a_dictionary()
    classes, class_code, _ = a_dictionary(1)
    text = F.normalize(x + 0.4 * classes, dim=1)
    evaluation = ZeroShotAblation(
        x={"image": x, "text": torch.cat([text, classes[:6]])},
        code={"image": code, "text": torch.cat([code, class_code[:6]])},
        rows={"image": rows, "text": rows}, matrix={}, pool={},
        prompts={"thing": slice(256, 262)}, truth=np.zeros((256, len(FACTORS)), int), weights=np.ones((3, 256)),
    )  # fmt: skip
    before, none = evaluation.evaluate(evaluation.x), np.array([], dtype=int)
    for group in ({}, {"image": none, "text": none}):
        after = evaluation.evaluate(evaluation.without(group))
        assert all(np.array_equal(after[name], right) for name, right in before.items())
    assert 0 < before["to caption"].mean() < 1
    changed = evaluation.evaluate(evaluation.without({"image": np.arange(40)}))
    assert not np.array_equal(changed["to caption"], before["to caption"])


def test_a_group_is_removed_on_the_sides_of_its_modality(tiny):
    groups = {modality: latents(tiny.bank.features, modality) for modality in ("vision", "language", "cross")}
    assert {m: {side: rows.tolist() for side, rows in group.items()} for m, group in groups.items()} == {
        "vision": {"image": [2, 3, 10]},
        "language": {"text": [4, 5, 11]},
        "cross": {"image": [0, 1, 6, 7, 8, 9], "text": [0, 1, 6, 7, 8, 9]},
    }


def test_an_interval_contains_the_mean_and_narrows_with_pairs():
    rng = np.random.default_rng(0)
    width = []
    for n in (100, 2500):
        correct = (rng.random((4, n)) < 0.3).astype(float)
        share = interval(correct, rng.multinomial(n, np.full(n, 1 / n), 200))
        assert share.low <= correct.mean() == share.value <= share.high
        width.append(share.high - share.low)
    assert width[1] < width[0] / 2
