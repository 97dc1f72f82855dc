"""Sparse autoencoders trained on embeddings: configuration, training loop, sparse codes, and objectives to train to.

Knows vectors and matched rows. Knows nothing of names, scores or banks.
"""
