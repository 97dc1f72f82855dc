"""Prompts into hidden states, and words into the token rows they became; also which words the model does not know and which did
not fit.

Knows tokenizers; how hidden states come out of the text encoders is the family's business.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from mmsteer.errors import SteerError, quoted
from mmsteer.models.conditioning import Conditioning
from mmsteer.models.text.chunks import MOST_CHUNKS, chunks
from mmsteer.models.text.tokens import Tokens
from mmsteer.models.text.words import absence, composed, occurrences, spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from mmsteer.models.backbone import Backbone
    from mmsteer.models.text.words import Span

LONGEST = 2_000  # characters
_NOTHING = (0, 0)  # the characters of a chunk without text


class Encoded(NamedTuple):
    """B prompts as the denoiser reads them, each in C chunks of T rows side by side; C is 1 unless a prompt is too long for that."""

    conditioning: Conditioning
    ends: "torch.Tensor"
    """[B, C]: the row of each chunk's end-of-text token, the one CLIP projects into the joint space."""
    shares: "torch.Tensor"
    """[B, C]: of the prompt's tokens, float32 on the CPU."""
    unknown: tuple[tuple[str, ...], ...]
    """Per prompt: words the model does not know (backbones with whole-word vocabularies only)."""
    cut: tuple[tuple[str, ...], ...]
    """Per prompt: words that did not fit."""
    offsets: tuple[tuple[str, tuple["Span", ...]], ...]
    """Per prompt: its text, and where in it the characters of each row stand; an empty span for rows without any."""

    @property
    def chunks(self) -> int:
        """C."""
        return self.ends.shape[1]

    @property
    def hidden(self) -> "torch.Tensor":
        """Hidden states `[B, C·T, d_text]`."""
        return self.conditioning.hidden

    @property
    def last(self) -> "torch.Tensor":
        """The end-of-text rows `[B, d_text]`, float32 on the CPU, where all joint-space arithmetic is done: it is small.

        Of several chunks it is the mean of theirs, weighted by their numbers of tokens: the map to the joint space is linear, so
        an edit moves the joint vector by what it adds to all rows, as with one chunk.
        """
        import torch

        prompts = torch.arange(len(self.ends), device=self.ends.device)[:, None]
        return (self.hidden[prompts, self.ends].float().cpu() * self.shares[..., None]).sum(1)

    @property
    def starts(self) -> range:
        """The row of each chunk's start token."""
        rows = self.hidden.shape[1]
        return range(0, rows, rows // self.chunks)

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
    prompt = check_length(prompt, "prompt")
    if not prompt:
        raise SteerError('the prompt is empty: write what to draw, for example "a cat at night"')
    return prompt


def check_length(text: str, name: str) -> str:
    """A text without surrounding space, which may be empty; SteerError if it is longer than `LONGEST` characters, or not text."""
    if not isinstance(text, str):
        raise SteerError(f"the {name} is a {type(text).__name__}: give text")
    text = " ".join(text.split())
    if len(text) > LONGEST:
        raise SteerError(f"the {name} has {len(text):,} characters; {LONGEST:,} are allowed: shorten it")
    return text


def encode(backbone: "Backbone", prompts: list[str], least: int = 1, most: int = MOST_CHUNKS) -> Encoded:
    """Tokenise and encode B prompts; the empty prompt is allowed, since guidance needs it.

    Args:
        backbone: whose text encoders read them.
        prompts: all are padded to as many chunks as the longest of them takes.
        least: chunks, at least; those beyond a prompt's end are empty.
        most: chunks, at most; always 1 for families that read no more.
    """
    import torch

    prompts = [composed(prompt) for prompt in prompts]
    family, length = backbone.family, backbone.length
    with backbone.tokenizing:
        tokens = [Tokens.of(tokenizer, prompts) for tokenizer in family.tokenizers(backbone.pipeline)]
        t5 = family.t5(backbone.pipeline)
        ids_t5 = [] if t5 is None else [_ids_t5(*t5, prompts)]
    whole, allowed = tokens[0].spans, most if family.chunks else 1
    parts = [chunks(prompt, own, length - 2, allowed) for prompt, own in zip(prompts, whole, strict=True)]
    count = max(least, *map(len, parts))
    parts = [own + [_NOTHING] * (count - len(own)) for own in parts]
    rows = [[one.rows(k, part, length) for k, own in enumerate(parts) for part in own] for one in tokens]
    ids = [torch.tensor([row_ids for row_ids, _ in own]) for own in rows]
    with torch.no_grad():
        read = family.encode(backbone.pipeline, [own.to(backbone.device) for own in ids + ids_t5])
    ends = (ids[0] == tokens[0].end).int().argmax(1).reshape(-1, count)
    offsets = [sum((own for _, own in rows[0][k * count : (k + 1) * count]), []) for k in range(len(prompts))]
    unknown, cut = zip(*(_unread(prompt, whole[k], offsets[k]) for k, prompt in enumerate(prompts)), strict=True)
    return Encoded(
        _side_by_side(read, count),
        (ends + length * torch.arange(count)).to(backbone.device),
        shares(ends - 1),
        unknown if backbone.spec.whole_words else ((),) * len(prompts),
        cut,
        tuple((prompt, tuple(own)) for prompt, own in zip(prompts, offsets, strict=True)),
    )


def encode_negative(backbone: "Backbone", negative_prompt: str, least: int) -> Encoded:
    """What guidance steers away from: a negative prompt; where it is empty the empty prompt, or zeros for checkpoints trained that way.

    Args:
        backbone: whose text encoders read it.
        negative_prompt: may be empty.
        least: chunks, at least: those of the prompt.
    """
    encoded = encode(backbone, [negative_prompt], least)
    if negative_prompt:
        return encoded
    return encoded._replace(conditioning=backbone.family.without_prompt(backbone.pipeline, encoded.conditioning))


def _ids_t5(tokenizer: Any, length: int, prompts: list[str]) -> "torch.Tensor":
    """Token ids `[B, T_t5]`, padded and cut."""
    batch = tokenizer(prompts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    ids: torch.Tensor = batch.input_ids
    return ids


def _side_by_side(read: Conditioning, count: int) -> Conditioning:
    """What `count` chunks of each prompt were read as, for B prompts: hidden states side by side, the pooled vector of the first."""
    if count == 1:
        return read
    hidden = read.hidden.reshape(-1, count * read.hidden.shape[1], read.hidden.shape[2])
    return Conditioning(hidden, None if read.pooled is None else read.pooled[::count])


def shares(counts: "torch.Tensor") -> "torch.Tensor":
    """Numbers of tokens `[B, C]` as shares of their sums; all in the first chunk where there are none."""
    parts = counts / counts.sum(1, keepdim=True).clamp(min=1)
    parts[:, 0] += 1 - parts.sum(1)
    return parts


def _unread(prompt: str, tokens: "Sequence[Span]", rows: "Sequence[Span]") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of a prompt that are not one token each, and those whose tokens did not all become rows."""
    pieces, cut = [], []
    for start, stop in spans(prompt):
        count, word = len(_rows(tokens, [(start, stop)])), prompt[start:stop].lower()
        pieces += [word] if count != 1 else []
        cut += [word] if len(_rows(rows, [(start, stop)])) < count else []
    return tuple(dict.fromkeys(pieces)), tuple(cut)


def _rows(offsets: "Sequence[Span]", places: "Sequence[Span]") -> tuple[int, ...]:
    """The rows, of which each holds the characters of its offset, that hold characters of some places in a text."""
    return tuple(
        r for r, (a, b) in enumerate(offsets) if a < b and any(a < stop and b > start for start, stop in places)
    )
