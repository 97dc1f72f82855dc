"""Prompts into hidden states, and words into the rows they became. Reports what the model does not know and what was cut.

Knows the tokenizer and the text encoder; knows nothing of features or pictures.
"""

from typing import TYPE_CHECKING, NamedTuple

from mmsteer.errors import SteerError

if TYPE_CHECKING:
    import torch

    from mmsteer.backbone import Backbone

LONGEST = 500  # characters
_PUNCTUATION = ".,;:!?\"'()-"


class Encoded(NamedTuple):
    """One or more prompts as the UNet reads them."""

    hidden: "torch.Tensor"
    """[B, T, d_text]: the text encoder's last hidden state, after its final layer norm."""
    end: "torch.Tensor"
    """[B]: the row of the end-of-text token, the one CLIP projects into the joint space."""
    words: tuple[dict[str, tuple[int, ...]], ...]
    """Per prompt: each word, lower case, and the rows it became."""
    unknown: tuple[tuple[str, ...], ...]
    """Per prompt: words the model does not know (backbones with whole-word vocabularies only)."""
    cut: tuple[tuple[str, ...], ...]
    """Per prompt: words that did not fit into T rows."""


def check_prompt(prompt: str) -> str:
    """The prompt without surrounding space; SteerError if it is empty, too long or not text."""
    if not isinstance(prompt, str):
        raise SteerError(f"the prompt is a {type(prompt).__name__}: give text")
    prompt = " ".join(prompt.split())
    if not prompt:
        raise SteerError('the prompt is empty: write what to draw, for example "a cat at night"')
    if len(prompt) > LONGEST:
        raise SteerError(f"the prompt has {len(prompt):,} characters; {LONGEST} are allowed: shorten it")
    return prompt


def encode(backbone: "Backbone", prompts: list[str]) -> Encoded:
    """Tokenise and encode prompts (the empty prompt included, as guidance needs it)."""
    import torch

    tokenizer, encoder, length = backbone.pipeline.tokenizer, backbone.pipeline.text_encoder, backbone.length
    with backbone.tokenizing:
        whole = tokenizer(prompts, return_offsets_mapping=True)
        batch = tokenizer(prompts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    ids = batch.input_ids
    end = (ids == tokenizer.eos_token_id).int().argmax(1)
    with torch.no_grad():
        hidden = encoder(ids.to(backbone.device)).last_hidden_state
    words, unknown, cut = [], [], []
    for prompt, offsets in zip(prompts, whole.offset_mapping, strict=True):
        rows = _rows(prompt, offsets)
        last = length - 1  # the last row is end of text
        words.append({word: tuple(r for r in kept if r < last) for word, kept in rows if kept and kept[0] < last})
        cut.append(tuple(word for word, kept in rows if kept and kept[-1] >= last))
        strange = (word for word, kept in rows if word.strip(_PUNCTUATION) and len(kept) != 1)
        unknown.append(tuple(dict.fromkeys(strange)) if backbone.spec.whole_words else ())
    return Encoded(hidden, end.to(backbone.device), tuple(words), tuple(unknown), tuple(cut))


def _rows(prompt: str, offsets: list[tuple[int, int]]) -> list[tuple[str, list[int]]]:
    """Each word of a prompt with the token rows whose characters it holds, punctuation at its edges left out."""
    found, at = [], 0
    for piece in prompt.split():
        start = prompt.index(piece, at)
        at = start + len(piece)
        bare = piece.strip(_PUNCTUATION)
        if not bare:
            continue
        start += piece.index(bare)
        stop = start + len(bare)
        found.append((bare.lower(), [r for r, (a, b) in enumerate(offsets) if a < stop and b > start and b > a]))
    return found
