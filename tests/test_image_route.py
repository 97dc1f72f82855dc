"""The image route: an adapter on a real tiny pipeline, what edits do to the embedding it reads, and guidance towards *after*."""

import copy

import numpy as np
import pytest
import torch
from conftest import WIDTH
from safetensors.torch import save_file
from served import served, whole_words
from shown_pair import open_row

from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError
from mmsteer.models.backbone import STEERABLE
from mmsteer.models.image_adapter import attach, find_adapter, image_width, read_adapter
from mmsteer.models.sampler import Sampler
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Recipe
from mmsteer.steering.steerer import Steerer
from mmsteer.world.models.adapter import initial_weights

PROMPT = "a small cat at night"
FAST, PLAIN = Sampler(steps=4, guidance=3.0), Sampler(steps=4, guidance=1.0)
NORM = 7.0  # of the image embeddings that the bank speaks of


@pytest.fixture(scope="module")
def adapter(tiny, tmp_path_factory):
    """An untrained adapter for the tiny UNet, on disk."""
    torch.manual_seed(0)
    weights = initial_weights(tiny.backbone.pipeline.unet, WIDTH)
    path = tmp_path_factory.mktemp("adapter") / "ip-adapter.safetensors"
    save_file({f"{kind}.{name}": value for kind, part in weights.items() for name, value in part.items()}, path)
    return path


@pytest.fixture(scope="module")
def routed(tiny_folder, tiny, adapter, tmp_path_factory):
    """The tiny backbone with the adapter, and a bank that says how long image embeddings are."""
    folder = tmp_path_factory.mktemp("bank") / "bank"
    tensors = tiny.bank.tensors | {"image_norm": torch.tensor(NORM)}
    FeatureBank(tiny.bank.features, tiny.bank.meta, tiny.bank.dictionaries, tensors).save(folder)
    return Steerer.load(str(tiny_folder), folder, adapter=adapter)


def pixels(picture):
    return np.asarray(picture).astype(int)


@pytest.fixture
def untrained(tiny, routed):
    """Both, as checkpoints are that were not trained to be steered."""
    both = [steerer.backbone.pipeline.unet for steerer in (tiny, routed)]
    for unet in both:
        unet.register_to_config(**{STEERABLE: False})
    yield tiny, routed
    for unet in both:
        unet.register_to_config(**{STEERABLE: True})


def test_a_backbone_tells_whether_it_draws_what_no_prompt_says(tiny, routed, untrained):
    assert (tiny.backbone.image_width, routed.backbone.image_width) == (None, WIDTH)
    assert (tiny.backbone.steers_image_only, routed.backbone.steers_image_only) == (False, True)
    assert [Steerer.load(name).backbone.steers_image_only for name in ("mini", "ordinary", "ordinary-image")] == [
        True,
        False,
        True,
    ]


def test_the_page_keeps_vision_features_weak_where_they_break_pictures(tiny_folder, tiny_bank, chromium):
    steerer = whole_words(tiny_folder, tiny_bank)
    steerer.backbone.pipeline.unet.register_to_config(**{STEERABLE: False})
    with served(steerer, tiny_bank) as address:
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}?prompt=a+cat&edit=penguin")
        page.locator("#mm-pictures .mm-after").wait_for()
        page.get_by_label("add a feature").fill("warm")
        page.locator("#mm-rack .mm-chip", has_text="warm light").last.click()
        row = page.locator(".mm-row", has_text="warm light")
        row.locator(".mm-risky").wait_for()
        assert "not trained to be steered" in row.locator(".mm-risky").get_attribute("title")
        assert "not trained to be steered" in page.locator("#mm-notice .mm-note").inner_text()
        open_row(page, "warm light")
        number = row.locator("input[type=number]")
        assert (number.input_value(), number.get_attribute("min"), number.get_attribute("max")) == (
            "0.05",
            "-0.1",
            "0.1",
        )
        other = page.locator(".mm-row", has_text="penguin")
        assert other.locator(".mm-track input").input_value() == "1"
        assert other.locator(".mm-risky").count() == 0
        page.close()


