"""The sections of RESULTS.md, one file a study: each turns what the study wrote into Markdown."""
