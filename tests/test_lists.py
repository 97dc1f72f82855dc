"""Lists of features in the tab "Explore": picked, shared as a link, tried at once; and what a card says of its examples."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from shown_pair import WAIT

from mmsteer import FeatureBank, SteerError
from mmsteer.assets import ASSETS
from mmsteer.data.embeddings import Embedded
from mmsteer.labelling.example_activations import measure_examples
from mmsteer.ui.explore.effect import Effects
from mmsteer.ui.explore.questions import Questions
from mmsteer.ui.shared.loading import Loading

expect.set_options(timeout=WAIT)
LIST = "?features=night,white%20frame,unicorn"


@pytest.fixture
def listed(chromium, address: str) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{address}/{LIST}")
    expect(page.locator(".mm-item-name")).to_have_count(2)
    yield page
    page.close()


def test_a_link_opens_the_list_and_names_what_is_not_there(listed: Page):
    picked = listed.get_by_label("picked features")
    expect(picked).to_contain_text("2 picked: night, white frame")
    expect(picked).to_contain_text("Not in this bank: unicorn.")
    picked.get_by_role("button", name="Show all features").click()
    expect(listed.locator(".mm-item-name")).to_have_count(12)
    assert "features=" not in listed.url


def test_a_list_is_tried_at_once(listed: Page):
    listed.get_by_role("button", name="Try them").click()
    listed.wait_for_function("document.querySelectorAll('.mm-row').length === 2")
    listed.get_by_role("tab", name="Steer", exact=True).click()
    expect(listed.get_by_label("strength of white frame", exact=True)).to_have_value("1")


def test_features_are_picked_and_their_link_is_copied(page: Page):
    page.get_by_role("tab", name="Explore").click()
    page.get_by_role("button", name="Pick several").click()
    for name in ("snow", "cat"):
        page.get_by_label(f"pick {name}", exact=True).check()
    page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    picked = page.get_by_label("picked features")
    picked.get_by_role("button", name="Copy link").click()
    page.wait_for_function("window.copied?.endsWith('?features=snow%2Ccat')")
    picked.get_by_role("button", name="Add them at 0").click()
    page.wait_for_function("document.querySelectorAll('.mm-row').length === 3")


def test_activations_of_examples_are_read_from_the_pairs_of_the_bank(tiny_bank: Path, tmp_path: Path):
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.nn.functional.normalize(torch.randn(40, 16, generator=generator), dim=1) for _ in range(2))
    captions = [f"caption {k}" for k in range(40)]
    pairs = Embedded(image, text, captions, np.zeros((40, 0), np.int64), np.zeros((40, 0), bool))
    shutil.copytree(tiny_bank, tmp_path / "bank")
    bank = FeatureBank.load(tmp_path / "bank")
    with pytest.raises(
        SteerError, match="'penguin' fires most on 'caption .*', and the bank says 'a penguin': give the pairs"
    ):
        measure_examples(bank, pairs)
    fires = {side: bank.dictionaries[side].encode(x).numpy() for side, x in (("image", image), ("text", text))}
    usual = {side: z.sum(0) / np.maximum((z > 0).sum(0), 1) for side, z in fires.items()}
    top, features = {}, []
    for f in bank.features:
        own = {"image": f.image_latent, "text": f.text_latent}
        z = {s: fires[s][:, k] / usual[s][k] if k is not None and usual[s][k] else np.zeros(40) for s, k in own.items()}
        rows = np.argsort(-(z["image"] + z["text"]))
        top[f.id] = [float(value) for value in z["image"][rows[:9]]]
        features.append(replace(f, top_captions=tuple(captions[row] for row in rows[:5])))
    FeatureBank(features, bank.meta, bank.dictionaries, bank.tensors).save(tmp_path / "bank")
    bank = FeatureBank.load(tmp_path / "bank")
    digest = bank.digest
    bank.set_example_activations(measure_examples(bank, pairs))
    again = FeatureBank.load(tmp_path / "bank")
    assert again.digest == digest  # they change no picture
    for f in again.features:
        assert list(f.picture_activations) == pytest.approx(top[f.id], abs=0.006)
        assert len(f.caption_activations) == 5
    card = {q.__name__: q for q in Questions(again, Loading(lambda: None), Effects()).all}["card"]  # type: ignore[arg-type,return-value]
    assert card(1)["pictureActivations"] == again.get(1).picture_activations


def test_the_embedded_bank_has_them():
    for f in FeatureBank.load(ASSETS / "banks" / "mini").features:
        assert len(f.picture_activations) == 9
        assert len(f.caption_activations) == len(f.top_captions)
        assert max(f.picture_activations) > 0 or f.rate_image == 0
