"""Recipes from elsewhere: what made them, what of it is not here, and that they tell nobody where things lie."""

import base64
import json
import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote
from urllib.request import urlopen

import gradio as gr
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from served import served

from mmsteer import Edit, FeatureBank, Origin, Recipe, Sampler, Steerer, SteerError
from mmsteer.__main__ import main
from mmsteer.errors import without_folders
from mmsteer.models.checkpoint import Checkpoint
from mmsteer.models.digest import of_checkpoint
from mmsteer.models.registry import public_name
from mmsteer.recipes.provenance import differences, missing
from mmsteer.recipes.sweep import over
from mmsteer.recipes.sweep_files import save_gif, save_sheet
from mmsteer.ui.explore.effect import Effects
from mmsteer.ui.picture.tab import _pair
from mmsteer.ui.shared.loading import Loading, attempt
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.steer.compare import compare
from mmsteer.ui.steer.image import image_of
from mmsteer.ui.steer.opening import Opening
from mmsteer.ui.steer.pair import PairDrawer
from mmsteer.ui.steer.rack import ROWS, rows
from mmsteer.ui.sweep.panel import Sweeps
from mmsteer.ui.talk.stage import Stage

FAST = Sampler(2, 1.0)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HERE = Origin("tiny", "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "DDIMScheduler, order 1")
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


# -- what made a recipe


def change(file: Path, *names: str) -> None:
    """Add a little to whole tensors of a safetensors file."""
    tensors = load_file(file)
    save_file({name: t + 0.01 if name in names else t for name, t in tensors.items()}, file)


def test_a_checkpoint_is_known_by_its_content_wherever_it_lies(tiny_folder: Path, tmp_path: Path):
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    (copy / "README.md").write_text("not read for a picture")
    first = of_checkpoint(tiny_folder)
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert of_checkpoint(copy) == first
    tensors = load_file(copy / WEIGHTS)
    smallest, largest = (
        find(tensors, key=lambda name: tensors[name].numel() * 4) for find in (min, max)
    )  # one is read whole, of the other 4 kB
    assert tensors[largest].numel() * 4 > 4096 > tensors[smallest].numel() * 4
    digests = {first}
    for name in (smallest, largest):
        change(copy / WEIGHTS, name)
        digests.add(of_checkpoint(copy))
    for file in ("scheduler/scheduler_config.json", "model_index.json"):
        (copy / file).write_text(json.dumps(json.loads((copy / file).read_text()) | {"_note": "x"}))
        digests.add(of_checkpoint(copy))
    assert len(digests) == 5


def test_a_bank_is_known_by_what_it_does_to_pictures(tiny_bank: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_bank, tmp_path / "bank")
    bank = FeatureBank.load(folder)
    first = bank.digest
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert FeatureBank(bank.features, bank.meta, bank.dictionaries, bank.tensors).digest == first  # no folder
    bank.rename("night", "darkness")
    assert FeatureBank.load(folder).digest == first
    stronger = [replace(f, activation_scale=2 * f.activation_scale) if f.id == 3 else f for f in bank.features]
    digests = {first, FeatureBank(stronger, bank.meta, bank.dictionaries, bank.tensors).digest}
    for file, name in (("bridge.safetensors", "effect_text"), ("text/sae_weights.safetensors", "b_enc")):
        change(folder / file, name)
        digests.add(FeatureBank.load(folder).digest)
    assert len(digests) == 4


def test_a_checkpoint_of_the_hub_is_known_by_its_commit(tiny: Steerer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    repository = tmp_path / "models--someone--tiny"
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    (repository / "snapshots" / COMMIT / "model_index.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name in ("someone/tiny", f"someone/tiny@{COMMIT}"):
        backbone = replace(tiny.backbone, name=public_name(name), checkpoint=Checkpoint(name))
        assert (backbone.name, backbone.digest) == (name, COMMIT)


def test_a_drawn_recipe_says_what_made_it(tiny: Steerer, tiny_folder: Path):
    made = tiny.steer("a cat", [Edit("night")], 3, FAST).recipe.origin
    assert made == Origin(
        "backbone", of_checkpoint(tiny_folder), tiny.bank.digest, "DPMSolverMultistepScheduler, order 2"
    )
    assert tiny_folder.name == "backbone"  # the last part of where it lies


def test_public_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "sd").mkdir(parents=True)
    names = {
        "mini": "mini", "someone/tiny@v2": "someone/tiny@v2", str(tmp_path / "models" / "sd"): "sd", "models/sd": "sd",
        "models/../models/sd/": "sd", ".": tmp_path.name,
    }  # fmt: skip
    assert {name: public_name(name) for name in names} == names


# -- what is not here


def test_what_else_made_a_recipe_is_told_in_words(tiny: Steerer):
    def told(edits: tuple[Edit, ...] = (), **made: str) -> list[str]:
        return differences(Recipe("a cat", edits=edits, origin=replace(HERE, **made)), HERE, tiny.bank)

    by_number = (Edit(7), Edit("night"), Edit(9), Edit(99))
    assert told(by_number) == []
    assert differences(Recipe("a cat", edits=by_number), HERE, tiny.bank) == []  # nothing is known of its origin
    assert told(backbone="sd15", model="") == [
        "This recipe was made for the backbone 'sd15'; here it is drawn with 'tiny'."
    ]
    assert told(backbone="sd15") == []  # the same weights under another name
    assert told(model="cccccccccccccccc") == [
        "This recipe was made with other weights (cccccccc) than those of 'tiny' here (aaaaaaaa): the picture will be another."
    ]
    assert told(scheduler="DPMSolverMultistepScheduler, order 2") == [
        "This recipe was drawn by DPMSolverMultistepScheduler, order 2; here pictures are drawn by DDIMScheduler, order 1."
    ]
    another = "This recipe was made with another bank of features: one of the same name may act differently here."
    numbers = "Feature numbers mean other features in another bank; in the one here 7 is 'left', 9 is 'cat'."
    assert told((Edit("night"),), bank="cccccccccccccccc") == [another]
    assert told(by_number, bank="cccccccccccccccc") == [another, numbers]


def test_for_an_edit_that_is_not_here_the_nearest_names_are_given(tiny: Steerer):
    recipe = Recipe("a cat", edits=(Edit("Night"), Edit("vignettes", "remove", 0.5, ("cat",)), Edit(99), Edit("qqqq")))
    vignettes, number, nonsense = missing(tiny.bank, recipe)
    assert vignettes.near[0].name == "vignette"
    assert vignettes.note_with_names == (
        "There is no feature 'vignettes' in this bank: the edit vignettes:remove:0.5@cat is left out. The nearest by name are "
        + ", ".join(f.name for f in vignettes.near) + "."
    )  # fmt: skip
    assert number.note_with_names == "There is no feature 99 in this bank: the edit 99:1 is left out."
    assert nonsense.near == []


@pytest.fixture(scope="module")
def page(tiny: Steerer, tiny_bank: Path) -> Opening:
    return Opening(PageState(FeatureBank.load(tiny_bank), lambda: tiny))


def test_what_is_here_of_a_recipe_opens_and_the_rest_is_offered(page: Opening, tiny: Steerer):
    edits = (Edit("vignettes", "remove", 0.5), Edit("night", strength=1.5), Edit("<b>"), Edit(7))
    recipe = Recipe("a cat", 8, FAST, edits, Origin("sd15", COMMIT, "cccccccccccccccc"))
    prompt, seed, rack, sampler, negative_prompt, _, _, _, panel, notes = page.restore(lambda: recipe, wait=True)
    assert (prompt, seed, sampler, negative_prompt, panel) == ("a cat", 8, FAST, "", gr.skip())
    assert rack == rows(tiny.bank, (Edit("night", strength=1.5), Edit(7)))
    assert "made for the backbone &#x27;sd15&#x27;; here it is drawn with &#x27;backbone&#x27;" in notes
    assert "made with another bank" in notes
    assert "in the one here 7 is &#x27;left&#x27;" in notes
    assert 'data-mm-add="10" data-mm-strength="-0.5"' in notes  # vignette, taken out as vignettes were
    assert "<b>" not in notes
    assert notes.count("mm-note") == 5  # backbone, bank, numbers, and two edits that are not here
    assert page.restore(lambda: Recipe("a cat", origin=tiny.origin), wait=True)[-1] == ""


def test_more_features_than_the_rack_holds_are_left_out_and_told(page: Opening, tiny: Steerer):
    edits = tuple(Edit(k % 12, strength=k / 10) for k in range(ROWS + 2))
    _, _, rack, _, negative_prompt, _, _, _, panel, notes = page.restore(
        lambda: Recipe("a cat", edits=edits, negative_prompt="blurry")
    )
    assert (negative_prompt, panel.open) == ("blurry", True)
    assert [row["strength"] for row in rack["rows"]] == [k / 10 for k in range(ROWS)]
    assert "The rack holds 16 features: the last 2 of the recipe are left out." in notes


def test_a_recipe_opens_where_the_model_could_not_be_loaded(tiny_bank: Path):
    def broken() -> Steerer:
        raise SteerError("unet is damaged")

    page = Opening(PageState(FeatureBank.load(tiny_bank), broken))
    recipe = Recipe("a cat", 8, FAST, (Edit("night"),), Origin("sd15"))
    assert page.restore(lambda: recipe, wait=True)[:2] == ["a cat", 8]


def test_the_command_line_opens_a_recipe(tiny: Steerer, tiny_folder: Path, tiny_bank: Path, tmp_path: Path, capsys):
    models = ["--backbone", str(tiny_folder), "--bank", str(tiny_bank), "--device", "cpu"]
    edits = (Edit("night", strength=1.5), Edit("vignettes"))
    recipe = Recipe("a cat", 8, FAST, edits, Origin("sd15", bank="cccccccccccccccc"))
    recipe.save_png(Image.new("RGB", (4, 4)), tmp_path / "kept.png")
    assert main(["steer", "--recipe", str(tmp_path / "kept.png"), "--out", str(tmp_path / "pair.png"), *models]) == 0
    told = capsys.readouterr().err
    assert "made for the backbone 'sd15'; here it is drawn with 'backbone'" in told
    assert "made with another bank" in told
    assert (
        "no feature 'vignettes' in this bank: the edit vignettes:1 is left out. The nearest by name are vignette"
        in told
    )
    drawn = Recipe.from_png(tmp_path / "pair.png")
    assert drawn == replace(recipe, edits=edits[:1])
    assert drawn.origin == tiny.origin

    (tmp_path / "kept.json").write_text(json.dumps({"recipe": json.loads(drawn.to_json()), "gauge": 0.5}))
    again = ["steer", "a dog", "--recipe", str(tmp_path / "kept.json"), "--steps", "3", "--edit", "snow"]
    assert main([*again, "--out", str(tmp_path / "more.png"), *models]) == 0
    assert not re.search("made|left out", capsys.readouterr().err)
    assert Recipe.from_png(tmp_path / "more.png") == Recipe("a dog", 8, Sampler(3, 1.0), (edits[0], Edit("snow")))

    for arguments, why in (([], "there is nothing to draw"), (["--recipe", str(tmp_path / "no.png")], "cannot read")):
        assert main(["steer", *arguments, "--out", str(tmp_path / "x.png"), *models]) == 2
        assert why in capsys.readouterr().err


# -- where things lie

SECRETS = ("ann-lovelace", "private models")


@pytest.fixture(scope="module")
def home(tiny_folder: Path, tiny_bank: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Somebody's home, with a backbone `my-sd` and a bank `my-bank` in a folder of theirs."""
    folder = tmp_path_factory.mktemp("machine") / "home" / "ann-lovelace"
    shutil.copytree(tiny_folder, folder / "private models" / "my-sd")
    shutil.copytree(tiny_bank, folder / "private models" / "my-bank")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def mine(home: Path) -> Steerer:
    steerer = Steerer.load(str(home / "private models" / "my-sd"), home / "private models" / "my-bank")
    steerer.sampler = FAST
    return steerer


def clean(given: bytes | str) -> str:
    """What is given as text, once it is seen to hold nothing of the home folder, be it in a data address or a link."""
    text = given.decode("latin-1") if isinstance(given, bytes) else given
    inner = [base64.b64decode(data).decode("latin-1") for data in re.findall(r"base64,([A-Za-z0-9+/=]+)", text)]
    for part in (text, unquote(text), *inner):
        for secret in SECRETS:
            assert secret not in part
    return text + "".join(inner)


def test_the_search_would_find_a_path():
    file = BytesIO()
    info = {"comment": f"/home/{SECRETS[0]}/sd".encode()}
    Image.new("P", (4, 4)).save(file, "GIF", **info)
    address = "data:image/gif;base64," + base64.b64encode(file.getvalue()).decode()
    for found in (file.getvalue(), address, f"{SECRETS[1]}/sd", "?backbone=private%20models"):
        with pytest.raises(AssertionError):
            clean(found)


def test_pictures_links_and_json_hold_no_path(mine: Steerer, caplog: pytest.LogCaptureFixture, capsys):
    caplog.set_level(logging.DEBUG)
    result = mine.steer("a cat", [Edit("night"), Edit(2)], 3)
    file = BytesIO()
    result.recipe.save_png(result.after, file)
    sweep = over(mine.bank, result.recipe, Edit("night"), 3)
    pictures = dict(sweep.draw(mine.picture))
    sheet, gif = BytesIO(), BytesIO()
    save_sheet(sweep, [pictures[k] for k in range(3)], sheet)
    save_gif(sweep, [pictures[k] for k in range(3)], gif)
    for holds in (
        file.getvalue(), result.recipe.to_json(), result.recipe.to_query(), sheet.getvalue(), gif.getvalue(),
        compare(result), _pair(result),
    ):  # fmt: skip
        assert "my-sd" in clean(holds)
    *_, columns = Effects().draw(mine, mine.bank.get("night"))
    thumbnails = [picture for column in columns for picture in column.pictures]
    assert len(thumbnails) == 12
    clean("".join(thumbnails))
    clean(caplog.text + "".join(capsys.readouterr()))


def test_what_the_page_shows_holds_no_path(mine: Steerer, caplog: pytest.LogCaptureFixture, capsys):
    caplog.set_level(logging.DEBUG)
    state = PageState(mine.bank, lambda: mine)
    page, sweeps = Opening(state), Sweeps(state)
    shelf = rows(mine.bank, [Edit("night")])
    *_, (pictures, *rest), _ = PairDrawer(state).draw("a cat", 3, shelf, None)
    assert "my-sd" in clean(pictures)
    clean(str(rest))
    laid = sweeps.lay("a cat", 3, shelf, None, "", image_of(None), None, {"kind": "over", "features": [1]})
    assert "my-sd" in clean(json.dumps(laid))
    again = laid["laid"]["again"]
    for answer in (sweeps.draw({"again": again, "cell": 0}), sweeps.file({"again": again, "file": "gif"})):
        assert "my-sd" in clean(json.dumps(answer))
    assert "my-sd" in clean(json.dumps(Stage(state).answer({"kind": "tour", "number": 1, "step": 0})))
    assert "my-sd" in clean(page.restore(lambda: Recipe("a cat", origin=Origin("sd15")), wait=True)[-1])
    arrived = "prompt=a+cat&backbone=%2Fhome%2Fann-lovelace%2Fsd"
    assert "made for the backbone &#x27;sd&#x27;; here it is drawn with &#x27;my-sd&#x27;" in clean(
        page.loaded(arrived)[-1]
    )
    clean(caplog.text + "".join(capsys.readouterr()))


def test_the_served_page_holds_no_path(mine: Steerer, home: Path):
    with served(mine, home / "private models" / "my-bank") as address:
        for place in ("", "/config", "/gradio_api/info"):
            with urlopen(address + place) as answer:
                assert "steer" in clean(answer.read()).lower()


def test_what_the_command_line_writes_holds_no_path(home: Path, tmp_path: Path, capsys):
    folder = home / "private models"
    models = ["--backbone", str(folder / "my-sd"), "--bank", str(folder / "my-bank"), "--steps", "2", "--device", "cpu"]
    pair, notes, gif = (tmp_path / name for name in ("pair.png", "pair.json", "sweep.gif"))
    assert main(["steer", "a cat", "--edit", "night", "--out", str(pair), "--json", str(notes), *models]) == 0
    assert main(["sweep", "a cat", "--feature", "night", "--frames", "3", "--out", str(gif), *models]) == 0
    assert Recipe.from_file(notes.read_bytes()).origin == Recipe.from_png(pair).origin
    for file in (pair, notes, gif):
        assert "my-sd" in clean(file.read_bytes())
    clean("".join(capsys.readouterr()))
    main(["doctor", str(folder / "my-sd")])
    assert "my-sd" in clean(capsys.readouterr().out)


def test_a_visitor_is_told_what_is_broken_and_not_where(home: Path, tmp_path: Path):
    folder = home / "private models"
    broken = shutil.copytree(folder / "my-sd", folder / "broken")
    (broken / WEIGHTS).write_bytes(b"nothing")
    half = shutil.copytree(folder / "my-bank", folder / "half")
    (half / "bridge.safetensors").unlink()
    for backbone, bank, why in (
        (broken, folder / "my-bank", f"damaged: {WEIGHTS}"), (folder / "none", folder / "my-bank", "model_index.json"),
        (folder / "my-sd", half, "bridge.safetensors"),
    ):  # fmt: skip
        _, wrong = attempt(Loading(lambda backbone=backbone, bank=bank: Steerer.load(str(backbone), bank)).wait)
        assert why in clean(wrong)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("cannot read /home/ann/my bank/bridge.safetensors: no such file", "cannot read bridge.safetensors: no such file"),
        ("there is no backbone '~/models/sd': ../models/sd does not exist", "there is no backbone 'sd': sd does not exist"),
        (r"cannot read C:\Users\ann\bank.json.", "cannot read bank.json."),
        ("see https://huggingface.co/spaces/a/b or owner/name@refs/pr/1", "see https://huggingface.co/spaces/a/b or owner/name@refs/pr/1"),
        ("the word 'and/or' is not in the prompt", "the word 'and/or' is not in the prompt"),
    ],
)  # fmt: skip
def test_messages_without_folders(given, left):
    assert without_folders(given) == left
