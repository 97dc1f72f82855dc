"""What to draw, as data: edits, recipes and where they come from, sweeps over strengths and seeds, and the same asked for in words."""
