"""RESULTS.md: what features do to pictures."""
