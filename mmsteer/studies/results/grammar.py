"""English grammar of sentences that are put together from parts."""

import re


def with_articles(text: str) -> str:
    """The text with "an" in place of "a" before a vowel."""
    return re.sub(r"\ba(?= [aeiou])", "an", text)
