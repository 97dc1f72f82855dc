"""The web page: the only code that imports gradio. Its handlers call `Steerer` and `FeatureBank` and nothing below them.

Each tab is a folder with a `tab.py`; `page.py` lists them. `shared/` holds what several tabs use.
"""
