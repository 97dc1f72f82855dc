"""Prompts longer than a text encoder's rows are read in chunks side by side; those that fit are read as ever."""

import numpy as np
import pytest
import torch
from checkpoints import MAKERS

from mmsteer import Edit, Sampler, Steerer, SteerError
from mmsteer.models.prompt import encode
from mmsteer.models.text.chunks import chunks
from mmsteer.models.text.tokens import Tokens
from mmsteer.models.text.words import Span

FAST = Sampler(steps=2, guidance=4.0)
LONG = "a big penguin in the snow at night " * 4 + "with a cat"  # a token a letter: two chunks of 77 rows


def letters(text: str) -> list[Span]:
    """Tokens of one letter each; spaces are none."""
    return [(k, k + 1) for k, letter in enumerate(text) if letter != " "]


@pytest.mark.parametrize(
    ("text", "size", "parts"),
    [
        ("abc de", 5, ["abc de"]), ("abc de", 4, ["abc ", "de"]), ("abc, de", 5, ["abc, ", "de"]), ("ab, cd ef", 6, ["ab, ", "cd ef"]),
        ("abcdef", 4, ["abcd", "ef"]), ("猫猫 猫猫", 3, ["猫猫 猫", "猫"]), ("a, " + "b" * 25 + " c", 25, ["a, ", "b" * 25 + " ", "c"]),
        ("a, " + "b " * 25 + "c", 22, ["a, " + "b " * 20, "b b b b b c"]), ("a b c d e f", 2, ["a b ", "c d ", "e f"]),
        ("a b c d e f g h i j", 2, ["a b ", "c d ", "e f ", "g h i j"]), ("", 3, [""]),
    ],
)  # fmt: skip
def test_where_a_text_is_parted(text, size, parts):
    assert [text[start:stop] for start, stop in chunks(text, letters(text), size)] == parts


@pytest.mark.parametrize("text", ["x" * 9, "a, b, c", ", , , , ,", "猫犬" * 5, " a", "a b " * 40])
def test_chunks_hold_all_of_the_text_in_order(text):
    for size in range(1, 9):
        parts = chunks(text, letters(text), size, most=1000)
        assert "".join(text[start:stop] for start, stop in parts).strip() == text.strip()
        assert all(len(letters(text[start:stop])) <= size for start, stop in parts)


@pytest.mark.parametrize("name", MAKERS)
def test_a_prompt_that_fits_becomes_the_rows_of_the_tokenizer_itself(steerers, name):
    backbone = steerers[name].backbone
    texts = ["", "a cat", "a cafe\u0301 “at” night 🦓 42", "x " * 75]
    for tokenizer in backbone.family.tokenizers(backbone.pipeline):
        own = tokenizer(texts, padding="max_length", truncation=True, max_length=backbone.length, return_tensors="pt")
        tokens = Tokens.of(tokenizer, texts)
        rows = [tokens.rows(k, (0, len(text)), backbone.length)[0] for k, text in enumerate(texts)]
        assert rows == own.input_ids.tolist()


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl", "unclip"])
def test_chunks_are_what_each_part_is_encoded_as_alone_side_by_side(steerers, name):
    backbone = steerers[name].backbone
    encoded = encode(backbone, [LONG])
    text, offsets = encoded.offsets[0]
    parts = [[span for span in offsets[k : k + backbone.length] if span[1]] for k in encoded.starts]
    assert encoded.chunks == len(parts) == 2
    alone = [
        backbone.pipeline.encode_prompt(
            text[own[0][0] : own[-1][1]], device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False
        ) for own in parts
    ]  # fmt: skip
    hidden = torch.cat([one[0] for one in alone], dim=1)
    assert torch.allclose(encoded.hidden, hidden, atol=1e-5)
    if backbone.family.pooled:
        assert torch.allclose(encoded.conditioning.pooled, alone[0][2], atol=1e-5)
    # the joint vector: end-of-text rows, weighted by numbers of tokens
    ends = torch.stack([one[0][0, 1 + len(own)] for one, own in zip(alone, parts, strict=True)])
    counts = torch.tensor([float(len(own)) for own in parts])
    assert torch.allclose(encoded.last[0], (counts / counts.sum()) @ ends, atol=1e-5)
    assert encoded.cut == ((),)


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl", "unclip"])
def test_edits_reach_every_chunk_and_words_where_they_are(steerers, name):
    steerer = steerers[name]
    state, length = steerer.read([LONG]), steerer.backbone.length
    everywhere = steerer.schedule(state, [Edit("penguin")]).moves[0].dh[0].norm(dim=1)
    assert (everywhere == 0).nonzero()[:, 0].tolist() == [0, length]
    cat = list(state.encoded.rows(0, "cat"))
    assert min(cat) > length
    bound = steerer.schedule(state, [Edit("penguin", words=("cat",))]).moves[0].dh[0].norm(dim=1)
    assert bound.nonzero()[:, 0].tolist() == cat
    drawn = steerer.steer(LONG, [Edit("penguin", strength=6.0)], 3, FAST)
    assert not np.array_equal(np.asarray(drawn.before), np.asarray(drawn.after))
    assert drawn.cut == ()


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_before_is_the_picture_diffusers_draws_from_these_chunks(steerers, name):
    steerer = steerers[name]
    backbone, state = steerer.backbone, steerer.read([LONG])
    pooled = {}
    if backbone.family.pooled:
        pooled = {
            "pooled_prompt_embeds": state.encoded.conditioning.pooled,
            "negative_pooled_prompt_embeds": steerer.empty.pooled,
        }
    stock = backbone.pipeline(
        prompt_embeds=state.encoded.hidden, negative_prompt_embeds=torch.cat([steerer.empty.hidden] * 2, dim=1), **pooled,
        num_inference_steps=2, guidance_scale=4.0, generator=torch.Generator().manual_seed(5),
    ).images[0]  # fmt: skip
    assert np.array_equal(np.asarray(steerer.steer(LONG, [], 5, FAST).before), np.asarray(stock))


def test_what_does_not_fit_into_four_chunks_is_named(tiny: Steerer):
    prompt = " ".join(["cat"] * 56 + ["night", "snow"])
    encoded = encode(tiny.backbone, [prompt])
    assert (encoded.chunks, encoded.hidden.shape[1]) == (4, 64)
    assert encoded.cut == (("night", "snow"),)
    with pytest.raises(SteerError, match="the word 'night' is in a part of the prompt that did not fit"):
        encoded.rows(0, "night")
    assert encode(tiny.backbone, [prompt], most=1).cut[0] == ("cat",) * 42 + ("night", "snow")


def test_prompts_of_a_batch_have_as_many_chunks_and_keep_their_joint_vectors(tiny: Steerer):
    both, alone = tiny.read(["a cat at night " * 5, "a cat"]), tiny.read(["a cat"])
    assert both.encoded.chunks > alone.encoded.chunks == 1
    assert torch.allclose(both.x[1], alone.x[0], atol=1e-6)
    assert torch.allclose(both.encoded.hidden[1, :16], alone.encoded.hidden[0], atol=1e-6)
