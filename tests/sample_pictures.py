"""Pictures and files for tests: coloured noise, its encodings, and a small file that is a huge picture."""

import io
import zlib

import torch
from PIL import Image


def picture(number: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """Some coloured noise, coarse enough to survive any compression."""
    generator = torch.Generator().manual_seed(number)
    coarse = torch.randint(256, (5, 6, 3), generator=generator, dtype=torch.uint8).numpy()
    return Image.fromarray(coarse).resize(size, Image.Resampling.NEAREST)


def encoded(given: Image.Image, kind: str = "PNG", **more) -> bytes:
    data = io.BytesIO()
    given.save(data, kind, **more)
    return data.getvalue()


def bomb(side: int = 13_000) -> bytes:
    """169 megapixels in 20 kB of PNG."""
    rows = zlib.compress(bytes((side * 3 + 1) * 4), 9)
    parts = (b"IHDR" + side.to_bytes(4) + side.to_bytes(4) + bytes([8, 2, 0, 0, 0]), b"IDAT" + rows, b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join((len(p) - 4).to_bytes(4) + p + zlib.crc32(p).to_bytes(4) for p in parts)
