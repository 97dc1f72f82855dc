"""The README's guide to one's own models and pictures, its commands run as they stand, on tiny stand-ins for what they name."""

import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import torch
from families import captions, make_turbo
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def commands() -> list[str]:
    """The shell lines of the guide's block."""
    guide = (ROOT / "README.md").read_text(encoding="utf-8").split("## Your own models and pictures", 1)[1]
    block = re.search(r"```bash\n(.*?)```", guide, re.DOTALL)
    assert block
    return [line.split("  #")[0] for line in block[1].replace("\\\n", " ").splitlines() if line.strip()]


def test_the_guide_leads_from_a_checkpoint_and_pictures_to_the_page(tmp_path: Path):
    make_turbo(tmp_path / "models" / "sd-turbo")
    (tmp_path / "models" / "sd-turbo" / "clip").rename(tmp_path / "models" / "clip")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    generator = torch.Generator().manual_seed(0)
    for k, caption in enumerate(captions(2000)):
        shade = torch.randint(256, (3,), generator=generator).tolist()
        Image.new("RGB", (32, 32), tuple(shade)).save(pictures / f"{k:04d}.png")
        (pictures / f"{k:04d}.txt").write_text(caption)
    (tmp_path / "app.py").symlink_to(ROOT / "app.py")
    plan, build, steer, page = commands()

    def start(command: str, *more: str) -> list[str]:
        program, *rest = shlex.split(command)
        assert program == "python"
        return [sys.executable, "-W", "ignore", *rest, *more]

    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin"}

    def run(command: str) -> str:
        done = subprocess.run(start(command), cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    assert "2,000" in run(plan)
    assert not (tmp_path / "banks").exists()
    assert "wrote banks/mine" in run(build)
    told = run(steer)
    assert "fitted map to the joint space" in told
    assert Image.open(tmp_path / "pair.png").size[0] > Image.open(tmp_path / "pair.png").size[1]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = subprocess.Popen(start(page, "--port", str(port)), cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    try:
        for _ in range(300):
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read().decode()
                break
            except OSError:
                assert served.poll() is None, (served.stderr.read() if served.stderr else b"").decode()[-2000:]
                time.sleep(0.2)
        assert "mmsteer" in answer
    finally:
        served.terminate()
        served.communicate()
