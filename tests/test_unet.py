"""The world's UNet: independent of words that no picture shows, and of nothing else; drawn as stock diffusers draws it."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from mmsteer.world.embedding import load_clip
from mmsteer.world.factors import FACTORS
from mmsteer.world.models.assembly import MINI
from mmsteer.world.models.clip import WIDTH
from mmsteer.world.models.null_space import project_out, train_pooled_invariance
from mmsteer.world.models.unet import UnetShape, build_scheduler, build_unet, draw_latents
from mmsteer.world.training.caption_encoder import CaptionEncoder
from mmsteer.world.training.conditioning import Counts
from mmsteer.world.training.pool import PoolSchedule
from mmsteer.world.training.tasks.student import PooledInvariance, project_folder


def _attention(unet):
    return [m for name, m in unet.named_modules() if name.endswith(("attn2.to_k", "attn2.to_v"))]


@pytest.fixture(scope="module")
def directions():
    return torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def projected(directions):
    torch.manual_seed(0)
    unet = build_unet().eval()
    project_out(unet, directions)
    return unet


def test_keys_and_values_do_not_change_along_projected_directions(projected, directions):
    rows = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(2))
    along = torch.tensor([2.0, -1.0, 0.5]) @ directions
    other = torch.randn(WIDTH, generator=torch.Generator().manual_seed(3))
    assert len(_attention(projected)) == 14  # two of down, the middle and four of up, keys and values each
    for layer in _attention(projected):
        assert torch.allclose(layer(rows + along), layer(rows), atol=1e-5)
        assert not torch.allclose(layer(rows + other), layer(rows), atol=1e-2)


def test_the_pooled_embedding_changes_only_by_the_divisor_of_its_norm(projected, directions):
    words = projected.add_embedding
    rows = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(2))
    moved = rows + directions[0]
    # at the same divisor the layer norm is linear, and what it adds is projected out
    centred = (moved - moved.mean(-1, keepdim=True)) / (rows.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    same = centred * words.norm1.weight + words.norm1.bias
    for layer in (words.pool.q_proj, words.pool.k_proj, words.pool.v_proj):
        assert torch.allclose(layer(same), layer(words.norm1(rows)), atol=1e-5)


def test_the_pooled_embedding_becomes_invariant_along_the_directions_and_stays_otherwise(projected, directions):
    pooled = projected.add_embedding
    rows = torch.randn(64, 5, WIDTH, generator=torch.Generator().manual_seed(2))
    moved, directions = rows.clone(), directions / 5  # as long, beside the rows, as an opening's
    moved[:, 1:] += directions[0]

    def embedded() -> tuple[torch.Tensor, float]:
        with torch.no_grad():
            return pooled(rows), float((pooled(moved) - pooled(rows)).norm())

    before, change = embedded()
    train_pooled_invariance(
        projected, directions, lambda step: rows[torch.arange(16 * step, 16 * step + 16) % 64], steps=400
    )
    after, remaining = embedded()
    assert remaining < 0.8 * change
    assert (after - before).norm() < 0.1 * (before - before.mean(0)).norm()


def test_projecting_twice_is_projecting_once(projected, directions):
    before = {name: value.clone() for name, value in projected.state_dict().items()}
    project_out(projected, directions)
    for name, value in projected.state_dict().items():
        assert torch.allclose(value, before[name], atol=1e-6), name


def test_a_unet_in_a_folder_is_projected_without_further_training(tmp_path):
    torch.manual_seed(0)
    build_unet(UnetShape((16, 32), 0)).save_pretrained(tmp_path / "unet")
    counts = Counts(directions=60, language=8, means=4)
    invariance = PooledInvariance(2, 3, PoolSchedule(2, 2))
    project_folder(tmp_path / "unet", MINI / "clip", tmp_path / "out", invariance, counts)
    before, after = (UNet2DConditionModel.from_pretrained(tmp_path / name) for name in ("unet", "out"))
    directions = CaptionEncoder(*load_clip(MINI / "clip"), "cpu").language_directions(8)
    for a, b in zip(_attention(before), _attention(after), strict=True):
        assert b(directions).norm() < 0.01 * a(directions).norm()
    new = after.state_dict()
    changed = {n.split(".")[0] for n, v in before.state_dict().items() if not torch.equal(v.half(), new[n].half())}
    assert changed == {"add_embedding", "down_blocks", "mid_block", "up_blocks"}


class Toward(torch.nn.Module):
    """A UNet that knows the way to 3 from any state, and to -1 with the empty prompt."""

    def forward(self, noisy, time, hidden):
        class Output:
            sample = (noisy - torch.where(hidden[:, :1, :1, None] > 0, 3.0, -1.0)) / (time / 1000).view(-1, 1, 1, 1)

        return Output


@pytest.mark.parametrize(("steps", "guidance", "end"), [(4, 1.0, 3.0), (12, 1.5, 5.0)])
def test_a_flow_straight_to_a_picture_is_drawn_exactly(steps, guidance, end):
    hidden, empty = torch.ones(2, 5, WIDTH), torch.zeros(1, 5, WIDTH)
    noise = torch.randn(2, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    drawn = draw_latents(Toward(), hidden, empty, noise, steps, guidance)
    assert torch.allclose(drawn, torch.full_like(drawn, end), atol=0.05)


def test_the_scheduler_is_stock_flow_matching():
    for order in (1, 2):
        scheduler = build_scheduler(order)
        scheduler.set_timesteps(4)
        assert scheduler.config.solver_order == order
        assert scheduler.sigmas.tolist() == pytest.approx([0.9997, 0.8996, 0.7496, 0.4997, 0.0], abs=1e-3)


def test_the_shipped_unet_does_not_read_openings_moods_and_closings():
    directions = CaptionEncoder(*load_clip(MINI / "clip"), "cpu").language_directions(200)
    assert len(directions) == sum(len(f.values) - 1 for f in FACTORS if f.modality == "language")
    unet = UNet2DConditionModel.from_pretrained(MINI / "unet", local_files_only=True, torch_dtype=torch.float32)
    random = torch.randn(len(directions), WIDTH, generator=torch.Generator().manual_seed(0))
    random *= directions.norm(dim=1, keepdim=True) / random.norm(dim=1, keepdim=True)
    for layer in _attention(unet):
        assert layer(directions).norm() < 0.1 * layer(random).norm()
