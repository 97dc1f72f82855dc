"""Files that commands are to write are looked at before any work is done."""

import re

import pytest

from mmsteer import Recipe
from mmsteer.__main__ import main


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["steer", "a cat", "--out", "x.jpg"], "--out is x.jpg: give a file that ends in .png"),
        (["steer", "a cat", "--out", "{}"], "which is a folder: give a file that ends in .png"),
        (["steer", "a cat", "--out", "{}/none/x.png"], "there is no folder"),
        (["steer", "a cat", "--json", "{}"], "--json is .*, which is a folder: give a file"),
        (["sweep", "a cat", "--feature", "night", "--out", "{}"], "which is a folder: give a file that ends in .png, .gif or .mp4"),
        (["study", "world", "--quick", "--json", "{}"], "--json is .*, which is a folder"),
        (["bench", "--quick", "--json", "{}/none/x.json"], "there is no folder .*: make it, or give --json another place"),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_written_is_refused(tmp_path, capfd, command, message):
    assert main([part.format(tmp_path) for part in command]) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert re.search(message, line)
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_may_begin_with_a_byte_order_mark():
    """As editors on Windows save it."""
    recipe = Recipe("a cat", 3)
    assert Recipe.from_file(b"\xef\xbb\xbf" + recipe.to_json().encode()) == recipe
