"""What notebooks show of a steerer and of what it drew."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from mmsteer import Edit, Recipe, Sampler, Steered, Steerer

FAST = Sampler(2, 3.0)
EDITS = (Edit("night", strength=0.5), Edit(2), Edit("please draw", "remove", words=("cat",), start=0.5))


class Read(HTMLParser):
    """Tags with their attributes, and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f"{data} "


@pytest.fixture(scope="module")
def steered(tiny: Steerer) -> Steered:
    return tiny.steer("a cat at night", EDITS, 3, FAST)


def pictures(page: Read) -> list[bytes]:
    return [base64.b64decode(a["src"].removeprefix("data:image/png;base64,")) for tag, a in page.tags if tag == "img"]


def test_a_pair_shows_both_pictures_with_their_recipes(steered: Steered):
    page = Read(steered._repr_html_())
    assert page.open == []
    before, after = pictures(page)
    for data, picture, recipe in (
        (before, steered.before, steered.recipe.plain),
        (after, steered.after, steered.recipe),
    ):
        assert Image.open(io.BytesIO(data)).convert("RGB").tobytes() == picture.tobytes()
        assert Recipe.from_png(io.BytesIO(data)) == recipe
    assert [a["alt"] for tag, a in page.tags if tag == "img"] == ["before: a cat at night", "after: a cat at night"]


def test_a_pair_says_what_was_done_and_how_far_it_went(steered: Steered):
    text = " ".join(Read(steered._repr_html_()).text.split())
    assert "a cat at night (seed 3, 2 steps, guidance 3)" in text
    assert "⇄ night, seen and said: night:0.5" in text
    assert "◉ warm light, only seen: 2:1" in text  # an edit may give the number
    assert "❝ please draw, only said: please draw:remove:1@cat[0.5-1]" in text
    assert f"OOD distance {steered.ood_distance:.2f}: " in text
    assert [feature.name for feature in steered.edited] == ["night", "warm light", "please draw"]


def test_it_stays_a_tuple_and_edits_may_be_none(tiny: Steerer):
    plain = tiny.steer("a zebra", [], 3, FAST, negative_prompt="a dog")
    assert isinstance(plain, tuple)
    assert plain.edited == ()
    page = Read(plain._repr_html_())
    assert "no edits" in page.text
    for note in plain.notes:
        assert note in page.text
    first, second = pictures(page)
    assert Image.open(io.BytesIO(first)).tobytes() == Image.open(io.BytesIO(second)).tobytes()


def test_whatever_a_prompt_or_a_bank_says_stays_text(steered: Steered):
    evil = '<script>alert("1")</script>\'"><img src=x onerror=alert(2)>'
    recipe = replace(steered.recipe, prompt=evil)
    edited = tuple(replace(feature, name=evil) for feature in steered.edited)
    page = Read(steered._replace(recipe=recipe, edited=edited, unknown=(evil,))._repr_html_())
    assert {tag for tag, _ in page.tags} == {"div", "figure", "img", "figcaption", "p", "b", "ul", "li", "code"}
    assert len(pictures(page)) == 2
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count(evil) == 1 + 3 + 1


def test_a_steerer_shows_its_models_and_its_features(tiny: Steerer):
    page = Read(tiny._repr_html_())
    assert page.open == []
    text = " ".join(page.text.split())
    assert f"{tiny.backbone.name} (Stable Diffusion 1.x), on cpu" in text
    assert "12 features: ◉ 3 only seen, ❝ 3 only said, ⇄ 6 seen and said" in text
    assert "exact map to the joint space" in text
    assert not re.search(r"/(tmp|home|work)/", text)  # names alone: notebooks travel
