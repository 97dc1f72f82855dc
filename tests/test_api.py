"""The page's endpoints for other programs: the guide's examples as they stand, over gradio_client, HTTP and MCP."""

import asyncio
import base64
import io
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio
import pytest
from gradio_client import Client, handle_file
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image
from served import served

from mmsteer import Edit, Recipe, Sampler, Steerer
from mmsteer.pictures.picture_features import PictureReader

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "mmsteer" / "ui" / "README.md"
ENDPOINTS = {
    "steer",
    "sweep",
    "search",
    "features_of_prompt",
    "features_of_picture",
    "recipe_of_picture",
    "slider_from_pictures",
}


@pytest.fixture(scope="module")
def address(steerer: Steerer, tiny_bank: Path) -> Iterator[str]:
    with served(steerer, tiny_bank, mcp=True) as url:
        yield url


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False)


def section() -> str:
    """What the guide says of the API."""
    return GUIDE.read_text(encoding="utf-8").split("\n## API\n", 1)[1].split("\n## ", 1)[0]


def examples(language: str) -> list[str]:
    """The section's blocks of code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", section(), re.DOTALL)


def test_the_guides_command_line_asks_over_http(address: str):
    (command,) = examples("bash")
    assert "http://127.0.0.1:7860" in command
    asked = subprocess.run(
        ["bash", "-euc", command.replace("http://127.0.0.1:7860", address)], capture_output=True, text=True, check=True
    )
    assert asked.stdout.startswith("event: complete")
    assert '"name": "warm light"' in asked.stdout


def test_the_guides_examples_run_as_they_stand(address: str, tmp_path: Path):
    by_client, by_mcp = examples("python")

    def run(code: str) -> str:
        assert "http://127.0.0.1:7860" in code
        (tmp_path / "example.py").write_text(code.replace("http://127.0.0.1:7860", address))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "example.py"], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    lines = run(by_client).splitlines()
    assert lines[0].endswith("[-2.0, -1.0, 0.0, 1.0, 2.0]")
    assert all(re.fullmatch(r".+ (vision|cross) \d+\.\d+", line) for line in lines[1:])
    assert len(lines) > 1
    message = run(by_mcp)
    assert "'steer', 'sweep', 'search', 'features_of_prompt', 'features_of_picture', 'recipe_of_picture'" in message
    assert "warm light" in message


def test_the_guide_names_the_endpoints_there_are_and_no_handler_of_the_page_is_one(client: Client):
    found = client.view_api(return_format="dict", print_info=False)
    assert {name.lstrip("/") for name in found["named_endpoints"]} == ENDPOINTS
    assert found["unnamed_endpoints"] == {}
    for name, endpoint in found["named_endpoints"].items():
        parameters = ", ".join(parameter["parameter_name"] for parameter in endpoint["parameters"])
        assert f"`{name.lstrip('/')}({parameters})`" in section()
        assert endpoint["description"]


def test_a_steered_pair_is_the_one_that_its_recipe_gives(client: Client, steerer: Steerer):
    before, after, about = client.predict(
        "a cat at night", ["warm light:1.5", "night:remove"], 5, 2, 3.0, api_name="/steer"
    )
    edits = (Edit("warm light", strength=1.5), Edit("night", "remove"))
    recipe = Recipe("a cat at night", 5, Sampler(2, 3.0), edits, steerer.origin)
    assert Recipe.from_png(after) == recipe
    assert Recipe.from_png(before) == recipe.plain
    assert {Recipe.from_png(file).origin for file in (before, after)} == {steerer.origin}
    assert Recipe.from_query(about["recipe"]) == recipe
    assert Image.open(after).tobytes() == steerer.picture(recipe).tobytes()
    assert Image.open(before).tobytes() == steerer.picture(recipe.plain).tobytes()
    assert set(about) == {"recipe", "ood_distance", "gauge", "seconds", "unknown", "cut", "notes"}


def test_a_prompt_alone_is_drawn_as_the_page_would(client: Client, steerer: Steerer):
    before, after, about = client.predict("a zebra at night", api_name="/steer")
    assert Recipe.from_png(after) == Recipe("a zebra at night", 0, steerer.sampler, (), steerer.origin)
    assert Image.open(before).tobytes() == Image.open(after).tobytes()
    assert about["unknown"] == ["zebra"]


def test_a_sweep_is_one_sheet_that_carries_what_it_was_made_from(client: Client, steerer: Steerer):
    strip, strengths = client.predict("a cat at night", "penguin@cat", 5, 3, api_name="/sweep")
    assert strengths == [-2.0, 0.0, 2.0]
    width, height = steerer.picture(Recipe("a cat", 0, steerer.sampler)).size
    assert Image.open(strip).size[0] > 3 * width
    assert Image.open(strip).size[1] > height
    assert Recipe.from_png(strip).prompt == "a cat at night"


def test_features_come_as_plain_values(client: Client, steerer: Steerer, tmp_path: Path):
    found = client.predict("light", "vision", api_name="/search")
    assert found == [{"name": "warm light", "id": 2, "modality": "vision", "mds": 1.0}]
    assert {f["modality"] for f in client.predict("", api_name="/search")} == {"vision", "language", "cross"}
    near = client.predict("a penguin", "any", True, api_name="/search")
    assert [set(f) for f in near] == [{"name", "id", "modality", "mds", "similarity"}] * len(near)
    assert [f["similarity"] for f in near] == sorted((f["similarity"] for f in near), reverse=True)
    own = client.predict("a cat at night", api_name="/features_of_prompt")
    wanted = steerer.features_of("a cat at night")
    assert [(f["id"], f["presence"]) for f in own] == [(f.id, round(amount, 3)) for f, amount in wanted]
    picture = Image.radial_gradient("L").convert("RGB")
    picture.save(tmp_path / "mine.png")
    own = client.predict(handle_file(tmp_path / "mine.png"), api_name="/features_of_picture")
    wanted = PictureReader(steerer).features_of(picture)
    assert [(f["id"], f["activation"]) for f in own] == [(f.id, round(amount, 3)) for f, amount in wanted]
    assert own


@pytest.mark.parametrize(
    ("endpoint", "given", "message"),
    [
        ("/steer", [""], "the prompt is empty"),
        ("/steer", ["x" * 2001], "2,001 characters; 2,000 are allowed"),
        ("/steer", [7], "the prompt is a int: give text"),
        ("/steer", ["a cat", ["nigth"]], "there is no feature 'nigth'; the nearest are night"),
        ("/steer", ["a cat", "night"], "the edits are 'night': give a list of texts"),
        ("/steer", ["a cat", [{}]], "give a list of texts"),
        ("/steer", ["a cat", ["night"] * 33], "33 edits at once; 32 are allowed"),
        ("/steer", ["a cat", [], -1], "`seed` is -1"),
        ("/steer", ["a cat", [], 0, 5000], "`steps` is 5000"),
        ("/steer", ["a cat", [], 0, 2, "much"], "`guidance` is 'much'"),
        ("/sweep", ["a cat", "night", 0, 1000], "`frames` is 1000: give a whole number from 3 to 25"),
        ("/sweep", ["a cat", "night@dog"], "the word 'dog' is not in the prompt"),
        ("/search", ["light", "taste"], "`modality` is 'taste': allowed are any, vision, language, cross"),
        ("/features_of_prompt", [""], "the prompt is empty"),
    ],
)
def test_bad_input_gets_one_sentence(client: Client, endpoint: str, given: list[Any], message: str):
    with pytest.raises(Exception, match=re.escape(message)) as wrong:
        client.predict(*given, api_name=endpoint)
    assert "Traceback" not in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_bad_pictures_get_one_sentence(client: Client, address: str, tmp_path: Path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with pytest.raises(Exception, match="damaged, or no PNG or JPEG or WEBP"):
        client.predict(handle_file(tmp_path / "bad.png"), api_name="/features_of_picture")
    (tmp_path / "large.png").write_bytes(bytes(5 * 2**20 + 1))
    with pytest.raises(Exception, match="exceeds the maximum file size of 5242880 bytes"):
        client.predict(handle_file(tmp_path / "large.png"), api_name="/features_of_picture")
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="large.png"\r\n\r\n' + bytes(5 * 2**20 + 1)
    sent = urllib.request.Request(
        f"{address}/gradio_api/upload", body + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}
    )
    with pytest.raises(urllib.error.HTTPError, match="413"):
        urllib.request.urlopen(sent)


def ask(address: str, endpoint: str, data: list[Any]) -> str:
    """What the server answers over plain HTTP."""
    call = f"{address}/gradio_api/call/{endpoint}"
    request = urllib.request.Request(call, json.dumps({"data": data}).encode(), {"Content-Type": "application/json"})
    event = json.load(urllib.request.urlopen(request))["event_id"]
    answer: str = urllib.request.urlopen(f"{call}/{event}").read().decode()
    return answer


@pytest.mark.parametrize("meta", [None, {"_type": "gradio.FileData"}])
@pytest.mark.parametrize("path", [str(ROOT / "assets" / "figures" / "labels.png"), "/etc/passwd"])
def test_no_file_of_the_server_is_read_for_who_names_one(address: str, path: str, meta: dict[str, str] | None):
    answer = ask(address, "features_of_picture", [{"path": path} | ({"meta": meta} if meta else {})])
    assert answer.startswith("event: error")
    assert "activation" not in answer
    assert "Traceback" not in answer


def test_tools_over_mcp(address: str, steerer: Steerer):
    async def on_progress(*progress: Any) -> None:
        """A client that hears of progress gets pictures, not only their addresses."""

    async def use() -> tuple[Any, ...]:
        async with (
            streamable_http_client(f"{address}/gradio_api/mcp/") as streams,
            ClientSession(*streams[:2]) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            given = {"prompt": "a cat at night", "edits": ["warm light"], "seed": 5}
            steered = await session.call_tool("steer", given, progress_callback=on_progress)
            picture = {"picture": f"data:image/png;base64,{steered.content[2].data}"}
            own = await session.call_tool("features_of_picture", picture)
            return tools, steered, own, await session.call_tool("steer", {"prompt": ""})

    with ThreadPoolExecutor(1) as elsewhere:  # a browser of another test may have this thread's event loop
        tools, steered, own, wrong = elsewhere.submit(asyncio.run, use()).result()
    assert {tool.name for tool in tools} == ENDPOINTS
    for tool in tools:
        assert tool.description
        assert all(parameter.get("description") for parameter in tool.inputSchema["properties"].values())
    after = Image.open(io.BytesIO(base64.b64decode(steered.content[2].data)))
    recipe = Recipe("a cat at night", 5, steerer.sampler, (Edit("warm light"),), steerer.origin)
    assert after.tobytes() == steerer.picture(recipe).tobytes()
    assert not own.isError
    first, amount = PictureReader(steerer).features_of(after)[0]
    assert f"'name': '{first.name}', 'id': {first.id}" in own.content[0].text
    assert f"'activation': {round(amount, 3)}" in own.content[0].text
    assert wrong.isError
    assert wrong.content[0].text.startswith("the prompt is empty")


def test_without_the_package_the_command_says_what_to_install(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['mcp'] = None\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "--mcp"], capture_output=True, text=True, cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    wanted = f"gradio[mcp]=={gradio.__version__}"
    assert done.returncode == 2
    assert f"pip install '{wanted}'" in done.stderr
    assert f"pip install '{wanted}'" in GUIDE.read_text(encoding="utf-8")
    assert wanted in (ROOT / "tests" / "requirements.txt").read_text()
