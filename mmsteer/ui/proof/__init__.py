"""The tab "Are the labels right?"."""
