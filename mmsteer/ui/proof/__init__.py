"""The tab "Proof"."""
