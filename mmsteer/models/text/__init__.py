"""Text as text encoders take it: where words stand, and what is read in one piece. Pure."""
