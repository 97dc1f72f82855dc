"""What people read for each modality: a shape, a word, and what it means."""

SHAPES = {"vision": "◉", "language": "❝", "cross": "⇄"}
LABELS = {"vision": "only seen", "language": "only said", "cross": "seen and said"}
"""What visitors read; tooltips give the paper's terms."""
MEANINGS = {
    "vision": "vision-only: seen in pictures, never named in captions",
    "language": "language-only: named in captions, never seen in pictures",
    "cross": "cross-modal: seen in pictures and named in captions",
}
