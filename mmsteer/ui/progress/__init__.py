"""A drawing as it happens: how far it is, what it looks like so far, and a button that stops it."""
