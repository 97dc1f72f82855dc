"""Image adapters in the layout of h94/IP-Adapter, on tiny SD 1 and XL pipelines: which file is taken, and what its scale does."""

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from adapters import NORM, PIPELINES, READS, SD15, XL, XL_READS, XL_VIT_H

from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError
from mmsteer.labelling.text_to_joint import load_prompt_encoder
from mmsteer.models.backbone import Backbone
from mmsteer.models.clip import Clip
from mmsteer.models.image_adapter import find_adapter, image_width
from mmsteer.models.sampler import Sampler
from mmsteer.recipes.edit import Edit
from mmsteer.recipes.recipe import Recipe
from mmsteer.steering.steerer import Steerer

ROWS, XL_ROWS = 32, 24 + 32
PROMPT, SEED = "a cat", 3
COMMIT = "0123456789abcdef0123456789abcdef01234567"
EDITS = [Edit("warm light", strength=3.0), Edit("penguin", strength=3.0)]


def pixels(picture):
    return np.asarray(picture).astype(int)


def test_the_file_is_taken_that_fits_checkpoint_and_bank(repository, capsys):
    assert find_adapter(repository, ROWS, READS) == repository / SD15
    assert (
        f"image adapter: {SD15} of IP-Adapter, tokens 32 wide, from image embeddings 48 wide" in capsys.readouterr().err
    )
    assert find_adapter(repository, ROWS) == repository / SD15
    assert find_adapter(repository, XL_ROWS, XL_READS) == repository / XL
    assert find_adapter(repository, XL_ROWS, READS) == repository / XL_VIT_H
    assert find_adapter(repository / "models", ROWS, XL_READS).name == "ip-adapter_sd15_vit-G.safetensors"


def test_a_repository_is_resolved_to_a_commit(repository, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--h94--IP-Adapter"
    shutil.copytree(repository, cached / "snapshots" / COMMIT)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(COMMIT)
    for source in ("hub:h94/IP-Adapter", "h94/IP-Adapter", "hub:h94/IP-Adapter@main", f"h94/IP-Adapter@{COMMIT}"):
        assert find_adapter(source, XL_ROWS, READS) == cached / "snapshots" / COMMIT / XL_VIT_H
        assert f"{XL_VIT_H} of h94/IP-Adapter@{COMMIT}, tokens" in capsys.readouterr().err
    assert find_adapter(f"h94/IP-Adapter/{SD15}", ROWS).name == Path(SD15).name  # as it was written before
    with pytest.raises(
        SteerError, match=r"cannot get an adapter of h94/other from the hub or its cache: .*give a local file"
    ):
        find_adapter("hub:h94/other", ROWS)


def test_on_line_headers_alone_are_read_before_a_file_is_fetched(repository, monkeypatch):
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo

    asked = []
    names = [path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()]
    siblings = [{"rfilename": name} for name in names]

    def header(_, repo, name, revision):
        from huggingface_hub.utils import SafetensorsFileMetadata, TensorInfo
        from safetensors import safe_open

        asked.append((name, revision))
        with safe_open(repository / name, "pt") as file:
            tensors = {key: TensorInfo("F32", file.get_slice(key).get_shape(), (0, 0)) for key in file.keys()}  # noqa: SIM118
        return SafetensorsFileMetadata({}, tensors)

    def fetched(repo, name, revision):
        asked.append((name, revision))
        return str(repository / name)

    monkeypatch.setattr(
        HfApi, "model_info", lambda *_, **__: ModelInfo(id="h94/IP-Adapter", sha=COMMIT, siblings=siblings)
    )
    monkeypatch.setattr(HfApi, "parse_safetensors_file_metadata", header)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetched)
    assert find_adapter("hub:h94/IP-Adapter", ROWS, READS) == repository / SD15
    assert asked[-1] == (SD15, COMMIT)
    assert {revision for _, revision in asked} == {COMMIT}
    assert all(name.endswith(".safetensors") for name, _ in asked)


