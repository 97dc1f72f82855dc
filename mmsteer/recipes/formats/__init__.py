"""Recipes in the files and texts that other programs know too."""
