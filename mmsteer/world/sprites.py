"""The sprite sheet: every thing and every person as a small RGBA picture, rendered once from Noto Color Emoji.

`render_sheet` needs the font (Debian: fonts-noto-color-emoji). Everything else needs only assets/world/sprites.png,
which is in the repository under the font's licence, OFL-1.1.
"""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mmsteer.assets import ASSETS
from mmsteer.errors import SteerError
from mmsteer.world.factors import OCCUPATIONS, THINGS

if TYPE_CHECKING:
    import torch

SPRITE = 136  # pixels a side, as wide as the font's own bitmaps
COLUMNS = 13
FOLDER = ASSETS / "world"
FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
_STRIKE = 109  # the only bitmap size the font holds


def emoji() -> dict[str, str]:
    """Emoji by sprite name, in the order of the sheet: 40 things, then each occupation as man and as woman."""
    people = {
        f"{gender} {job}": f"{figure}\u200d{tool}"
        for job, tool in OCCUPATIONS.items()
        for gender, figure in (("man", "👨"), ("woman", "👩"))
    }
    return THINGS | people


def render_sheet(font: Path = FONT, folder: Path = FOLDER) -> Path:
    """Render every emoji, trim it, fit it into `SPRITE` pixels, and write sprites.png and sprites.json to `folder`.

    SteerError if the font is missing. Returns the path of sprites.png.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not font.is_file():
        raise SteerError(f"there is no font {font}: install it (apt-get install fonts-noto-color-emoji) or pass --font")
    face = ImageFont.truetype(str(font), _STRIKE, layout_engine=ImageFont.Layout.RAQM)
    names = emoji()
    rows = -(-len(names) // COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * SPRITE, rows * SPRITE))
    for i, symbol in enumerate(names.values()):
        canvas = Image.new("RGBA", (2 * _STRIKE, 2 * _STRIKE))
        ImageDraw.Draw(canvas).text((_STRIKE // 3, _STRIKE // 3), symbol, font=face, embedded_color=True)
        sprite = canvas.crop(canvas.getbbox())
        scale = (SPRITE - 2) / max(sprite.size)  # a transparent pixel all round keeps resampled edges soft
        sprite = sprite.resize((round(sprite.width * scale), round(sprite.height * scale)), Image.Resampling.LANCZOS)
        corner = (SPRITE - sprite.width) // 2, (SPRITE - sprite.height) // 2
        sheet.paste(sprite, (i % COLUMNS * SPRITE + corner[0], i // COLUMNS * SPRITE + corner[1]))
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "sprites.partial.png"
    sheet.save(partial, optimize=True)
    os.replace(partial, folder / "sprites.png")
    (folder / "sprites.json").write_text(json.dumps(list(names), indent=0) + "\n")
    return folder / "sprites.png"


@lru_cache(maxsize=1)
def load_sprites() -> "torch.Tensor":
    """Premultiplied sprites `float32 [n_sprites, 4, SPRITE, SPRITE]` in [0, 1], in the order of `emoji()`."""
    import numpy as np
    import torch
    from PIL import Image

    path = FOLDER / "sprites.png"
    try:
        sheet = np.asarray(Image.open(path).convert("RGBA"), dtype=np.float32) / 255
    except (FileNotFoundError, OSError) as error:
        raise SteerError(
            f"cannot read the sprite sheet {path} ({error}); render it again with `python -m mmsteer world sprites`"
        ) from None
    tiles = [sheet[i // COLUMNS * SPRITE :, i % COLUMNS * SPRITE :][:SPRITE, :SPRITE] for i in range(len(emoji()))]
    sprites = torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).contiguous()
    sprites[:, :3] *= sprites[:, 3:]
    return sprites