def test_what_does_not_fit_is_refused_with_the_way_out(repository, adapted, folders, steerers, tmp_path):
    with pytest.raises(
        SteerError, match="reads rows 7 wide, and no adapter in .* makes tokens as wide: models/ip-adapter_sd15"
    ):
        find_adapter(repository, 7)
    with pytest.raises(
        SteerError, match="the bank's joint space is 9 wide, .* Give a bank of .*, fitted .* with `bank fit`"
    ):
        find_adapter(repository, ROWS, 9)
    for variant in ("plus", "full-face"):
        shutil.copytree(
            repository, tmp_path / variant, ignore=lambda _, names: [n for n in names if n.endswith("tensors")]
        )
        name = f"models/ip-adapter-{variant}_sd15.safetensors"
        shutil.copy(repository / name, tmp_path / variant / name)
        with pytest.raises(
            SteerError, match=f"{variant}_sd15.safetensors reads the patches .*: give a plain IP-Adapter"
        ):
            find_adapter(tmp_path / variant, ROWS)
        (tmp_path / variant / name).unlink()
        with pytest.raises(
            SteerError, match="ip-adapter_sd15.bin is a pickle, which can run code .*give the .safetensors"
        ):
            find_adapter(tmp_path / variant, ROWS)
    with pytest.raises(SteerError, match="sd15.bin is a pickle"):
        Backbone.load(str(folders["sd1"]), adapter=repository / "models/ip-adapter_sd15.bin")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SteerError, match="empty holds no image adapter: give an IP-Adapter"):
        find_adapter(tmp_path / "empty", ROWS)
    other = Backbone.load(str(folders["sd1"]), adapter=repository / "models/ip-adapter_sd15_vit-G.safetensors")
    with pytest.raises(
        SteerError,
        match="48 wide, and sd1 reads image embeddings 40 wide: give a bank of .*bank fit BANK --backbone sd1",
    ):
        Steerer(other, adapted["sd1"].bank)
    with pytest.raises(SteerError, match="sd2 has no image adapter that `adapter_scale` 0.5 could scale"):
        steerers["sd2"].steer(PROMPT, sampler=Sampler(2, 1.0, adapter_scale=0.5))
    for scale in (-0.1, 1.6, float("nan"), "1"):
        with pytest.raises(SteerError, match="`adapter_scale` is .*: give a number from 0 to 1.5"):
            Sampler(adapter_scale=scale)


def by_diffusers(folder, repository, schedule, empty, sampler):
    """The picture as diffusers' own pipeline draws it, with its own ways to load an adapter and set its scale."""
    import diffusers

    name = "sdxl" if "sdxl" in folder.name else "sd1"
    pipeline = getattr(diffusers, PIPELINES[name]).from_pretrained(folder, local_files_only=True)
    place, file = (XL_VIT_H if name == "sdxl" else SD15).split("/")
    pipeline.load_ip_adapter(str(repository), subfolder=place, weight_name=file, image_encoder_folder=None)
    pipeline.set_ip_adapter_scale(sampler.adapter_scale)
    pipeline.set_progress_bar_config(disable=True)
    now = schedule.at(0.0)
    pooled = (
        {"pooled_prompt_embeds": now.pooled, "negative_pooled_prompt_embeds": empty.pooled} if name == "sdxl" else {}
    )
    images = torch.stack([torch.zeros_like(now.image), now.image])  # [2, 1, d_joint]
    drawn = pipeline(
        prompt_embeds=now.hidden, negative_prompt_embeds=empty.hidden, **pooled, ip_adapter_image_embeds=[images],
        num_inference_steps=sampler.steps, guidance_scale=sampler.guidance, generator=torch.Generator().manual_seed(SEED),
    )  # fmt: skip
    return pixels(drawn.images[0])


@pytest.mark.parametrize("name", PIPELINES)
def test_pictures_and_scale_are_those_of_diffusers_and_the_unet_stays_as_it_is(name, adapted, folders, repository):
    steerer = adapted[name]
    unet = steerer.backbone.pipeline.unet
    weights = copy.deepcopy(unet.state_dict())
    schedule = steerer.schedule(steerer.read([PROMPT]), EDITS)
    drawn = {}
    for scale in (0.0, 0.4, 1.0, 1.5):
        sampler = Sampler(3, 4.0, adapter_scale=scale)
        result = steerer.steer(PROMPT, EDITS, SEED, sampler)
        assert result.blanked == (False, False)
        drawn[scale] = pixels(result.after)
        theirs = by_diffusers(folders[name], repository, schedule, steerer.empty, sampler)
        assert np.abs(drawn[scale] - theirs).max() <= 1, scale
    assert np.array_equal(drawn[1.0], by_diffusers(folders[name], repository, schedule, steerer.empty, Sampler(3, 4.0)))
    far = [np.abs(drawn[scale] - drawn[0.0]).mean() for scale in (0.4, 1.0, 1.5)]
    assert 0 < far[0] < far[1] < far[2]
    assert all(part.scale == [1.0] for part in unet.attn_processors.values() if hasattr(part, "scale"))
    assert all(torch.equal(value, weights[key]) for key, value in unet.state_dict().items())


