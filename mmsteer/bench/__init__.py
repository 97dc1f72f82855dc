"""How long things take: start-up, pictures, the page, dictionaries, embedding; and training beside other packages.

Each file measures one thing: `measure(...)` returns figures by name. `mmsteer.cli.bench` runs them.
"""
