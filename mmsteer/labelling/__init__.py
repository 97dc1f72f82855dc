"""Two trained dictionaries into a bank: match latents, probe across modalities, score, name, fit steering tensors.

`bank_builder.build_bank` shows all steps in order; every other file does one of them.
"""