def test_without_edits_nothing_is_added_and_the_prompt_reads_its_own_embedding(routed):
    state = routed.read([PROMPT])
    schedule = routed.schedule(state, [Edit("warm light", strength=0.0)])
    assert schedule.moves == []
    assert schedule.at(0.0).hidden is state.encoded.conditioning.hidden
    assert schedule.at(0.0).image.norm().item() == pytest.approx(NORM, rel=1e-4)
    drawn = routed.steer(PROMPT, [], 3, FAST)
    assert np.array_equal(pixels(drawn.before), pixels(drawn.after))


def test_a_vision_feature_moves_the_embedding_alone_and_a_cross_feature_both(routed):
    state = routed.read([PROMPT])
    was = routed.schedule(state, ()).at(0.0)
    vision = routed.schedule(state, [Edit("warm light", strength=2.0)])
    assert torch.equal(vision.at(0.0).hidden, was.hidden)
    row = routed.bank.dictionaries["image"].W_dec[routed.bank.get("warm light").latent]
    assert torch.allclose(vision.at(0.0).image - was.image, (NORM * 2.0 * 0.5 * row)[None], atol=1e-4)
    cross = routed.schedule(state, [Edit("penguin", strength=2.0)])
    assert not torch.equal(cross.at(0.0).hidden, was.hidden)
    assert torch.allclose(cross.at(0.0).image - was.image, NORM * cross.shift, atol=1e-4)
    both = routed.schedule(state, [Edit("penguin", strength=2.0), Edit("warm light", strength=2.0)])
    assert torch.allclose(both.at(0.0).hidden, cross.at(0.0).hidden, atol=1e-5)
    assert torch.allclose(both.shift, cross.shift + vision.shift, atol=1e-5)


def test_pictures_follow_the_embedding_and_the_unet_stays_as_it_is(routed):
    unet = routed.backbone.pipeline.unet
    weights, config = copy.deepcopy(unet.state_dict()), dict(routed.backbone.pipeline.config)
    for edits in ([Edit("warm light", strength=4.0)], [Edit("warm light", strength=4.0, start=0.5)]):
        drawn = routed.steer(PROMPT, edits, 3, FAST)
        assert not np.array_equal(pixels(drawn.before), pixels(drawn.after))
    assert routed.backbone.pipeline.unet is unet
    assert dict(routed.backbone.pipeline.config) == config
    assert all(torch.equal(value, weights[name]) for name, value in unet.state_dict().items())


@pytest.mark.parametrize("sampler", [FAST, PLAIN], ids=["guided", "plain"])
def test_an_edit_of_the_embedding_acts_on_its_part_of_the_run_only(routed, sampler, monkeypatch):
    read = []
    layer = routed.backbone.pipeline.unet.encoder_hid_proj
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda images: read.append(images[0].clone()) or forward(images))
    routed.steer(PROMPT, [Edit("warm light", strength=4.0, start=0.25, end=0.75)], 31, sampler)
    before, after = read[:4], read[4:]
    assert len(after) == 4
    changed = [not torch.equal(a, b) for a, b in zip(after, before, strict=True)]
    assert changed == [False, True, True, False]
    if sampler is FAST:  # the empty prompt's rows read no picture, edited or not
        assert all(not a[0].any() for a in read)
    whole = routed.steer(PROMPT, [Edit("warm light", strength=4.0)], 3, sampler).after
    halves = [Edit("warm light", strength=4.0, end=0.5), Edit("warm light", strength=4.0, start=0.5)]
    assert np.array_equal(pixels(whole), pixels(routed.steer(PROMPT, halves, 3, sampler).after))


