"""What the studies measured, as Markdown: one section a study (`assets/figures/RESULTS.md`), and the headline table of README.md.

Everything here reads JSON and returns text; nothing is measured. `page` assembles the sections, `headlines` the table.
"""
