"""What is checked and found out as models are loaded: weight files, tokenizers and picture processors, steps and guidance."""
