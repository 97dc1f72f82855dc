"""Prompts into hidden states, and words into the token rows they became; also which words the model does not know and which did
not fit.

Knows tokenizers; how hidden states come out of the text encoders is the family's business.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.errors import SteerError, quoted
from mmsteer.models.conditioning import Conditioning
from mmsteer.models.text.words import absence, composed, occurrences, spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from mmsteer.models.backbone import Backbone
    from mmsteer.models.text.words import Span

LONGEST = 500  # characters


class Encoded(NamedTuple):
    """B prompts as the UNet reads them."""

    conditioning: Conditioning
    end: "torch.Tensor"
    """[B]: the row of the end-of-text token, the one CLIP projects into the joint space."""
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
        """The rows that a word became, wherever the prompt has it.

        Args:
            prompt: which of the B prompts.
            word: in any case; `cat#2` is the second occurrence (`mmsteer.models.text.words.occurrences`).

        Raises:
            SteerError: the word is not in the prompt, or in a part of it that did not fit.
        """
        text, offsets = self.offsets[prompt]
        found = occurrences(text, word)
        if not found:
            raise SteerError(absence(text, word))
        rows = _rows(offsets, found)
        if not rows:
            raise SteerError(f"the word {quoted(word)} is in a part of the prompt that did not fit: shorten the prompt")
        return rows


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

    length, prompts = backbone.length, [composed(prompt) for prompt in prompts]
    tokenizers = backbone.family.tokenizers(backbone.pipeline)
    with backbone.tokenizing:
        offsets = tokenizers[0](prompts, return_offsets_mapping=True).offset_mapping
        ids = [_tokens(tokenizer, prompts, length) for tokenizer in tokenizers]
        if (t5 := backbone.family.t5(backbone.pipeline)) is not None:
            ids.append(_tokens(t5[0], prompts, t5[1]))
    end = (ids[0] == tokenizers[0].eos_token_id).int().argmax(1)
    last = length - 1  # the last row is end of text
    texts, unknown, cut = [], [], []
    for prompt, own in zip(prompts, offsets, strict=True):
        texts.append((prompt, tuple(own[:last])))
        words = [(prompt[start:stop].lower(), _rows(own, [(start, stop)])) for start, stop in spans(prompt)]
        cut.append(tuple(word for word, rows in words if rows and rows[-1] >= last))
        pieces = (word for word, rows in words if len(rows) != 1) if backbone.spec.whole_words else ()
        unknown.append(tuple(dict.fromkeys(pieces)))
    with torch.no_grad():
        conditioning = backbone.family.encode(backbone.pipeline, [tokens.to(backbone.device) for tokens in ids])
    return Encoded(conditioning, end.to(backbone.device), tuple(unknown), tuple(cut), tuple(texts))


def encode_without_prompt(backbone: "Backbone") -> Conditioning:
    """What guidance steers away from: the empty prompt, or zeros for checkpoints trained that way."""
    return backbone.family.without_prompt(backbone.pipeline, encode(backbone, [""]).conditioning)


def _tokens(tokenizer: Any, prompts: list[str], length: int) -> "torch.Tensor":
    """Token ids `[B, T]`, padded and cut."""
    batch = tokenizer(prompts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    ids: torch.Tensor = batch.input_ids
    return ids


def _rows(offsets: "Sequence[Span]", places: "Sequence[Span]") -> tuple[int, ...]:
    """The rows, of which each holds the characters of its offset, that hold characters of some places in a text."""
    return tuple(
        r for r, (a, b) in enumerate(offsets) if a < b and any(a < stop and b > start for start, stop in places)
    )
