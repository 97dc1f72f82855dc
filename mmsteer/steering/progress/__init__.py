"""A picture while it is drawn: what is known between two steps, and what the picture looks like so far."""