def test_one_seed_one_picture_in_a_batch_too(routed):
    recipe = routed.steer(PROMPT, [Edit("warm light", strength=3.0)], 7, FAST).recipe
    alone = pixels(routed.picture(Recipe.from_json(recipe.to_json())))
    batch = routed.render_many([PROMPT] * 2, recipe.edits, [5, 7], FAST).permute(0, 2, 3, 1).numpy()
    assert np.abs(batch[1].astype(int) - alone).max() <= 1


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("which", ["tiny", "routed"])
def test_edit_guidance_goes_from_before_towards_after_and_beyond(which, guidance, request):
    steerer = request.getfixturevalue(which)
    edits = [Edit("penguin", strength=2.0), Edit("warm light", strength=2.0)]
    plain = steerer.steer(PROMPT, edits, 3, Sampler(4, guidance))
    drawn = {g: steerer.steer(PROMPT, edits, 3, Sampler(4, guidance, g)) for g in (0.0, 0.5, 1.0, 1 + 1e-6, 2.0)}
    assert np.array_equal(pixels(drawn[1.0].after), pixels(plain.after))
    assert np.abs(pixels(drawn[1 + 1e-6].after) - pixels(plain.after)).max() <= 1  # another route to the same
    assert np.abs(pixels(drawn[0.0].after) - pixels(plain.before)).max() <= 1
    away = [np.abs(pixels(drawn[g].after) - pixels(plain.before)).mean() for g in (0.5, 1.0, 2.0)]
    assert 0 < away[0] < away[1] < away[2]
    assert all(np.array_equal(pixels(one.before), pixels(plain.before)) for one in drawn.values())


def test_a_before_is_kept_whatever_the_edit_guidance(tiny):
    assert Recipe(PROMPT, 1, Sampler(4, 3.0, 2.0)).plain == Recipe(PROMPT, 1, Sampler(4, 3.0)).plain


def test_an_adapter_makes_another_model_of_a_checkpoint(tiny, routed):
    assert routed.origin.model != tiny.origin.model
    assert routed.origin.backbone == tiny.origin.backbone


def test_what_does_not_fit_is_said_in_one_line(tiny_folder, tiny_bank, tiny, adapter, routed, tmp_path):
    with pytest.raises(SteerError, match="'warm light' is vision-only.*leave the words of this edit out"):
        routed.steer(PROMPT, [Edit("warm light", words=("cat",))])
    with pytest.raises(SteerError, match="does not say how long.*build it again"):
        Steerer.load(str(tiny_folder), tiny_bank, adapter=adapter)
    for nowhere in (tmp_path / "none.safetensors", "./none.safetensors", "none.safetensors"):
        with pytest.raises(SteerError, match="there is no adapter .*: give a safetensors file"):
            find_adapter(nowhere, WIDTH)
    (tmp_path / "broken.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(SteerError, match="cannot read the adapter .*broken.safetensors"):
        read_adapter(tmp_path / "broken.safetensors")
    save_file({"unet.weight": torch.ones(2)}, tmp_path / "lora.safetensors")
    with pytest.raises(SteerError, match="is no image adapter: it holds"):
        read_adapter(tmp_path / "lora.safetensors")
    save_file(
        {"image_proj.latents": torch.ones(2), "ip_adapter.1.to_k_ip.weight": torch.ones(2)},
        tmp_path / "plus.safetensors",
    )
    with pytest.raises(SteerError, match="reads the patches of a picture"):
        read_adapter(tmp_path / "plus.safetensors")
    weights = read_adapter(adapter)
    wide = weights | {"image_proj": weights["image_proj"] | {"norm.weight": torch.ones(WIDTH + 1)}}
    unet = copy.deepcopy(tiny.backbone.pipeline.unet)
    with pytest.raises(SteerError, match=f"tokens {WIDTH + 1} wide, and this UNet reads rows {WIDTH} wide"):
        attach(unet, wide)
    with pytest.raises(SteerError, match="does not go with this UNet"):
        attach(unet, weights | {"ip_adapter": {"7.to_k_ip.weight": torch.ones(2)}})
    assert image_width(unet) is None
