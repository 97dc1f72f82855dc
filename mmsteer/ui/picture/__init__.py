"""The tab "From a picture"."""