def test_without_the_adapter_s_tokens_a_picture_is_the_checkpoint_s_own(adapted, folders):
    adapted, bank = adapted["sd1"], adapted["sd1"].bank
    alone = Steerer(Backbone.load(str(folders["sd1"])), bank)
    drawn = adapted.steer(PROMPT, [], SEED, Sampler(3, 4.0, adapter_scale=0.0)).before
    assert np.abs(pixels(drawn) - pixels(alone.steer(PROMPT, [], SEED, Sampler(3, 4.0)).before)).max() <= 1


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_the_scale_goes_with_edit_guidance_and_step_ranges_and_belongs_to_before_too(adapted, guidance):
    steerer = adapted["sd1"]
    scaled = Sampler(4, guidance, adapter_scale=0.5)
    plain = steerer.steer(PROMPT, EDITS, SEED, scaled)
    assert not np.array_equal(
        pixels(plain.before), pixels(steerer.steer(PROMPT, [], SEED, Sampler(4, guidance)).before)
    )
    almost = steerer.steer(PROMPT, EDITS, SEED, Sampler(4, guidance, 1 + 1e-6, adapter_scale=0.5))
    assert np.abs(pixels(almost.after) - pixels(plain.after)).max() <= 1
    assert np.array_equal(pixels(almost.before), pixels(plain.before))
    halves = [
        edit
        for e in EDITS
        for edit in (Edit(e.feature, "add", 3.0, (), 0.0, 0.5), Edit(e.feature, "add", 3.0, (), 0.5, 1.0))
    ]
    assert np.array_equal(pixels(plain.after), pixels(steerer.steer(PROMPT, halves, SEED, scaled).after))
    assert np.array_equal(pixels(plain.after), pixels(steerer.picture(plain.recipe)))


def test_a_recipe_carries_the_scale(adapted):
    recipe = adapted["sd1"].steer(PROMPT, EDITS, SEED, Sampler(2, 1.0, adapter_scale=0.25)).recipe
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_query(recipe.to_query()) == recipe
    assert "adapter_scale=0.25" in recipe.to_query()
    assert "adapter_scale" not in Recipe(PROMPT).to_query()
    assert recipe.plain.sampler.adapter_scale == 0.25


def test_one_bank_of_the_adapter_s_clip_acts_by_words_and_by_image(adapted):
    for steerer in adapted.values():
        assert steerer.bank.faithfulness.startswith("fitted map to the joint space, R² 0.")
        assert image_width(steerer.backbone.pipeline.unet) == READS
        state = steerer.read([PROMPT])
        was = steerer.schedule(state, ()).at(0.0)
        vision, cross = (steerer.schedule(state, [edit]).at(0.0) for edit in EDITS)
        assert torch.equal(vision.hidden, was.hidden)
        row = steerer.bank.tensors["steering_image"][steerer.bank.get("warm light").latent]
        assert torch.allclose(vision.image - was.image, (NORM * 3.0 * 0.5 * row)[None], atol=1e-4)
        assert not torch.equal(cross.hidden, was.hidden)
        assert not torch.equal(cross.image, was.image)


def test_a_bank_may_be_built_for_the_clip_that_an_adapter_reads(folders, repository, capsys):
    clip = Clip(repository / "clip")
    with pytest.raises(SteerError, match="the text encoder of .* is not that of .*give that with --ip-adapter"):
        load_prompt_encoder(str(folders["sd1"]), clip, 1000)
    reader = load_prompt_encoder(str(folders["sd1"]), clip, 1000, repository)
    said = capsys.readouterr()
    assert SD15 in said.err
    assert "reads another text encoder than" in said.out
    assert reader.width == ROWS
    with pytest.raises(
        SteerError, match="vit-G.safetensors has tokens 32 wide, from image embeddings 40 wide; rows of .* 32 .* 48"
    ):
        load_prompt_encoder(str(folders["sd1"]), clip, 1000, repository / "models/ip-adapter_sd15_vit-G.safetensors")
    with pytest.raises(
        SteerError, match="reads an image embedding by itself: leave the adapter out|reads image embeddings 32 wide"
    ):
        load_prompt_encoder(str(folders["unclip"]), clip, 1000, repository)


def test_another_adapter_is_another_model(adapted, folders, repository):
    light = Backbone.load(str(folders["sd1"]), adapter=repository / "models/ip-adapter_sd15_light.safetensors")
    assert light.digest != adapted["sd1"].backbone.digest
    assert FeatureBank.load(adapted["sd1"].bank.folder).digest == adapted["sd1"].bank.digest
