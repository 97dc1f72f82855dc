"""Sparse autoencoders trained on embeddings: objectives, the training loop, sparsity, Matryoshka groups."""
