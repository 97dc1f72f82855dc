"""The tab "What it is good for"."""
