"""Sentences for the visitor, as HTML: what went wrong, and what is worth knowing. Their texts are escaped here."""

from html import escape


def problem(sentence: str) -> str:
    """What went wrong, in one sentence."""
    return f'<div class="mm-problem" role="alert">{escape(sentence)}</div>'


def note(sentence: str) -> str:
    """Something worth knowing although nothing went wrong, in one sentence."""
    return f'<div class="mm-note" role="status">{escape(sentence)}</div>'
