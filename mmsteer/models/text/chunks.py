"""Long prompts in parts that a text encoder can read: where to part them. Pure.

As AUTOMATIC1111's web UI has it, which people's prompts are written for: each part, or chunk, gets a start and an end token of its own, and
the parts' hidden states stand side by side. A part ends at the last comma, if that is among its last 20 tokens; otherwise between two
words, where the web UI would also part a word.
"""

from collections.abc import Sequence

from mmsteer.models.text.words import Span, joined

MOST_CHUNKS = 4  # of one prompt: 300 tokens, where a chunk has 75
_BACK = 20  # tokens that are left free for the sake of a comma
_COMMAS = (",", "\N{FULLWIDTH COMMA}", "\N{IDEOGRAPHIC COMMA}")


def chunks(text: str, tokens: Sequence[Span], size: int, most: int = MOST_CHUNKS) -> list[Span]:
    """Part a text.

    Args:
        text: the prompt.
        tokens: the characters that each of its tokens stands for, start and end of text left out.
        size: tokens of a chunk, at most.
        most: chunks, at most.

    Returns:
        The characters of each chunk, in order; one, of all the text, if it fits. Of the last one, tokens past `size` do not fit.
    """
    parts: list[Span] = []
    first = 0
    while len(tokens) - first > size and len(parts) < most - 1:
        stop = _break(text, tokens, first, first + size)
        parts.append((tokens[first][0], tokens[stop][0]))
        first = stop
    return [*parts, (tokens[first][0] if parts else 0, len(text))]


def _break(text: str, tokens: Sequence[Span], first: int, full: int) -> int:
    """The number of the token with which the next chunk begins, where those from `first` to `full` would fit."""
    between = [
        k for k in range(full, first, -1) if tokens[k - 1][1] <= tokens[k][0]
    ]  # not within a letter of several tokens
    commas = (k for k in between if full - k < _BACK and text[slice(*tokens[k - 1])].endswith(_COMMAS))
    words = (k for k in between if not joined(text, tokens[k][0]))
    return next(commas, None) or next(words, None) or next(iter(between), full)
