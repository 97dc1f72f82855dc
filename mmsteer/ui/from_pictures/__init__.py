"""A slider from pictures with and without something, in the tab "Steer"."""
