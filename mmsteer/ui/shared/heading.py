"""What stands on top of every page."""

HEADING = """<div><h1>mmsteer</h1><p>Turn one idea up or down inside an image generator.
Some ideas live only in pictures, some only in words, some in both.</p></div>"""
