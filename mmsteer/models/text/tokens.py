"""Texts as one tokenizer of CLIP parts them, and the rows that parts of them become."""

from typing import Any, NamedTuple

from mmsteer.models.text.words import Span

_END_OF_WORD = "</w>"


class Tokens(NamedTuple):
    """B texts as one tokenizer parts them, start and end of text left out."""

    tokenizer: Any
    ids: list[list[int]]
    """Per text, its tokens."""
    spans: list[list[Span]]
    """Per text, the characters that each token stands for."""

    @classmethod
    def of(cls, tokenizer: Any, texts: list[str]) -> "Tokens":
        """Tokenise B texts."""
        batch = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        return cls(tokenizer, batch.input_ids, batch.offset_mapping)

    def rows(self, text: int, part: Span, length: int) -> tuple[list[int], list[Span]]:
        """One chunk: start of text, the tokens that begin in a part of a text, as many as fit, end of text, padding.

        Args:
            text: which of the B texts.
            part: the characters of the part.
            length: rows T of a chunk.

        Returns:
            The token of each row, and the characters it stands for; none for rows that stand for no text.
        """
        start, stop = part
        pairs = zip(self.ids[text], self.spans[text], strict=True)
        own = [(token, span) for token, span in pairs if start <= span[0] < stop][: length - 2]
        ids, spans = [token for token, _ in own], [span for _, span in own]
        free = length - 2 - len(own)
        padding, none = [self.tokenizer.pad_token_id] * free, (0, 0)
        return [self.tokenizer.bos_token_id, *ids, self.end, *padding], [none, *spans, none, *[none] * free]

    @property
    def end(self) -> int:
        """The token at the end of a text."""
        return int(self.tokenizer.eos_token_id)


def whole_words(tokenizer: Any) -> list[str]:
    """The words of at least two letters that a byte-pair tokenizer of CLIP has as one token each, sorted.

    Also ends of longer words are among them: to the tokenizer they are the same.
    """
    ends = (token[: -len(_END_OF_WORD)] for token in tokenizer.get_vocab() if token.endswith(_END_OF_WORD))
    return sorted(word for word in ends if len(word) > 1 and word.isalpha())
