"""Where the files lie that come with mmsteer: the embedded backbones, their bank, the world's sprites, the studies' figures."""

from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"
