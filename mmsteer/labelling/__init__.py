"""Two trained dictionaries into a bank: matching, cross-modal probes, scores, names, steering vectors, examples."""
