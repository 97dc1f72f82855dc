"""Repositories of the Hugging Face hub: what they contain at one commit, what of it is here, and fetching the rest."""
