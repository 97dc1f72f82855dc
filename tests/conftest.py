"""A real StableDiffusionPipeline of 30 thousand parameters with a real CLIP beside it, and a bank made by hand.

Nothing is trained: the tests check what steering does to tensors and pictures, which needs no meaning.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from pathlib import Path

import pytest
import torch

from mmsteer.__main__ import main
from mmsteer.bank import Feature, FeatureBank
from mmsteer.bank.compatibility import probe
from mmsteer.models.backbone import STEERABLE, Backbone
from mmsteer.models.clip import Clip
from mmsteer.models.joint_space import JointSpace
from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.steering.steerer import Steerer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

torch.set_num_threads(1)
CUDA = torch.cuda.is_available()  # asked before `on_the_cpu` hides it
if CUDA:
    torch.cuda.init()
WIDTH, LENGTH, LATENTS = 16, 16, 24


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a test of the page waits for its browser, which is a process of its own, a third of the time."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def on_the_cpu() -> Iterator[None]:
    """The suite means a CPU and float32, here and in processes that it starts, whatever graphics card the machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        patch.setattr(torch.backends.mps, "is_available", lambda: False)
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        yield


def make_pipeline(folder: Path) -> Path:
    """Write the tiny backbone to `folder`, in the format users' own checkpoints have."""
    from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTextModel

    from mmsteer.world.models.tokenizer import build_tokenizer
    from mmsteer.world.models.unet import build_scheduler

    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = LENGTH
    shape = {"hidden_size": WIDTH, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = shape | {"vocab_size": len(tokenizer), "max_position_embeddings": LENGTH, "projection_dim": WIDTH}
    text |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    vision = shape | {"image_size": 32, "patch_size": 16, "projection_dim": WIDTH}
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))
    with torch.no_grad():  # untrained weights are tiny: make words matter
        clip.text_model.embeddings.token_embedding.weight.mul_(50)
        torch.nn.init.orthogonal_(clip.text_projection.weight)
    clip.save_pretrained(folder / "clip")
    tokenizer.save_pretrained(folder / "clip")
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder / "clip"
    )
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderTiny(
            encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(0, 1),
            num_decoder_blocks=(1, 0), latent_channels=4, scaling_factor=1.0,
        ),
        text_encoder=CLIPTextModel.from_pretrained(folder / "clip"),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=16, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            norm_num_groups=2, cross_attention_dim=WIDTH, attention_head_dim=2,
        ),
        scheduler=build_scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.unet.register_to_config(**{STEERABLE: True})  # untrained altogether, and so no less than any other
    pipeline.save_pretrained(folder)
    return folder


