"""What is drawn to show a feature's effect: a prompt that has nothing to do with it, at a few strengths, from a few seeds."""

PROMPT = "a big frog in the middle on the beach"
"""Names thing, size and places, so that what changes is the feature's doing."""
STRENGTHS = (0.0, -1.0, 1.0, 2.0)
"""0 is *before*."""
SEEDS = (20, 21, 22)
"""Drawn by the embedded model without a frame or a vignette by themselves."""
SIDE = 128
"""Pixels of a picture: they are shown small."""
