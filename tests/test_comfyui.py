"""The node for ComfyUI, against a stand-in of what ComfyUI gives it, over real pipelines."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from comfyui_stand_in import Clip, load_custom_nodes

from mmsteer import Edit, SteerError
from mmsteer.exchange.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS, SteerConditioning, _bytes
from mmsteer.recipes.edit import parse_edits

ROOT = Path(__file__).parents[1]
NAMES = {"sd1": ("l",), "sd2": ("h",), "sdxl": ("l", "g")}
PROMPT, EDITS = "a big red dog, and a cat at night", "penguin:0.8\n\n  warm light:remove\nnight:1.5\n"
PARSED = [Edit("penguin", strength=0.8), Edit("warm light", "remove"), Edit("night", strength=1.5)]


@pytest.fixture(scope="module")
def banks(steerers, tmp_path_factory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("banks of the node")
    for name in NAMES:
        steerers[name].bank.save(home / name)
    return {name: str(home / name) for name in NAMES}


@pytest.fixture(scope="module")
def clips(steerers) -> dict[str, Clip]:
    return {name: Clip(steerers[name].backbone, names) for name, names in NAMES.items()}


def steer(clip: Clip, bank: str, text: str, edits: str, conditioning=None):
    given = clip.encode(text) if conditioning is None else conditioning
    kept = copy.deepcopy(given)
    (edited,) = SteerConditioning().steer(given, clip, text, edits, bank)
    for (rows, more), (old, old_more) in zip(given, kept, strict=True):  # what is given stays as it is
        assert torch.equal(rows, old)
        assert more.keys() == old_more.keys()
        assert torch.equal(more["pooled_output"], old_more["pooled_output"])
    return edited


def test_the_node_says_what_comfyui_asks():
    assert NODE_CLASS_MAPPINGS.keys() == NODE_DISPLAY_NAME_MAPPINGS.keys()
    (node,) = NODE_CLASS_MAPPINGS.values()
    inputs = node.INPUT_TYPES()["required"]
    assert {name: kind for name, (kind, _) in inputs.items()} == {
        "conditioning": "CONDITIONING", "clip": "CLIP", "text": "STRING", "edits": "STRING", "bank": "STRING"
    }  # fmt: skip
    assert node.RETURN_TYPES == ("CONDITIONING",)
    assert node.CATEGORY
    assert callable(getattr(node(), node.FUNCTION))


def test_comfyui_loads_it_from_a_folder_without_knowing_mmsteer(tmp_path):
    loaded = load_custom_nodes(ROOT / "mmsteer" / "exchange" / "comfyui_nodes")
    assert [set(module.NODE_CLASS_MAPPINGS) for module in loaded.values()] == [set(NODE_CLASS_MAPPINGS)]
    code = (
        "import importlib.util as u, sys; spec = u.spec_from_file_location('x', sys.argv[1]); module = u.module_from_spec(spec); "
        "spec.loader.exec_module(module); print(*module.NODE_CLASS_MAPPINGS)"
    )
    command = [sys.executable, "-c", code, str(ROOT / "mmsteer" / "exchange" / "comfyui_nodes" / "mmsteer_nodes.py")]
    done = subprocess.run(command, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.stdout.split() == list(NODE_CLASS_MAPPINGS), done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_rows_and_pooled_vector_are_those_of_a_steerer(steerers, clips, banks, name):
    steerer, clip = steerers[name], clips[name]
    ((hidden, more),) = steer(clip, banks[name], PROMPT, EDITS)
    state = steerer.read([PROMPT])
    before = clip.encode(PROMPT)[0]
    wanted = steerer.schedule(state, PARSED)
    assert torch.equal(before[0], state.encoded.hidden)
    assert torch.allclose(hidden, wanted.at(0).hidden, atol=1e-5)
    moved = hidden - before[0]
    assert moved.abs().max() > 0.01
    assert torch.equal(hidden[:, 0], before[0][:, 0])  # the start row
    if name == "sdxl":
        assert torch.allclose(more["pooled_output"], wanted.at(0).pooled, atol=1e-5)
        assert not torch.equal(more["pooled_output"], before[1]["pooled_output"])
    else:
        assert torch.equal(more["pooled_output"], before[1]["pooled_output"])
    assert more.keys() == {"pooled_output"}


@pytest.mark.parametrize("name", NAMES)
def test_all_chunks_of_a_long_prompt_are_edited(steerers, clips, banks, name):
    text = " ".join(["a big red dog and a small house by the river"] * 5)
    assert len(clips[name].tokenize(text)["h" if name == "sd2" else "l"]) == 3
    state = steerers[name].read([text])
    assert state.encoded.chunks == 3
    before = clips[name].encode(text)[0][0]
    ((hidden, _),) = steer(clips[name], banks[name], text, EDITS)
    wanted = steerers[name].schedule(state, PARSED)
    assert torch.allclose(hidden, wanted.at(0).hidden, atol=1e-5)
    for chunk in range(3):
        assert torch.equal(hidden[:, 77 * chunk], before[:, 77 * chunk])
        assert not torch.equal(hidden[:, 77 * chunk + 1], before[:, 77 * chunk + 1])


def test_words_are_the_rows_that_they_became(steerers, clips, banks):
    clip, steerer = clips["sd1"], steerers["sd1"]
    text = "a Dog, an old cat! and a dog at night"
    for word in ("dog", "dog#2", "cat", "an old"):
        ((hidden, _),) = steer(clip, banks["sd1"], text, f"penguin:1@{word}")
        wanted = steerer.schedule(steerer.read([text]), [Edit("penguin", words=(word,))]).at(0).hidden
        assert torch.allclose(hidden, wanted, atol=1e-5), word
    with pytest.raises(SteerError, match="the word 'zebra' is not in the prompt"):
        steer(clip, banks["sd1"], text, "penguin:1@zebra")


def test_letters_of_several_bytes_have_several_tokens_to_match():
    assert _bytes("aÉ猫") == ("aÃ©çĮ«", [0, 1, 1, 2, 2, 2])


def pieces_moved(clip: Clip, bank: str, text: str, word: str) -> str:
    """The tokens of the rows that an edit of a word moves."""
    before, ((hidden, _),) = clip.encode(text)[0][0], steer(clip, bank, text, f"penguin:1@{word}")
    tokens = [token for chunk in clip.tokenize(text)["l"] for token, _ in chunk]
    moved = (hidden != before).any(-1)[0]
    return "".join(clip.parts["l"].inv_vocab[token] for token, it in zip(tokens, moved, strict=True) if it)


def test_weights_embeddings_and_padding_do_not_move_words(steerers, clips, banks):
    for word in ("dog", "cat", "2"):
        text = "a (red dog:1.2) embedding:style cat, 2 birds"
        assert pieces_moved(clips["sd1"], banks["sd1"], text, word) == f"{word}</w>"
    clip = Clip(steerers["sd1"].backbone, ("l",))
    clip.parts["l"].padding = clip.tokenizer.tokenizer.convert_tokens_to_ids("!")  # as OpenCLIP's tokenizers pad
    text = " ".join(["a big house by the river"] * 5) + " and a dog ! at last, cat !"
    assert len(clip.tokenize(text)["l"]) == 2
    assert [pieces_moved(clip, banks["sd1"], text, word) for word in ("dog", "cat")] == ["dog</w>", "cat</w>"]


def test_parts_of_the_run_are_entries_with_their_percents(steerers, clips, banks):
    clip, steerer, edits = clips["sd1"], steerers["sd1"], ["penguin:1[0.2-1]", "night:1[0-0.6]"]
    entries = steer(clip, banks["sd1"], PROMPT, "\n".join(edits))
    assert [(more["start_percent"], more["end_percent"]) for _, more in entries] == [(0.0, 0.2), (0.2, 0.6), (0.6, 1.0)]
    schedule = steerer.schedule(steerer.read([PROMPT]), parse_edits(edits))
    for hidden, more in entries:
        assert torch.allclose(hidden, schedule.at(more["start_percent"]).hidden, atol=1e-5)
    given = clip.encode(PROMPT)
    given[0][1] |= {"start_percent": 0.3, "end_percent": 0.5}  # from Conditioning Set Timestep Range
    ((hidden, more),) = SteerConditioning().steer(given, clip, PROMPT, "\n".join(edits), banks["sd1"])[0]
    assert (more["start_percent"], more["end_percent"]) == (0.3, 0.5)
    assert torch.allclose(hidden, schedule.at(0.4).hidden, atol=1e-5)


def test_without_edits_the_very_same_conditioning(clips, banks):
    given = clips["sd1"].encode(PROMPT)
    assert SteerConditioning().steer(given, clips["sd1"], PROMPT, " \n", "nowhere") == (given,)
    ((hidden, _),) = SteerConditioning().steer(given, clips["sd1"], PROMPT, "penguin:0", banks["sd1"])[0]
    assert hidden is given[0][0]


def test_a_clip_is_asked_once_whether_a_bank_is_its_own(steerers, banks):
    clip = Clip(steerers["sd1"].backbone, ("l",))
    given = clip.encode(PROMPT)
    counts = []
    for edits in ("penguin:1", "penguin:2"):
        SteerConditioning().steer(given, clip, PROMPT, edits, banks["sd1"])
        counts.append(clip.encoded)
    assert counts[0] == counts[1] == 5  # the prompt, and four probes


@pytest.mark.parametrize(
    ("name", "bank", "text", "edits", "message"),
    [
        ("sd1", "", PROMPT, "penguin", "there is no bank in '.'"),
        ("sd1", "/nowhere", PROMPT, "penguin", "there is no bank in '/nowhere': give the folder"),
        ("sd1", "sdxl", PROMPT, "penguin", "the rows of the conditioning: 32 wide; of the bank, made for sdxl: 56. Give a bank"),
        ("sdxl", "sd1", PROMPT, "penguin", "the rows of the conditioning: 56 wide; of the bank, made for sd1: 32"),
        ("sd1", "sd2", PROMPT, "penguin", "another text encoder than this one, or another layer of it"),
        ("sd1", "sd1", PROMPT + " word" * 80, "penguin", "the conditioning has 77 rows, and the text makes 385"),
        ("sd1", "sd1", PROMPT, "unicorn", "there is no feature 'unicorn'"),
        ("sd1", "sd1", PROMPT, "penguin:x", "a number in the edit"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_gets_one_sentence(clips, banks, name, bank, text, edits, message):
    given = clips[name].encode(PROMPT)
    with pytest.raises(SteerError, match=message) as caught:
        SteerConditioning().steer(given, clips[name], text, edits, banks.get(bank, bank))
    assert "\n" not in str(caught.value)


def test_other_checkpoints_are_refused(steerers, banks):
    class ThreeEncoders(Clip):
        def tokenize(self, text):
            return super().tokenize(text) | {"t5xxl": []}

    clip = ThreeEncoders(steerers["sdxl"].backbone, ("l", "g"))
    with pytest.raises(
        SteerError, match=r"are g, l, t5xxl; the node steers l \(Stable Diffusion 1.x\), h \(.*2.x\), g and l \(.*XL\)"
    ):
        SteerConditioning().steer([], clip, PROMPT, "penguin", banks["sdxl"])
