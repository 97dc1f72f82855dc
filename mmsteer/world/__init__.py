"""The embedded emoji world: scenes drawn from known factors, with captions, and the small models trained on it.

Why it exists: no network, no GPU, no licence question, and known truth. Which factor is in the caption, which only
in the picture and which in both is known for every pair, so "the label is right" becomes a number.
"""
