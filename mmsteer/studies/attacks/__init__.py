"""Adversarial examples on a CLIP, restricted to one modality's features: attacks, defences, detection. Knows nothing of the page."""