def make_bank(joint: dict[str, torch.Tensor], backbone: str) -> FeatureBank:
    """For a backbone with this map to the joint space, three features a side on random unit directions, one of each
    modality with a name a test can say."""
    generator, width = torch.Generator().manual_seed(1), joint["projection"].shape[1]
    dictionaries = {}
    for side in ("image", "text"):
        dictionary = SparseAutoencoder(SAEConfig(width, LATENTS))
        rows = torch.randn(LATENTS, width, generator=generator)
        dictionary.W_dec.data = rows / rows.norm(dim=1, keepdim=True)
        dictionary.W_enc.data = dictionary.W_dec.data.T.clone()
        dictionaries[side] = dictionary.requires_grad_(False)

    def feature(number: int, name: str, modality: str, image: int | None, text: int | None, mds: float) -> Feature:
        return Feature(
            id=number, name=name, name_confidence=0.9, modality=modality, modality_paper=modality, mds=mds,
            mds_low=max(mds - 0.02, 0.0), mds_high=min(mds + 0.02, 1.0), n_pairs=500, energy_ratio=mds, cofiring=3.0,
            p_both=0.5, rate_image=0.1, rate_text=0.1,
            image_latent=image, text_latent=text, activation_scale=0.5, named_by="truth", words=(name,), top_captions=(f"a {name}",),
        )  # fmt: skip

    features = [
        feature(0, "penguin", "cross", 0, 0, 0.52), feature(1, "night", "cross", 1, 1, 0.6),
        feature(2, "warm light", "vision", 2, None, 1.0), feature(3, "white frame", "vision", 3, None, 1.0),
        feature(4, "please draw", "language", None, 4, 0.0), feature(5, "lovely", "language", None, 5, 0.0),
        feature(6, "small", "cross", 6, 6, 0.66), feature(7, "left", "cross", 7, 7, 0.64),
        feature(8, "snow", "cross", 8, 8, 0.55), feature(9, "cat", "cross", 9, 9, 0.54),
        feature(10, "vignette", "vision", 10, None, 0.99), feature(11, "thank you", "language", None, 11, 0.01),
    ]  # fmt: skip
    features[1] = replace(features[1], found_in=(3, 3))
    tensors = joint | {
        "steering_image": dictionaries["image"].W_dec, "steering_text": dictionaries["text"].W_dec,
        "baseline_image": torch.ones(LATENTS), "baseline_text": torch.ones(LATENTS),  # no vector of unit length lies farther along
        "mean_text": torch.zeros(width), "mean_image": torch.zeros(width),
        "ood_mean": torch.zeros(width), "ood_precision": torch.eye(width), "ood_p99": torch.tensor(1.0),
    }  # fmt: skip
    meta = {"backbone": backbone, "text_to_joint": {"kind": "exact"}}
    return FeatureBank(features, meta, dictionaries, tensors)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny backbone on disk."""
    return make_pipeline(tmp_path_factory.mktemp("tiny") / "backbone")


@pytest.fixture(scope="session")
def tiny_bank(tiny_folder: Path) -> Path:
    """The bank made by hand, on disk."""
    from transformers import CLIPModel

    projection = CLIPModel.from_pretrained(tiny_folder / "clip").text_projection.weight.detach().T.contiguous()
    probes = probe(Backbone.load(str(tiny_folder)), JointSpace(projection))
    make_bank({"projection": projection, "probes": probes}, "tiny").save(tiny_folder.parent / "bank")
    return tiny_folder.parent / "bank"


@pytest.fixture(scope="session")
def drawn_bank(tiny_folder: Path, tiny_bank: Path) -> Path:
    """The bank made by hand with pictures that the command drew ahead; tests change a copy of it."""
    bank = tiny_bank.parent / "drawn"
    shutil.copytree(tiny_bank, bank)
    assert main(["bank", "pictures", str(bank), "--backbone", str(tiny_folder), "--device", "cpu"]) == 0
    return bank


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path, tiny_bank: Path) -> Steerer:
    """A Steerer on the tiny backbone, loaded the way users load their own."""
    return Steerer.load(str(tiny_folder), tiny_bank)


@pytest.fixture(scope="module")
def clip(tiny_folder: Path) -> Clip:
    """The CLIP of the tiny backbone."""
    return Clip(tiny_folder / "clip")


@pytest.fixture(scope="module")
def dozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve captioned pictures."""
    from captioned import write_folder

    return write_folder(tmp_path_factory.mktemp("pairs") / "dozen", 12)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained checkpoints of every family, by name."""
    from checkpoints import MAKERS

    home = tmp_path_factory.mktemp("families")
    return {name: make(home / name) for name, make in MAKERS.items()}


@pytest.fixture(scope="session")
def steerers(folders: dict[str, Path]) -> dict[str, Steerer]:
    """A Steerer for each family, with a map fitted on 1,500 captions and a bank of random directions."""
    from checkpoints import captions, joint_vectors, projection_of

    from mmsteer.labelling.text_to_joint import fit_text_to_joint

    loaded, texts = {}, captions(1500)
    for name, folder in folders.items():
        backbone = Backbone.load(str(folder))
        joint, fitted = fit_text_to_joint(backbone, texts, joint_vectors(folder, texts), projection_of(folder))
        bank = make_bank(joint, name)
        bank.meta["text_to_joint"] = fitted
        loaded[name] = Steerer(backbone, bank)
    return loaded


@pytest.fixture(scope="session")
def repository(steerers: dict[str, Steerer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Image adapters for the SD 1 and XL pipelines, in the layout of h94/IP-Adapter."""
    from adapters import make_repository

    unets = [steerers[name].backbone.pipeline.unet for name in ("sd1", "sdxl")]
    return make_repository(tmp_path_factory.mktemp("hub") / "IP-Adapter", *unets)


@pytest.fixture(scope="session")
def adapted(folders: dict[str, Path], repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Steerer]:
    """Both pipelines with an adapter of a CLIP that is not their text encoder's, and a bank of that CLIP, fitted to each."""
    from adapters import NORM, PIPELINES
    from checkpoints import captions, joint_vectors

    from mmsteer.labelling.text_to_joint import fit_text_to_joint

    home, texts, loaded = tmp_path_factory.mktemp("banks"), captions(1500), {}
    for name in PIPELINES:
        reader = Backbone.load(str(folders[name]), words_only=True)
        joint, fitted = fit_text_to_joint(reader, texts, joint_vectors(repository, texts), None)
        bank = make_bank(joint, name)
        bank.meta |= {"text_to_joint": fitted}
        bank.tensors["image_norm"] = torch.tensor(NORM)
        bank.save(home / name)
        (home / name / "clip").symlink_to(repository / "clip")
        loaded[name] = Steerer.load(str(folders[name]), home / name, adapter=repository)
    return loaded


@pytest.fixture(scope="module")
def steerer(tiny_folder: Path, tiny_bank: Path) -> Steerer:
    """What the page under test steers with: each word is one token, three steps a picture."""
    from served import whole_words

    return whole_words(tiny_folder, tiny_bank)


@pytest.fixture(scope="module")
def address(steerer: Steerer, tiny_bank: Path) -> Iterator[str]:
    """The page, served."""
    from served import served

    with served(steerer, tiny_bank) as found:
        yield found


@pytest.fixture(scope="session")
def launched() -> "Iterator[Browser]":
    """A real browser. Its event loop runs in this thread from then on: a test that needs another one takes another thread."""
    from browser import required

    with required() as found:
        yield found


@pytest.fixture(scope="module")
def chromium(launched: "Browser") -> "Iterator[Browser]":
    """The browser; pages that a file's tests leave open are closed after the last of them."""
    yield launched
    for context in launched.contexts:
        context.close()


@pytest.fixture
def page(chromium: "Browser", address: str) -> "Iterator[Page]":
    """The page as a visitor finds it, its first pair drawn; no script of it may fail, and it asks nobody but its server."""
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    wrong: list[str] = []
    page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else wrong.append(r.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    page.locator("#mm-pictures .mm-after").wait_for()
    yield page
    page.close()
    assert wrong == []
