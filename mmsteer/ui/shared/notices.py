"""Sentences for the visitor, as HTML: what went wrong, and what is worth knowing. Their texts are escaped here."""

from html import escape

from mmsteer.ui.quota.refusal import static_edition


def problem(sentence: str) -> str:
    """What went wrong, in one sentence."""
    said, address = escape(sentence), escape(static_edition())
    if address:
        said = said.replace(address, f'<a href="{address}" target="_blank" rel="noopener">{address}</a>')
    return f'<div class="mm-problem" role="alert">{said}</div>'


def note(sentence: str) -> str:
    """Something worth knowing although nothing went wrong, in one sentence."""
    return f'<div class="mm-note" role="status">{escape(sentence)}</div>'
