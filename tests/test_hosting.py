"""app.py as a Space runs it: on a CPU in a process of its own, and on ZeroGPU with a GPU that is lent by a stand-in."""

import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import types
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch
from playwright.sync_api import Browser, expect
from served import free_port

from mmsteer import Edit, Recipe, Sampler, Steerer, SteerError
from mmsteer.bench.page_client import Visitor
from mmsteer.steering import zero_gpu

ROOT = Path(__file__).resolve().parents[1]
expect.set_options(timeout=30_000)


def front_matter() -> dict[str, str]:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").split("---")[1].strip().splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def test_the_front_matter_says_all_that_a_space_needs():
    fields = front_matter()
    assert fields["sdk"] == "gradio"
    assert (ROOT / fields["app_file"]).is_file()
    assert len(fields["short_description"]) <= 60
    assert fields["python_version"].strip('"') in (
        "3.11",
        "3.12",
    )  # what the libraries run on; a Space's own default is older
    assert f"gradio=={fields['sdk_version']}" in (ROOT / "requirements.txt").read_text()
    assert {fields["colorFrom"], fields["colorTo"]} <= {
        "red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray",
    }  # fmt: skip


# -- on a CPU --


@pytest.fixture(scope="module")
def space(tiny_folder: Path, tiny_bank: Path) -> Iterator[str]:
    """The address of app.py, started with a Space's environment, on the tiny backbone."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tiny_folder), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
        "SPACE_ID": "someone/steering", "SYSTEM": "spaces", "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SSR_MODE": "True",
    }  # fmt: skip
    arguments = ["app.py", "--backbone", str(tiny_folder), "--bank", str(tiny_bank)]
    served = subprocess.Popen([sys.executable, "-W", "ignore", *arguments], cwd=ROOT, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                assert served.poll() is None, "app.py ended"
                time.sleep(0.1)
        yield address
    finally:
        served.terminate()
        served.wait()


def test_a_space_draws_what_the_api_draws(space: str, tiny: Steerer):
    row = {"id": 1, "mode": "slide", "strength": 1, "on": True, "locked": False, "words": [], "start": 0, "end": 1}
    pictures, _ = Visitor(space).draw("a cat", 4, {"rows": [row], "silent": []})
    assert drawn(pictures) == tiny.steer("a cat", [Edit("night")], 4).after.tobytes()


def drawn(pictures: str) -> bytes:
    import base64
    from io import BytesIO

    from PIL import Image

    after = re.findall(r'src="data:image/png;base64,([^"]+)"', pictures)[1]
    return Image.open(BytesIO(base64.b64decode(after))).tobytes()


@contextmanager
def hosting_page(space: str) -> Iterator[str]:
    """The address of a page of another origin that shows the Space in a frame and passes its own query on, as the hub does."""

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = escape(urlsplit(self.path).query, quote=True)
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe src="{space}/?{query}" width="1200" height="800"></iframe>'.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/spaces/someone/steering"
    server.shutdown()
    server.server_close()


def test_a_link_works_inside_the_hosting_pages_frame_and_leads_back_to_it(chromium: Browser, space: str, tiny: Steerer):
    recipe = Recipe("a small cat", 77, Sampler(2, 2.0), (Edit("night"),), tiny.origin)
    with hosting_page(space) as hub:
        host = chromium.new_page()
        host.goto(f"{hub}?{recipe.to_query()}")
        frame = host.frame_locator("iframe")
        expect(frame.locator(".mm-after")).to_have_attribute("alt", "After: a small cat, seed 77, night:1")
        frame.locator("#mm-copy").click()  # the frame may not use the clipboard: the link is shown instead
        expect(frame.locator(".mm-link")).to_have_value(
            f"https://huggingface.co/spaces/someone/steering?{recipe.to_query()}"
        )


# -- on ZeroGPU --


@pytest.mark.parametrize(
    ("calls", "step", "side", "pictures", "seconds"),
    [
        (25, 0.04, 512, 1, 7),
        (25, 0.04, 512, 2, 8),
        (25, 0.12, 1024, 2, 12),
        (4, 0.02, 128, 2, 6),
        (50, 0.12, 1024, 100, 120),
    ],
)
def test_seconds_by_hand(calls: int, step: float, side: int, pictures: int, seconds: int):
    assert zero_gpu.seconds(calls, step, side, pictures) == seconds


SHAPES = {
    "sd15": {"block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768},
    "sd21": {"block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 1024, "use_linear_projection": True},
    "sdxl": {
        "block_out_channels": (320, 640, 1280), "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), "cross_attention_dim": 2048,
        "transformer_layers_per_block": (1, 2, 10), "use_linear_projection": True, "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "side", "measured"),
    [("sd15", 512, 0.025), ("sd21", 768, 0.028), ("sdxl", 512, 0.063), ("sdxl", 1024, 0.068)],
)
def test_a_step_is_asked_for_with_a_little_to_spare(name: str, side: int, measured: float):
    """Beside what the UNets of the real shapes were measured to take on a graphics card, in seconds."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):  # shapes alone
        unet = UNet2DConditionModel(**SHAPES[name])
    assert 1.4 * measured < zero_gpu.step_seconds(unet, side) < 2 * measured


