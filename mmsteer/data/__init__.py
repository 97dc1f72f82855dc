"""Captioned pictures into embeddings of both sides: sources, samples, shards, splits."""
