"""Files that visitors send, and pictures they fetch: in a folder of this process alone, for some minutes, and not too many."""

import asyncio
import atexit
import os
import shutil
import tempfile
import time
from pathlib import Path

from mmsteer.ui.server.asgi import App, Receive, Scope, Send

MINUTES = 10
MOST = 256 * 2**20  # bytes of all files together: fifty of the largest
_VARIABLE = "GRADIO_TEMP_DIR"


class Tidy:
    """Middleware that tidies up after every upload."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        try:
            await self.app(scope, receive, send)
        finally:
            if scope.get("path") == "/gradio_api/upload":
                await asyncio.to_thread(tidy, own_folder())


def own_folder() -> Path:
    """The folder, made at the first call and removed when the process ends. gradio learns of it by its variable."""
    folder = Path(os.environ.get(_VARIABLE, ""))
    if not folder.name.startswith(_prefix()):
        folder = Path(tempfile.mkdtemp(prefix=_prefix(), dir=os.environ.get(_VARIABLE)))
        os.environ[_VARIABLE] = str(folder)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def tidy(folder: Path, most: int = MOST) -> None:
    """Delete what is older than `MINUTES`, an upload that broke off included; and the oldest files past `most` bytes."""
    left, now = most, time.time()
    files = []
    for path in folder.rglob("*"):
        try:
            state = path.stat()
        except FileNotFoundError:  # gradio tidies up too
            continue
        if path.is_file():
            files.append((state.st_mtime, state.st_size, path))
    for modified, size, path in sorted(files, reverse=True):
        left -= size
        if left < 0 or now - modified > MINUTES * 60:
            path.unlink(missing_ok=True)


def _prefix() -> str:
    return f"mmsteer-{os.getpid()}-"
