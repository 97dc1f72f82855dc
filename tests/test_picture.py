"""Pictures into the joint space and their parts as edits; strangers' files; and the tab "From a picture" in a real browser."""

import base64
import io
import shutil
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from mmsteer import Edit, FeatureBank, Recipe, Sampler, Steerer, SteerError
from mmsteer.bank import MODALITIES
from mmsteer.image_file import decode, header
from mmsteer.steering.picture_features import MOST, PictureReader, edits, strongest
from mmsteer.ui.shared.uploads import LARGEST_FILE
from mmsteer.ui.steer.rack import ROWS, edits_of, rows

WAIT = 30_000  # milliseconds: a slow machine is not a failure
expect.set_options(timeout=WAIT)


def picture(number: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """Some coloured noise, coarse enough to survive any compression."""
    generator = torch.Generator().manual_seed(number)
    coarse = torch.randint(256, (5, 6, 3), generator=generator, dtype=torch.uint8).numpy()
    return Image.fromarray(coarse).resize(size, Image.Resampling.NEAREST)


def encoded(given: Image.Image, kind: str = "PNG", **more) -> bytes:
    data = io.BytesIO()
    given.save(data, kind, **more)
    return data.getvalue()


def bomb(side: int = 13_000) -> bytes:
    """169 megapixels in 20 kB of PNG."""
    rows = zlib.compress(bytes((side * 3 + 1) * 4), 9)
    parts = (b"IHDR" + side.to_bytes(4) + side.to_bytes(4) + bytes([8, 2, 0, 0, 0]), b"IDAT" + rows, b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join((len(p) - 4).to_bytes(4) + p + zlib.crc32(p).to_bytes(4) for p in parts)


# ---- strangers' files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_turned_as_its_exif_says(kind: str):
    given = picture(0)
    exif = given.getexif()
    exif[0x0112] = 6  # the camera was held upright
    found = decode(io.BytesIO(encoded(given, kind, exif=exif)))
    assert (found.size, found.mode) == ((40, 48), "RGB")
    assert decode(io.BytesIO(encoded(given.convert("L"), kind))).mode == "RGB"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "damaged, or no PNG or JPEG or WEBP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "damaged, or no PNG"),
        (encoded(picture(0), "GIF"), "damaged, or no PNG"),
        (encoded(picture(0), "TIFF"), "damaged, or no PNG"),
        (encoded(picture(0, (400, 400)))[:300], "cannot be read to its end"),
        (bomb(), "13000x13000 pixels, more than 16 megapixels"),
        (bomb(20_000), "more than 16 megapixels"),
        (encoded(picture(0, (1, 33))), "32 times as long"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_picture_or_too_large_gets_a_sentence(data: bytes, told: str):
    with pytest.raises(SteerError, match=told):
        decode(io.BytesIO(data))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_recipe_is_not_looked_for_in_a_bomb():
    """Pillow decodes the whole of a PNG to come to the texts at its end."""
    with pytest.raises(SteerError, match="more than 16 megapixels"):
        Recipe.from_png(io.BytesIO(bomb()))


def test_a_header_alone_decodes_nothing():
    with header(io.BytesIO(encoded(picture(0, (400, 400)))[:300])) as found:  # the rest is missing
        assert found.size == (400, 400)


# ---- into the joint space, and out of it as edits --------------------------------------------------------------------


@pytest.fixture(scope="module")
def reader(tiny: Steerer) -> PictureReader:
    return PictureReader(tiny)


def test_pictures_arrive_where_clip_puts_them(reader: PictureReader, tiny_folder: Path):
    from transformers import CLIPImageProcessorPil, CLIPModel

    given = [picture(k) for k in range(3)]
    x = reader.embed([given[0], given[1].convert("L"), given[2].convert("RGBA")])
    assert (x.dtype, x.device.type, x.shape) == (torch.float32, "cpu", (3, 16))
    assert torch.allclose(x.norm(dim=1), torch.ones(3))
    model = CLIPModel.from_pretrained(tiny_folder / "clip")
    pixels = CLIPImageProcessorPil.from_pretrained(tiny_folder / "clip")(given, return_tensors="pt")
    with torch.no_grad():
        theirs = torch.nn.functional.normalize(model.get_image_features(**pixels).pooler_output, dim=-1)
    assert torch.allclose(x[0], theirs[0], atol=1e-5)
    assert torch.allclose(x[2], theirs[2], atol=1e-5)
    assert not torch.allclose(x[1], theirs[1], atol=1e-2)


def test_threads_that_come_at_once_load_it_once(tiny: Steerer, monkeypatch: pytest.MonkeyPatch):
    import mmsteer.steering.picture_features

    loads = []
    load = mmsteer.steering.picture_features._clip_of
    monkeypatch.setattr(mmsteer.steering.picture_features, "_clip_of", lambda steerer: loads.append(1) or load(steerer))
    fresh, given = PictureReader(tiny), [picture(k) for k in range(8)]
    assert loads == []
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: fresh.embed([one]), given))
    assert len(loads) == 1
    assert all(torch.equal(x, fresh.embed([one])) for x, one in zip(found, given, strict=True))


def test_features_are_in_units_of_the_side_they_act_on(reader: PictureReader):
    bank, given = reader.steerer.bank, picture(1)
    code = bank.dictionaries["image"].encode(reader.embed([given]))[0]
    found = reader.features_of(given)
    amounts = [amount for _, amount in found]
    assert amounts == sorted(amounts, reverse=True)
    assert {f.modality for f, _ in found} == {"vision", "cross"}
    for feature, amount in found:  # all rows of the bank made by hand have length one on both sides
        assert amount == pytest.approx(float(code[feature.image_latent]) / feature.activation_scale, rel=1e-5)
    assert {f.id for f, _ in found} == {
        f.id for f in bank.features if f.modality != "language" and code[f.image_latent] > 0
    }


def test_a_cross_modal_unit_is_as_long_a_step_on_either_side(reader: PictureReader, monkeypatch: pytest.MonkeyPatch):
    bank = reader.steerer.bank
    before = {f.id: amount for f, amount in reader.features_of(picture(1))}
    monkeypatch.setitem(bank.tensors, "steering_text", bank.tensors["steering_text"] * 2)
    for feature, amount in reader.features_of(picture(1)):
        assert amount == pytest.approx(before[feature.id] / (2 if feature.modality == "cross" else 1), rel=1e-5)


def test_parts_fit_into_a_rack_and_make_a_recipe_that_can_be_shared(reader: PictureReader):
    steerer = reader.steerer
    assert sum(MOST.values()) <= ROWS
    said = steerer.features_of("please draw a lovely penguin , thank you")
    parts = strongest(reader.features_of(picture(2)) + said)
    assert all(f.modality == modality for modality, found in parts.items() for f, _ in found)
    assert all(parts[modality] for modality in MODALITIES)
    made = edits(steerer.bank, parts, {"vision": 0.5, "cross": 1.0, "language": 1.5})
    assert {edit.mode for edit in made} == {"add"}
    assert len(made) == sum(len(found) for found in parts.values())
    assert edits_of(steerer.bank, rows(steerer.bank, made)) == made
    recipe = Recipe("a cat at night", 3, Sampler(2, 5.0), tuple(made), steerer.origin)
    assert Recipe.from_query(recipe.to_query()) == recipe
    result = steerer.steer(recipe.prompt, made, recipe.seed, recipe.sampler)
    assert result.after.tobytes() == steerer.picture(Recipe.from_json(recipe.to_json())).tobytes()
    assert result.after.tobytes() != result.before.tobytes()


def test_a_part_at_zero_adds_nothing_and_none_leaves_the_usable_range(tiny: Steerer):
    bank = tiny.bank
    warm, night = bank.get("warm light"), bank.get("night")
    parts = {"vision": [(warm, 1.2)], "cross": [(night, 40.0)], "language": []}
    assert edits(bank, parts, {"vision": 0.0, "cross": 0.0}) == []
    assert edits(bank, parts, {"vision": 0.5}) == [Edit("warm light", "add", 0.6)]
    assert edits(bank, parts, {"cross": 1.0}) == [Edit("night", "add", night.usable[1])]


def test_without_its_clip_and_with_another_one_a_sentence_says_what_to_do(
    tiny_folder: Path, tiny_bank: Path, tmp_path: Path
):
    shutil.copytree(tiny_folder, tmp_path / "whole", ignore=shutil.ignore_patterns("clip"))
    steerer = Steerer.load(str(tmp_path / "whole"), tiny_bank)
    bare = PictureReader(steerer)
    with pytest.raises(SteerError, match=r"put .* into .*bank/clip or .*whole/clip"):
        bare.embed([picture(0)])
    shutil.copytree(tiny_folder / "clip", tmp_path / "whole" / "clip")  # put there, as it says
    assert bare.embed([picture(0)]).shape == (1, 16)
    steerer.bank.meta["clip"] = {"id": "some/clip", "revision": None, "digest": "another"}
    with pytest.raises(SteerError, match="is not the CLIP that the bank was made with: put some/clip"):
        PictureReader(steerer).embed([picture(0)])


def test_of_the_embedded_world_each_part_brings_what_it_should():
    """Of penguins in the snow, framed: the vision part frames a cat and leaves it a cat in its meadow; the cross-modal part is
    the penguin and the snow; there is no language part. On at least five of six seeds."""
    from mmsteer.world.factors import label, named
    from mmsteer.world.models.assembly import MINI
    from mmsteer.world.models.judge import Judge

    steerer, judge = Steerer.load("mini"), Judge.load(MINI / "judge")
    reader, seeds = PictureReader(steerer), range(6)
    shown = [
        steerer.steer("a big penguin in the snow in the middle", [Edit("white frame")], seed).after for seed in seeds
    ]
    parts = [strongest(reader.features_of(picture)) for picture in shown]
    assert sum("white frame" in [feature.name for feature, _ in part["vision"]] for part in parts) >= 5
    assert sum("snow" in [feature.name.rstrip(" 23") for feature, _ in part["cross"]] for part in parts) >= 5
    assert not any(part["language"] for part in parts)

    def read(modality: str, part, seed: int) -> dict[str, str]:
        result = steerer.steer("a big cat in the middle in a meadow", edits(steerer.bank, part, {modality: 1.0}), seed)
        (row,) = judge.read(torch.from_numpy(np.array(result.after)).permute(2, 0, 1)[None])
        return {name: label(name, named(row)[name]) for name in ("thing", "place", "frame")}

    vision, cross, language = (
        [read(modality, part, seed) for part, seed in zip(parts, seeds, strict=True)]
        for modality in ("vision", "cross", "language")
    )
    for found, wanted in (
        (vision, {"thing": "cat", "place": "meadow", "frame": "white frame"}),
        (cross, {"thing": "penguin", "place": "snow"}),
        (language, {"thing": "cat", "place": "meadow"}),
    ):
        for name, value in wanted.items():
            assert sum(row[name] == value for row in found) >= 5, (name, value, found)


# ---- the tab ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def page(page: Page) -> Page:
    page.get_by_role("tab", name="From a picture").click()
    expect(tile(page, "after")).to_be_visible()
    return page


def tile(page: Page, which: str):
    return page.locator("#mm-pair img").nth(("before", "after").index(which))


def source(page: Page, which: str) -> str:
    return tile(page, which).get_attribute("src") or ""


def recipe_of(page: Page, which: str = "after") -> Recipe:
    return Recipe.from_png(io.BytesIO(base64.b64decode(source(page, which).split(",")[1])))


def changed(page: Page, old: str) -> None:
    page.wait_for_function("old => document.querySelectorAll('#mm-pair img')[1]?.src !== old", arg=old, timeout=WAIT)


def shown(page: Page):
    return page.locator("#mm-source img")


def chips(page: Page, modality: str):
    return page.get_by_role("region", name=f"its {modality} part").locator("[data-mm-add]")


def slider(page: Page, modality: str):
    return page.get_by_label(f"strength of its {modality} part")


def give(page: Page, tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    page.locator("#mm-source input[type=file]").set_input_files(tmp_path / name)


def test_the_first_look_is_an_example_with_the_prompt_of_the_tab_steer(page: Page, steerer: Steerer):
    prompt = page.locator("#mm-into-prompt textarea, #mm-into-prompt input").first.input_value()
    assert prompt == steerer_prompt(page)
    assert (shown(page).get_attribute("alt") or "").startswith(
        "After: please draw a lovely penguin in the middle in the snow"
    )
    assert tile(page, "before").get_attribute("alt") == f"Before: {prompt}, seed {recipe_of(page).seed}"
    assert source(page, "before") != source(page, "after")
    own = {f.id for f, _ in PictureReader(steerer).features_of(example(page, steerer))}
    offered = [
        int(chip.get_attribute("data-mm-add") or -1) for m in ("vision", "cross") for chip in chips(page, m).all()
    ]
    assert offered
    assert set(offered) <= own
    assert [edit.feature for edit in recipe_of(page).edits] == [
        steerer.bank.get(int(chip.get_attribute("data-mm-add") or -1)).name for chip in chips(page, "vision").all()
    ]  # the first look is its vision part alone
    assert slider(page, "vision").input_value() == "1"
    assert slider(page, "cross").input_value() == slider(page, "language").input_value() == "0"


def steerer_prompt(page: Page) -> str:
    return page.locator("#mm-prompt textarea, #mm-prompt input").first.input_value()


def example(page: Page, steerer: Steerer) -> Image.Image:
    from mmsteer.ui.picture.tab import _EXAMPLE

    prompt, added, seed = _EXAMPLE
    return steerer.picture(Recipe(prompt, seed, steerer.sampler, added, steerer.origin))


def test_a_released_slider_draws_after_anew_and_keeps_before(page: Page):
    before, after = source(page, "before"), source(page, "after")
    box = slider(page, "cross").bounding_box()
    assert box
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2, steps=6)
    assert source(page, "after") == after
    page.mouse.up()
    changed(page, after)
    assert source(page, "before") == before
    assert len(recipe_of(page).edits) == len(chips(page, "vision").all()) + len(chips(page, "cross").all())


def test_arrow_keys_draw_once_when_they_rest(page: Page, steerer: Steerer, monkeypatch: pytest.MonkeyPatch):
    drawn = []
    draw = steerer._draw
    monkeypatch.setattr(steerer, "_draw", lambda *a: drawn.append(1) or draw(*a))
    after = source(page, "after")
    slider(page, "vision").focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    changed(page, after)
    assert len(drawn) == 1
    assert slider(page, "vision").input_value() == "0.75"


def test_a_move_made_while_a_picture_is_drawn_is_not_lost(
    page: Page, steerer: Steerer, monkeypatch: pytest.MonkeyPatch
):
    free, drawing, draw = threading.Event(), threading.Event(), steerer._draw

    def held(*given):
        drawing.set()
        assert free.wait(WAIT / 1000)
        return draw(*given)

    monkeypatch.setattr(steerer, "_draw", held)
    page.get_by_role("button", name="only its cross-modal").click()
    assert drawing.wait(WAIT / 1000)
    slider(page, "cross").focus()
    page.keyboard.press("End")
    expect(slider(page, "cross")).to_have_value("1.5")
    page.wait_for_function("document.querySelector('#mm-parts') && performance.now()")  # the page goes on meanwhile
    free.set()
    feature = chips(page, "cross").first
    name = (feature.text_content() or "").split(" ", 1)[1].rsplit(" ", 1)[0]
    strength = round(min(1.5 * float(feature.get_attribute("data-mm-strength") or 0), 2.0), 1)
    page.wait_for_function(
        "told => document.querySelectorAll('#mm-pair img')[1].alt.includes(told)",
        arg=f"{name}:{strength:g}"[:-1],
        timeout=WAIT,
    )
    expect(slider(page, "cross")).to_have_value("1.5")


def test_one_part_alone_at_a_click_and_none_is_before(page: Page, steerer: Steerer):
    after = source(page, "after")
    page.get_by_role("button", name="only its cross-modal").click()
    changed(page, after)
    assert {steerer.bank.get(edit.feature).modality for edit in recipe_of(page).edits} == {"cross"}
    after = source(page, "after")
    slider(page, "cross").focus()
    page.keyboard.press("Home")
    changed(page, after)
    assert recipe_of(page).edits == ()
    pixels = [
        Image.open(io.BytesIO(base64.b64decode(source(page, w).split(",")[1]))).tobytes() for w in ("before", "after")
    ]
    assert pixels[0] == pixels[1]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_upload_is_read_upright(page: Page, steerer: Steerer, tmp_path: Path, kind: str):
    after = source(page, "after")
    given = picture(4, (600, 300))
    exif = given.getexif()
    exif[0x0112] = 6
    data = encoded(given, kind, exif=exif)
    give(page, tmp_path, f"mine.{kind.lower()}", data)
    expect(shown(page)).to_have_attribute("alt", "the picture you gave")
    changed(page, after)
    assert page.evaluate(
        "[...document.querySelectorAll('#mm-source img')].map(i => [i.naturalWidth, i.naturalHeight])"
    ) == [[256, 512]]
    wanted = strongest(PictureReader(steerer).features_of(decode(io.BytesIO(data))))
    for modality in ("vision", "cross"):
        offered = [
            (int(c.get_attribute("data-mm-add") or -1), c.get_attribute("data-mm-strength"))
            for c in chips(page, modality).all()
        ]
        assert offered == [(f.id, f"{amount:.2f}") for f, amount in wanted[modality]]
    expect(page.get_by_role("region", name="its language part")).to_contain_text(
        "they come from the words of its caption"
    )


def test_a_caption_gives_the_language_part(page: Page, tmp_path: Path):
    give(page, tmp_path, "mine.png", encoded(picture(5)))
    expect(shown(page)).to_have_attribute("alt", "the picture you gave")
    expect(chips(page, "language")).to_have_count(0)
    caption = page.locator("#mm-caption textarea, #mm-caption input").first
    caption.fill("please draw a lovely penguin , thank you")
    page.keyboard.press("Enter")
    expect(chips(page, "language").first).to_be_visible()
    after = source(page, "after")
    page.get_by_role("button", name="only its language").click()
    changed(page, after)
    assert len(recipe_of(page).edits) == chips(page, "language").count()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bad_files_get_a_sentence_and_the_page_goes_on(page: Page, tmp_path: Path):
    kept, after = shown(page).get_attribute("src"), source(page, "after")
    for name, data, told in (
        *[("broken.png", encoded(picture(6, (400, 400)))[:300], "cannot be read to its end")] * 2,
        ("empty.png", b"", "damaged"),
        ("really-a-gif.png", encoded(picture(6), "GIF"), "damaged, or no PNG"),
        ("bomb.png", bomb(), "more than 16 megapixels"),
        ("large.png", b"\0" * (LARGEST_FILE + 1), "large.png has 5.0 MB; 5 are allowed"),
        ("words.txt", b"a cat", "words.txt is no PNG, JPEG or WebP picture"),
        ("<img src=x onerror=window.pwned=1>.png", b"x", "damaged"),
    ):
        page.evaluate("document.querySelector('#mm-source .mm-problem').textContent = ''")
        give(page, tmp_path, name, data)
        expect(page.locator("#mm-source .mm-problem:visible")).to_contain_text(told)
        assert (shown(page).get_attribute("src"), source(page, "after")) == (kept, after)
    assert page.evaluate("window.pwned") is None
    give(page, tmp_path, "fine.png", encoded(picture(7)))
    expect(shown(page)).to_have_attribute("alt", "the picture you gave")
    expect(page.locator("#mm-source .mm-problem:visible")).to_have_count(0)


def test_a_dropped_file_is_taken_as_an_upload(page: Page):
    data = base64.b64encode(encoded(picture(8))).decode()
    transfer = page.evaluate_handle(
        """data => { const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], "mine.png", {type: "image/png"}));
        return transfer; }""",
        data,
    )
    page.dispatch_event("#mm-source .mm-source", "drop", {"dataTransfer": transfer})
    expect(shown(page)).to_have_attribute("alt", "the picture you gave")


@pytest.mark.parametrize("which", ["before", "after"])
def test_what_the_tab_steer_shows_is_taken_with_its_prompt_as_caption(page: Page, steerer: Steerer, which: str):
    page.get_by_role("button", name=f"Use {which}").click()
    alt = page.locator(f"#mm-pictures .mm-{which}").get_attribute("alt") or ""
    expect(shown(page)).to_have_attribute("alt", alt)
    assert page.locator("#mm-caption textarea, #mm-caption input").first.input_value() == steerer_prompt(page)


def test_a_feature_goes_into_the_rack_at_a_click(page: Page):
    chip = chips(page, "cross").last
    number, strength = chip.get_attribute("data-mm-add"), float(chip.get_attribute("data-mm-strength") or 0)
    chip.click()
    expect(page.locator("#mm-parts .mm-note")).to_contain_text("is in the rack of the tab Steer")
    page.get_by_role("tab", name="Steer", exact=True).click()
    row = page.locator(f".mm-row[data-id='{number}']")
    expect(row).to_be_visible()
    if number != "1":  # night is in the rack of the first preset
        assert float(row.locator("input[type=number]").input_value()) == pytest.approx(min(strength, 2.0), abs=0.026)


def test_the_parts_open_in_the_rack_and_draw_the_same_picture(page: Page, steerer: Steerer):
    page.locator("#mm-into-prompt textarea, #mm-into-prompt input").first.fill("a penguin in the snow")
    page.locator("#mm-into-seed input").fill("5")
    after = source(page, "after")
    page.get_by_role("button", name="only its cross-modal").click()
    changed(page, after)
    recipe, drawn = recipe_of(page), source(page, "after")
    assert (recipe.prompt, recipe.seed) == ("a penguin in the snow", 5)
    page.get_by_role("button", name="Open in the rack").click()
    after = page.locator("#mm-pictures .mm-after")
    expect(after).to_be_visible()
    page.wait_for_function(
        "src => document.querySelector('#mm-pictures .mm-after').src === src", arg=drawn, timeout=WAIT
    )
    assert steerer_prompt(page) == "a penguin in the snow"
    expect(page.locator(".mm-row")).to_have_count(len(recipe.edits))


def test_what_was_set_is_there_when_the_tab_is_opened_again(page: Page):
    after = source(page, "after")
    page.get_by_role("button", name="only its cross-modal").click()
    changed(page, after)
    after = source(page, "after")
    page.get_by_role("tab", name="Steer", exact=True).click()
    expect(page.locator("#mm-pictures .mm-after")).to_be_visible()
    page.get_by_role("tab", name="From a picture").click()
    expect(tile(page, "after")).to_be_visible()
    assert source(page, "after") == after
    assert slider(page, "cross").input_value() == "1"


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_runs_over_the_side(page: Page, width: int, height: int):
    page.set_viewport_size({"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(slider(page, "language")).to_be_visible()


STRENGTHS = {"vision": 1, "cross": 0, "language": 0}
ROW = {"id": 2, "activation": 1.0}


@pytest.mark.parametrize(
    "value",
    [
        None,
        "x",
        {"strengths": STRENGTHS},
        {"strengths": STRENGTHS | {"vision": 9}, "parts": {}},
        {"strengths": STRENGTHS | {"vision": "NaN"}, "parts": {}},
        {"strengths": STRENGTHS, "parts": {"vision": [ROW] * 5}},
        {"strengths": STRENGTHS, "parts": {"cross": [ROW]}},
        {"strengths": STRENGTHS, "parts": {"vision": [ROW | {"id": 999}]}},
        {"strengths": STRENGTHS, "parts": {"vision": [ROW | {"activation": float("nan")}]}},
        {"strengths": STRENGTHS, "parts": {"vision": [ROW | {"activation": -1}]}},
    ],
)
def test_parts_that_no_page_makes_are_refused(tiny: Steerer, tiny_bank: Path, value):
    from mmsteer.ui.picture.tab import _Handlers
    from mmsteer.ui.shared.page_state import PageState

    drawn = _Handlers(PageState(FeatureBank.load(tiny_bank), lambda: tiny)).draw(value, "", "a cat", 0)
    assert "cannot be read: load the page again" in drawn[2]


def test_a_saved_picture_of_a_thousand_pixels_comes_back(page: Page, steerer: Steerer, tmp_path: Path):
    """3 MB of noise: larger than a page that took 1 MB would have."""
    noise = Image.fromarray(torch.randint(256, (1024, 1024, 3), dtype=torch.uint8).numpy())
    recipe = Recipe("a penguin in the snow", 5, steerer.sampler, (Edit("night"),), steerer.origin)
    recipe.save_png(noise, tmp_path / "large.png")
    assert 2**20 < (tmp_path / "large.png").stat().st_size < LARGEST_FILE
    page.get_by_role("tab", name="Steer", exact=True).click()
    page.locator("#mm-open input[type=file], input[type=file][accept*='.json']").first.set_input_files(
        tmp_path / "large.png"
    )
    alt = f"After: {recipe.prompt}, seed 5"
    page.wait_for_function(
        "alt => document.querySelector('#mm-pictures .mm-after').alt.startsWith(alt)", arg=alt, timeout=WAIT
    )
    assert replace(recipe, edits=()) == recipe.plain
