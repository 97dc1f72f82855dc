"""The studies' figures: drawn from stored JSON alone, light and dark, in the page's colours; and numbers without a signed zero."""

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageColor

from mmsteer.__main__ import main
from mmsteer.bank import MODALITIES
from mmsteer.colours import DARK, LIGHT, Colours, css
from mmsteer.studies.charts import CHARTS, dark, draw, style
from mmsteer.studies.measures.shares import Share, decimal
from mmsteer.studies.results import page
from mmsteer.ui.proof.tab import PROOFS, proofs
from mmsteer.ui.shared.script import styles

ROOT = Path(__file__).resolve().parents[1]
MOST = 150_000  # bytes of a figure
READABLE = 4.5  # WCAG 2.2, 1.4.3: the least contrast of text


def colours_in(path: Path) -> tuple[tuple[int, int, int], set[tuple[int, int, int]]]:
    """The colour that fills most of a picture, and all its colours."""
    counted = Image.open(path).convert("RGB").getcolors(1 << 24)
    assert counted
    return max(counted)[1], {colour for _, colour in counted}


@pytest.mark.parametrize("study", CHARTS)
def test_a_figure_is_drawn_from_stored_json_in_the_colours_of_the_page(study: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(style, "_DPI", 60)  # takes half the time
    light, other = draw(study, page.read_figures(page.FIGURES / f"{study}.json"), tmp_path / "new" / f"{study}.png")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"{study}-dark.png", f"{study}.png"]
    for drawn, colours in ((light, LIGHT), (other, DARK)):
        ground, all_of_them = colours_in(drawn)
        assert ground == ImageColor.getrgb(colours["paper"])
        drawn_modalities = {m for m in MODALITIES if ImageColor.getrgb(colours[m]) in all_of_them}
        assert drawn_modalities >= {"vision", "cross"}, "effects and ordinary push no language-only features"
    assert not set(colours_in(light)[1]) & {ImageColor.getrgb(DARK[m]) for m in MODALITIES}


def test_shipped_figures_have_the_colours_of_the_page():
    for study in CHARTS:
        path = page.FIGURES / f"{study}.png"
        for version, colours in ((path, LIGHT), (dark(path), DARK)):
            ground, all_of_them = colours_in(version)
            assert ground == ImageColor.getrgb(colours["paper"]), "python -m mmsteer study figures"
            assert all_of_them >= {ImageColor.getrgb(colours[m]) for m in ("vision", "cross")}, version
            assert version.stat().st_size < MOST


def test_the_command_draws_what_has_json_and_says_where(monkeypatch, tmp_path: Path, capsys):
    shutil.copy(page.FIGURES / "ordinary.json", tmp_path)
    monkeypatch.setattr(page, "FIGURES", tmp_path)
    assert main(["study", "figures"]) == 0
    names = ["ordinary.png", "ordinary-dark.png"]
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in names]
    assert {path.name for path in tmp_path.iterdir()} == {"ordinary.json", *names}


def test_a_bar_is_as_long_as_its_number():
    figures = page.read_figures(page.FIGURES / "ordinary.json")
    hit, leak = CHARTS["ordinary"](figures, LIGHT).axes
    for axes, key in ((hit, "hit"), (leak, "leak")):
        assert sorted(bar.get_width() for bar in axes.patches) == sorted(row[key]["value"] for row in figures["rows"])


def test_the_histogram_of_the_labels_counts_the_features_of_one_seed():
    figures = page.read_figures(page.FIGURES / "labels.json")
    cross = [row for row in figures["scores"] if row["truth"] == "cross"]
    genders = 2  # man and woman are identified, too, and are no part of the captioning rates
    assert len(cross) - genders == figures["rates"][0]["labelled cross"]["trials"]
    assert {row["truth"] for row in figures["scores"]} == {*MODALITIES, None}
    assert all(0 <= row["MDS"] <= 1 for row in figures["scores"])


def test_results_md_shows_figures_that_are_there_in_both_schemes():
    text = page.RESULTS.read_text(encoding="utf-8")
    shown = re.findall(r'srcset="([^"]+)"><img src="([^"]+)" alt="[^"]+"></picture>', text)
    assert sorted(light for _, light in shown) == sorted(f"{study}.png" for study in CHARTS)
    for other, light in shown:
        assert other == dark(Path(light)).name
        assert (page.FIGURES / other).is_file()
        assert (page.FIGURES / light).is_file()


def test_the_page_has_both_versions_with_the_same_words():
    html = proofs()
    words = {ground: re.findall(rf'<img class="mm-on-{ground}" alt="([^"]+)"', html) for ground in ("light", "dark")}
    assert words["light"] == words["dark"]
    assert len(words["light"]) == len(PROOFS)


def test_the_page_takes_its_colours_from_the_one_place_that_has_them():
    assert styles().startswith(css())
    assert f"--mm-vision: {LIGHT['vision']};" in css()
    named = {colours[m] for colours in (LIGHT, DARK) for m in MODALITIES}
    sources = [path for path in (ROOT / "mmsteer").rglob("*") if path.suffix in (".py", ".css", ".js", ".html")]
    again = [
        path.name for path in sources if named & set(re.findall(r"#[0-9a-f]{6}", path.read_text(encoding="utf-8")))
    ]
    assert again == ["colours.py"]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_inks_are_readable(colours: Colours):
    pairs = [(ink, ground) for ink in (*MODALITIES, "ink", "soft") for ground in ("paper", "ground")]
    pairs += [("vision", "vision-bg"), ("language", "language-bg"), ("cross", "cross-bg")]
    for ink, ground in pairs:
        darker, lighter = sorted(luminance(colours[role]) for role in (ink, ground))  # type: ignore[index]
        assert (lighter + 0.05) / (darker + 0.05) >= READABLE, (ink, ground)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (v / 255 for v in ImageColor.getrgb(colour))
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_no_minus_sign_before_a_zero():
    assert [decimal(-0.004), decimal(-0.0), decimal(-0.006), decimal(-0.04, 1)] == ["0.00", "0.00", "-0.01", "0.0"]
    assert str(Share(-0.0001, -0.2, 0.0, 5)) == "0.000 [-0.200, 0.000]"
    texts = [page.RESULTS.read_text(encoding="utf-8"), (ROOT / "README.md").read_text(encoding="utf-8"), proofs()]
    texts += [json.loads(path.read_text(encoding="utf-8")).get("text", "") for path in page.FIGURES.glob("*.json")]
    signed = re.compile(r"(?<![\w.])[-−]0(\.0+)?(?!\.?\w)")
    assert signed.search("noise costs -0.00. The next")
    assert [found[0] for text in texts if (found := signed.search(text))] == []
