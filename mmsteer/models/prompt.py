"""Prompts into hidden states, and words into the rows they became. Reports what the model does not know and what was cut.

Knows the tokenizer and the text encoder; knows nothing of features or pictures.
"""

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.errors import SteerError
from mmsteer.models.word_segmentation import unspaced

if TYPE_CHECKING:
    import torch

    from mmsteer.models.backbone import Backbone

LONGEST = 500  # characters
_PUNCTUATION = ".,;:!?\"'()-"


class Conditioning(NamedTuple):
    """What a UNet reads of one or more prompts."""

    hidden: "torch.Tensor"
    """[B, T, d_text]: rows of the text encoder, of the layer that this backbone's UNet attends to."""
    pooled: "torch.Tensor | None" = None
    """[B, d_pooled]: the second text encoder's projected vector (SDXL)."""
    image: "torch.Tensor | None" = None
    """[B, d_joint]: a CLIP image embedding, not scaled to unit length (unCLIP)."""

    def repeated(self, count: int) -> "Conditioning":
        """The one prompt's conditioning, for `count` prompts."""
        pooled, image = (None if part is None else part.expand(count, -1) for part in (self.pooled, self.image))
        return Conditioning(self.hidden.expand(count, -1, -1), pooled, image)


class Encoded(NamedTuple):
    """One or more prompts as the UNet reads them."""

    conditioning: Conditioning
    end: "torch.Tensor"
    """[B]: the row of the end-of-text token, the one CLIP projects into the joint space."""
    words: tuple[dict[str, tuple[int, ...]], ...]
    """Per prompt: each word, lower case, and the rows it became."""
    unknown: tuple[tuple[str, ...], ...]
    """Per prompt: words the model does not know (backbones with whole-word vocabularies only)."""
    cut: tuple[tuple[str, ...], ...]
    """Per prompt: words that did not fit into T rows."""
    letters: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    """Per prompt: itself, and which of its letters each row holds, from and up to."""

    @property
    def hidden(self) -> "torch.Tensor":
        """[B, T, d_text]"""
        return self.conditioning.hidden

    @property
    def last(self) -> "torch.Tensor":
        """[B, d_text]: the end-of-text rows, float32 on the CPU, where all joint-space arithmetic is done: it is small."""
        return self.hidden[range(len(self.end)), self.end].float().cpu()

    def rows(self, prompt: int, word: str) -> tuple[int, ...]:
        """The rows that a word of one of the prompts became; in scripts without spaces between words, those of any run of its
        letters. Empty for what is not in the prompt.
        """
        if not unspaced(word):
            return self.words[prompt].get(word.lower(), ())
        text, offsets = self.letters[prompt]
        places = [found.span() for found in re.finditer(re.escape(word), text)]
        return tuple(r for r, (a, b) in enumerate(offsets) if any(a < stop and b > start for start, stop in places))


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
    tokenizer, length = backbone.pipeline.tokenizer, backbone.length
    with backbone.tokenizing:
        whole = tokenizer(prompts, return_offsets_mapping=True)
        ids = _tokens(tokenizer, prompts, length)
        second = _tokens(backbone.pipeline.tokenizer_2, prompts, length) if backbone.family.pooled else None
    end = (ids == tokenizer.eos_token_id).int().argmax(1)
    words, unknown, cut, letters = [], [], [], []
    for prompt, offsets in zip(prompts, whole.offset_mapping, strict=True):
        rows = _rows(prompt, offsets)
        last = length - 1  # the last row is end of text
        letters.append((prompt, tuple(offsets[:last])))
        words.append({word: tuple(r for r in kept if r < last) for word, kept in rows if kept and kept[0] < last})
        cut.append(tuple(word for word, kept in rows if kept and kept[-1] >= last))
        strange = (word for word, kept in rows if word.strip(_PUNCTUATION) and len(kept) != 1)
        unknown.append(tuple(dict.fromkeys(strange)) if backbone.spec.whole_words else ())
    conditioning = _read(backbone, ids, second)
    return Encoded(conditioning, end.to(backbone.device), tuple(words), tuple(unknown), tuple(cut), tuple(letters))


def encode_nothing(backbone: "Backbone") -> Conditioning:
    """What guidance steers away from: the empty prompt, or zeros for checkpoints trained that way."""
    import torch

    empty = encode(backbone, [""]).conditioning
    if backbone.family.pooled and backbone.pipeline.config.force_zeros_for_empty_prompt:
        assert empty.pooled is not None
        return Conditioning(torch.zeros_like(empty.hidden), torch.zeros_like(empty.pooled))
    return empty


def _tokens(tokenizer: Any, prompts: list[str], length: int) -> "torch.Tensor":
    """Padded and cut to T rows, `[B, T]`."""
    batch = tokenizer(prompts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    ids: torch.Tensor = batch.input_ids
    return ids


def _read(backbone: "Backbone", ids: "torch.Tensor", second: "torch.Tensor | None") -> Conditioning:
    """Run the text encoders, and take the layer this family's UNet reads."""
    import torch

    encoder = backbone.pipeline.text_encoder
    with torch.no_grad():
        if second is None:
            return Conditioning(encoder(ids.to(backbone.device)).last_hidden_state)
        # SDXL (Podell et al., 2307.01952, Sec. 2.1): penultimate layers, before any norm, side by side
        one = encoder(ids.to(backbone.device), output_hidden_states=True)
        two = backbone.pipeline.text_encoder_2(second.to(backbone.device), output_hidden_states=True)
        return Conditioning(torch.cat([one.hidden_states[-2], two.hidden_states[-2]], dim=-1), two.text_embeds)


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
