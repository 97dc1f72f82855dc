"""The server behind the page: what a request may reach, how large it may be, whose turn it is, and what the log says.

gradio's own settings do most of it (`launch.py`); the rest is ASGI middleware in front of gradio, one concern a file.
"""
