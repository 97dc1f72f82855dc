"""Two trained dictionaries into a bank: match latents, probe across modalities, score, name, fit steering tensors.

`bank_builder.build_bank` tells the whole story; every other file does one of its steps.
"""