@pytest.fixture
def lent(tiny: Steerer, monkeypatch: pytest.MonkeyPatch) -> tuple[Steerer, list[int]]:
    """A fresh steerer of the tiny backbone as ZeroGPU would have it, and the seconds it asked for: each call runs in a forked
    process, and only pickles go there and come back."""
    asked: list[int] = []

    def gpu(duration):  # type: ignore[no-untyped-def]
        def decorate(task):  # type: ignore[no-untyped-def]
            def call(*given):  # type: ignore[no-untyped-def]
                asked.append(duration(*given))
                sent, (there, here) = pickle.dumps(given), multiprocessing.Pipe()
                worker = multiprocessing.get_context("fork").Process(
                    target=lambda: there.send_bytes(pickle.dumps(task(*pickle.loads(sent))))
                )
                worker.start()
                result = pickle.loads(here.recv_bytes())
                worker.join()
                return result

            return call

        return decorate

    monkeypatch.setitem(sys.modules, "spaces", types.SimpleNamespace(GPU=gpu))
    return zero_gpu.load_for_zero_gpu(lambda: Steerer(tiny.backbone, tiny.bank))(), asked


def test_a_lent_gpu_draws_the_same_and_before_is_cached_on_this_side(lent, tiny: Steerer):
    steerer, asked = lent
    edits, sampler = [Edit("night"), Edit("warm light", strength=0.5)], Sampler(3, 2.0)
    first = steerer.steer("a cat", edits, 4, sampler)
    again = steerer.steer("a cat", edits[:1], 4, sampler)
    here = tiny.steer("a cat", edits, 4, sampler)
    assert first.after.tobytes() == here.after.tobytes()
    assert (first.recipe, first.features, first.ood_distance) == (here.recipe, here.features, here.ood_distance)
    assert first.recipe.origin == again.recipe.origin == here.recipe.origin
    assert again.before.tobytes() == first.before.tobytes()
    step = zero_gpu.step_seconds(tiny.backbone.denoiser, 32)
    assert asked == [zero_gpu.seconds(3, step, 32, 2), zero_gpu.seconds(3, step, 32, 1)]  # the second time only *after*


def test_every_other_call_is_lent_a_gpu_too(lent, tiny: Steerer):
    steerer, asked = lent
    assert steerer.features_of("a cat") == tiny.features_of("a cat")
    recipe = Recipe("a cat", 4, Sampler(2, 1.0), (Edit("night"),))
    assert steerer.picture(recipe).tobytes() == tiny.picture(recipe).tobytes()
    steerer.render_many(["a cat"] * 3, [Edit("night")], [1, 2, 3], Sampler(50, 1.0))
    step = zero_gpu.step_seconds(tiny.backbone.denoiser, 32)
    assert asked == [6, zero_gpu.seconds(2, step, 32, 1), zero_gpu.seconds(50, step, 32, 3)]
    assert steerer.backbone is tiny.backbone  # and what needs no computing takes none
    assert len(asked) == 3


def test_what_is_refused_keeps_its_sentence(lent):
    steerer, asked = lent
    with pytest.raises(SteerError, match="the prompt is empty"):
        steerer.steer(" ")
    with pytest.raises(SteerError, match="there is no feature 'unicorn'"):
        steerer.steer("a cat", [Edit("unicorn")])
    assert asked == []  # no GPU for what can be refused without
    with pytest.raises(SteerError, match="the word 'dog' is not in the prompt"):
        steerer.steer("a cat", [Edit("night", words=("dog",))])
    assert len(asked) == 1


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("1", True), ("false", False), (None, False)])
def test_zero_gpu_is_recognised_by_the_environment(monkeypatch: pytest.MonkeyPatch, value: str | None, expected: bool):
    if value is None:
        monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    else:
        monkeypatch.setenv("SPACES_ZERO_GPU", value)
    assert zero_gpu.on_zero_gpu() is expected


def test_the_real_package_leaves_a_call_as_it_is_elsewhere():
    import spaces

    assert spaces.GPU(duration=lambda: 5)(len) is len
