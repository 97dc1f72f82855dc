"""Prompts into hidden states, and words into the token rows they became; also which words the model does not know and which did
not fit.

Knows tokenizers; how hidden states come out of the text encoders is the family's business.
"""

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.errors import SteerError
from mmsteer.models.conditioning import Conditioning
from mmsteer.models.word_segmentation import unspaced

if TYPE_CHECKING:
    import torch

    from mmsteer.models.backbone import Backbone

LONGEST = 500  # characters
_PUNCTUATION = ".,;:!?\"'()-"


class Encoded(NamedTuple):
    """B prompts as the UNet reads them."""

    conditioning: Conditioning
    end: "torch.Tensor"
    """[B]: the row of the end-of-text token, the one CLIP projects into the joint space."""
    words: tuple[dict[str, tuple[int, ...]], ...]
    """Per prompt: each word, lower case, and the rows it became."""
    unknown: tuple[tuple[str, ...], ...]
    """Per prompt: words the model does not know (backbones with whole-word vocabularies only)."""
    cut: tuple[tuple[str, ...], ...]
    """Per prompt: words that did not fit into T rows."""
    offsets: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    """Per prompt: its text, and the first and last-but-one character of each row."""

    @property
    def hidden(self) -> "torch.Tensor":
        """Hidden states `[B, T, d_text]`."""
        return self.conditioning.hidden

    @property
    def last(self) -> "torch.Tensor":
        """The end-of-text rows `[B, d_text]`, float32 on the CPU, where all joint-space arithmetic is done: it is small."""
        return self.hidden[range(len(self.end)), self.end].float().cpu()

    def rows(self, prompt: int, word: str) -> tuple[int, ...]:
        """The rows that a word became.

        Args:
            prompt: which of the B prompts.
            word: in any case; in scripts without spaces between words, any run of letters.

        Returns:
            The rows, or none if the word is not in the prompt.
        """
        if not unspaced(word):
            return self.words[prompt].get(word.lower(), ())
        text, offsets = self.offsets[prompt]
        spans = [match.span() for match in re.finditer(re.escape(word), text)]
        return tuple(r for r, (a, b) in enumerate(offsets) if any(a < stop and b > start for start, stop in spans))


def check_prompt(prompt: str) -> str:
    """The prompt without surrounding space; SteerError if it is empty, longer than `LONGEST` characters, or not text."""
    if not isinstance(prompt, str):
        raise SteerError(f"the prompt is a {type(prompt).__name__}: give text")
    prompt = " ".join(prompt.split())
    if not prompt:
        raise SteerError('the prompt is empty: write what to draw, for example "a cat at night"')
    if len(prompt) > LONGEST:
        raise SteerError(f"the prompt has {len(prompt):,} characters; {LONGEST} are allowed: shorten it")
    return prompt


def encode(backbone: "Backbone", prompts: list[str]) -> Encoded:
    """Tokenise and encode B prompts; the empty prompt is allowed, since guidance needs it."""
    import torch

    length = backbone.length
    tokenizers = backbone.family.tokenizers(backbone.pipeline)
    with backbone.tokenizing:
        offsets = tokenizers[0](prompts, return_offsets_mapping=True).offset_mapping
        ids = [_tokens(tokenizer, prompts, length) for tokenizer in tokenizers]
        if (t5 := backbone.family.t5(backbone.pipeline)) is not None:
            ids.append(_tokens(t5[0], prompts, t5[1]))
    end = (ids[0] == tokenizers[0].eos_token_id).int().argmax(1)
    last = length - 1  # the last row is end of text
    words, unknown, cut = [], [], []
    for prompt, spans in zip(prompts, offsets, strict=True):
        rows = _rows(prompt, spans)
        words.append({word: tuple(r for r in own if r < last) for word, own in rows if own and own[0] < last})
        cut.append(tuple(word for word, own in rows if own and own[-1] >= last))
        pieces = (word for word, own in rows if word.strip(_PUNCTUATION) and len(own) != 1)
        unknown.append(tuple(dict.fromkeys(pieces)) if backbone.spec.whole_words else ())
    with torch.no_grad():
        conditioning = backbone.family.encode(backbone.pipeline, [tokens.to(backbone.device) for tokens in ids])
    texts = tuple((prompt, tuple(spans[:last])) for prompt, spans in zip(prompts, offsets, strict=True))
    return Encoded(conditioning, end.to(backbone.device), tuple(words), tuple(unknown), tuple(cut), texts)


def encode_without_prompt(backbone: "Backbone") -> Conditioning:
    """What guidance steers away from: the empty prompt, or zeros for checkpoints trained that way."""
    return backbone.family.without_prompt(backbone.pipeline, encode(backbone, [""]).conditioning)


def _tokens(tokenizer: Any, prompts: list[str], length: int) -> "torch.Tensor":
    """Token ids `[B, T]`, padded and cut."""
    batch = tokenizer(prompts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    ids: torch.Tensor = batch.input_ids
    return ids


def _rows(prompt: str, offsets: list[tuple[int, int]]) -> list[tuple[str, list[int]]]:
    """Each word of a prompt, without punctuation at its edges, and the token rows that hold its characters."""
    words, at = [], 0
    for piece in prompt.split():
        start = prompt.index(piece, at)
        at = start + len(piece)
        bare = piece.strip(_PUNCTUATION)
        if not bare:
            continue
        start += piece.index(bare)
        stop = start + len(bare)
        words.append((bare.lower(), [r for r, (a, b) in enumerate(offsets) if a < stop and b > start and b > a]))
    return words
