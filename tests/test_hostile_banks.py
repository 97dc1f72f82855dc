"""Banks that nobody should trust: whatever is wrong in a folder, loading it ends with one sentence, and before memory is spent."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmsteer.__main__ import main
from mmsteer.bank import Feature, FeatureBank
from mmsteer.errors import SteerError
from mmsteer.exchange.hub import load_complete

Damage = Callable[[Path], object]
DEEP = "[" * 100_000 + "]" * 100_000


def record(number: int = 0, **values: Any) -> Damage:
    """Other values in one feature; `...` leaves a field out."""

    def damage(folder: Path) -> None:
        data = json.loads((folder / "bank.json").read_text())
        changed = data["features"][number] | values
        data["features"][number] = {key: value for key, value in changed.items() if value is not ...}
        (folder / "bank.json").write_text(json.dumps(data))

    return damage


def meta(**values: Any) -> Damage:
    """Other values in what bank.json says of the bank as a whole."""

    def damage(folder: Path) -> None:
        data = json.loads((folder / "bank.json").read_text())
        changed = data["meta"] | values
        data["meta"] = {key: value for key, value in changed.items() if value is not ...}
        (folder / "bank.json").write_text(json.dumps(data))

    return damage


def whole(**values: Any) -> Damage:
    """Other values for `meta` or `features`."""
    return lambda folder: (folder / "bank.json").write_text(
        json.dumps(json.loads((folder / "bank.json").read_text()) | values)
    )


def text(change: Callable[[str], str | bytes]) -> Damage:
    """Another text, or other bytes, in bank.json."""

    def damage(folder: Path) -> None:
        content = change((folder / "bank.json").read_text())
        (folder / "bank.json").write_bytes(content.encode() if isinstance(content, str) else content)

    return damage


def a_folder(folder: Path) -> None:
    (folder / "bank.json").unlink()
    (folder / "bank.json").mkdir()


def huge(folder: Path) -> None:
    os.truncate(folder / "bank.json", 300_000_000)  # takes no room on the disk


def tensors(file: str = "bridge.safetensors", **values: torch.Tensor | None) -> Damage:
    """Other tensors in a file; None leaves one out."""

    def damage(folder: Path) -> None:
        changed = load_file(folder / file) | values
        save_file({key: value for key, value in changed.items() if value is not None}, folder / file)

    return damage


def cfg(**values: Any) -> Damage:
    """Other settings of a dictionary."""
    return lambda folder: (folder / "text" / "cfg.json").write_text(
        json.dumps(json.loads((folder / "text" / "cfg.json").read_text()) | values)
    )


def header(claim: str) -> Damage:
    """Weights of which nothing but a header is there."""
    return lambda folder: (folder / "text" / "sae_weights.safetensors").write_bytes(
        len(claim).to_bytes(8, "little") + claim.encode()
    )


WEIGHTS = "text/sae_weights.safetensors"
NAN = float("nan")
VARIANTS: dict[str, tuple[Damage, str]] = {
    "id a string": (record(id="<img src=x onerror=alert(1)>"), "`0.id` is .*; it should be a valid integer"),
    "id a list": (record(id=[1]), "`0.id`"),
    "id true": (record(id=True), "`0.id` is True"),
    "id a fraction": (record(id=1.5), "`0.id` is 1.5"),
    "id negative": (record(id=-1), "`0.id` is -1; it should be greater than or equal to 0"),
    "id of forty digits": (record(id=10**40), "`0.id`"),
    "id null": (record(id=None), "`0.id` is None"),
    "id missing": (record(id=...), "`0.id` is missing"),
    "id twice": (record(id=1), "two features have the id 1"),
    "mds a string": (record(mds="x"), "`0.mds` is 'x'; it should be a valid number"),
    "mds NaN": (record(mds=NAN), "`0.mds` is nan; it should be a finite number"),
    "mds infinite": (record(mds=float("inf")), "`0.mds` is inf"),
    "mds above 1": (record(mds=1.5), "`0.mds` is 1.5"),
    "mds missing": (record(mds=...), "`0.mds` is missing"),
    "interval below 0": (record(mds_low=-0.1), "`0.mds_low` is -0.1"),
    "pairs negative": (record(n_pairs=-3), "`0.n_pairs`"),
    "pairs a fraction": (record(n_pairs=2.5), "`0.n_pairs`"),
    "co-firing NaN": (record(cofiring=NAN), "`0.cofiring`"),
    "a rate of 2": (record(rate_text=2), "`0.rate_text`"),
    "activation scale 0": (record(activation_scale=0), "`0.activation_scale` is 0; it should be greater than 0"),
    "activation scale NaN": (record(activation_scale=NAN), "`0.activation_scale`"),
    "activation scale null": (record(activation_scale=None), "`0.activation_scale` is None"),
    "a scale that overflows": (text(lambda t: t.replace('"activation_scale": 0.5', '"activation_scale": 1e999', 1)), "inf"),
    "a former name beside the present one": (record(unit=0.5), "former and its present name"),
    "modality evil": (record(modality="evil"), "`0.modality` is 'evil'; it should be 'vision', 'language' or 'cross'"),
    "modality null": (record(modality_paper=None), "`0.modality_paper`"),
    "named by a stranger": (record(named_by="me"), "`0.named_by`"),
    "latent true": (record(text_latent=True), "`0.text_latent`"),
    "latent a string": (record(text_latent="3"), "`0.text_latent`"),
    "latent negative": (record(text_latent=-1), "`0.text_latent`"),
    "a latent of no dictionary": (record(image_latent=10**9), "latent 1000000000 of 'image'.*it has 24"),
    "the latent after the last": (record(text_latent=24), "latent 24 of 'text'"),
    "no latent at all": (record(image_latent=None, text_latent=None), "no latent of 'image'"),
    "a vision feature without a latent of pictures": (record(2, image_latent=None, text_latent=2), "no latent of 'image'"),
    "shared in a bank of two sides": (record(shared=True), "dictionary 'shared'; the bank has image, text"),
    "shared a string": (record(shared="no"), "`0.shared`"),
    "name an integer": (record(name=7), "`0.name` is 7; it should be a valid string"),
    "name a list": (record(name=["cat"]), "`0.name`"),
    "name empty": (record(name=""), "`0.name`"),
    "name too long": (record(name="a" * 81), "`0.name`.*at most 80"),
    "name with a line break": (record(name="cat\nINFO all is well"), "`0.name`.*it should be of printable"),
    "name that writes backwards": (record(name="cat \N{RIGHT-TO-LEFT OVERRIDE}gnp.exe"), "printable"),
    "name of half a letter": (record(name="\ud800"), "`0.name`"),
    "words a string": (record(words="cat"), "`0.words`"),
    "words of numbers": (record(words=[1, 2]), r"`0.words.0`"),
    "captions nested": (record(top_captions=[["a"]]), "`0.top_captions.0`"),
    "usable upside down": (record(usable=[2, -2]), "`0.usable`.*begin before it ends"),
    "usable of three": (record(usable=[-1, 0, 1]), "`0.usable`"),
    "usable null": (record(usable=None), "`0.usable`"),
    "excludes an unknown feature": (record(mutually_exclusive=[999]), "excludes feature 999"),
    "found in more builds than there were": (record(found_in=[4, 3]), "`0.found_in`"),
    "a field that nobody knows": (record(onclick="alert(1)"), "`0.onclick` is not known"),
    "a feature that is a list": (whole(features=[[1]]), "damaged"),
    "no features": (whole(features=[]), "at least 1 item"),
    "features null": (whole(features=None), "damaged"),
    "no meta": (whole(meta=None), "damaged"),
    "bank.json a list": (text(lambda _: "[1]"), "damaged"),
    "bank.json nested deep": (text(lambda _: DEEP), "damaged .RecursionError"),
    "meta nested deep": (text(lambda t: t.replace('"meta": {', f'"meta": {{"x": {DEEP}, ', 1)), "damaged"),
    "bank.json a folder": (a_folder, "damaged .IsADirectoryError"),
    "bank.json too large": (huge, "300 MB, and at most 256 MB are read"),
    "bank.json not UTF-8": (text(lambda t: t.encode("utf-16")), "damaged .UnicodeDecodeError"),
    "bank.json half": (text(lambda t: t[: len(t) // 2]), "damaged .JSONDecodeError"),
    "bank.json empty": (text(lambda _: ""), "damaged"),
    "a key twice": (text(lambda t: t.replace('"id": 0,', '"id": 0, "id": 5,', 1)), "the key 'id' is there twice"),
    "a number of 5,000 digits": (text(lambda t: t.replace('"id": 0', f'"id": {"9" * 5000}', 1)), "damaged"),
    "schema a string": (meta(schema="5"), "schema '5'; this mmsteer reads schema 5: build the bank again"),
    "schema true": (meta(schema=True), "schema True"),
    "schema missing": (meta(schema=...), "damaged .KeyError"),
    "text-to-joint null": (meta(text_to_joint=None), "`text_to_joint` is None"),
    "text-to-joint of an unknown kind": (meta(text_to_joint={"kind": "evil"}), "`text_to_joint.kind`"),
    "R² a string": (meta(text_to_joint={"kind": "fitted", "r2": "1"}), "`text_to_joint.r2`"),
    "dictionaries elsewhere": (meta(dictionaries=["../../etc", "text"]), "`dictionaries"),
    "dictionaries missing": (meta(dictionaries=...), "`dictionaries` is missing"),
    "CLIP a list": (meta(clip=["x"]), "`clip"),
    "source a number": (meta(source=3), "`source"),
    "figures as text": (meta(sides={"image": {"fvu": "0", "l0": 1, "dead": 0}}), "`sides.image.fvu`"),
    "no map": (lambda folder: (folder / "bridge.safetensors").unlink(), "bridge.safetensors: No such file"),
    "a map cut off": (lambda f: os.truncate(f / "bridge.safetensors", 40), "bridge.safetensors is no whole safetensors file"),
    "a map of NaN": (tensors(projection=torch.full((16, 16), NAN)), "projection has values that are not finite"),
    "a precision that is infinite": (tensors(gauge_precision=torch.full((16, 16), torch.inf)), "ood_precision has values"),
    "a map without its matrix": (tensors(projection=None), "lacks projection"),
    "a map without a side": (tensors(effect_text=None), "lacks steering_text"),
    "a map without the usual range": (tensors(gauge_p99=None), "lacks ood_p99"),
    "a map of another width": (tensors(projection=torch.zeros(16, 9)), r"projection is \[16, 9\], not \[16, 16\]"),
    "steering vectors too few": (tensors(effect_text=torch.zeros(3, 16)), r"steering_text is \[3, 16\], not \[24, 16\]"),
    "probes of another width": (tensors(probes=torch.zeros(4, 3)), r"probes is \[4, 3\], not \[4, 16\]"),
    "a map of whole numbers": (tensors(mean_text=torch.zeros(16, dtype=torch.int64)), "mean_text is of I64, not of floating-point numbers"),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "sae_weights.safetensors: No such file"),
    "weights cut off": (lambda folder: os.truncate(folder / WEIGHTS, 1000), "sae_weights.safetensors is no whole"),
    "weights of NaN": (tensors(WEIGHTS, W_dec=torch.full((24, 16), NAN)), "sae_weights.safetensors: it has values that are not"),
    "weights that lack one": (tensors(WEIGHTS, b_dec=None), "lacks b_dec"),
    "a header without weights": (
        header('{"W_enc": {"dtype": "F32", "shape": [20000, 20000], "data_offsets": [0, 1600000000]}}'),
        "93 bytes, and its header speaks of 1,600,000",
    ),
    "a header that contradicts itself": (
        header('{"W_enc": {"dtype": "F32", "shape": [20000, 20000], "data_offsets": [0, 0]}}'), "shorter or longer",
    ),
    "a header that is no object": (header("[1]"), "no whole safetensors file"),
    "a header nested deep": (header(DEEP), "no whole safetensors file .RecursionError"),
    "a header of 2^63 bytes": (lambda f: (f / WEIGHTS).write_bytes(b"\xff" * 8 + b"{}"), "a header of"),
    "cfg.json far larger than the weights": (cfg(d_in=20000, d_sae=20000), r"b?W_enc is \[16, 24\], not \[20000, 20000\]"),
    "cfg.json of text": (cfg(d_in="16"), r"its sizes \['16', 24\] are not all integers"),
    "cfg.json negative": (cfg(d_sae=-1), "impossible"),
    "cfg.json of another architecture": (cfg(architecture="transformer"), "architecture 'transformer'"),
    "cfg.json a list": (lambda folder: (folder / "text" / "cfg.json").write_text("[]"), "cannot read .*cfg.json"),
    "cfg.json nested deep": (lambda folder: (folder / "text" / "cfg.json").write_text(DEEP), "cannot read .*cfg.json"),
    "k beyond the latents": (cfg(architecture="topk", k=99), "impossible"),
}  # fmt: skip


@pytest.fixture
def bank(tiny_bank: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_bank, tmp_path / "bank")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_malformed_bank_is_refused_in_one_sentence(bank: Path, name: str):
    damage, sentence = VARIANTS[name]
    load_complete(bank)
    damage(bank)
    with pytest.raises(SteerError, match=sentence) as error:
        load_complete(bank)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def test_the_command_says_it_without_a_traceback(bank: Path, capsys: pytest.CaptureFixture[str]):
    record(id="<img src=x>")(bank)
    assert main(["bank", "show", "--bank", str(bank)]) == 2
    error = capsys.readouterr().err
    assert "it should be a valid integer" in error
    assert error.count("\n") == 1


def test_a_size_that_is_a_lie_costs_no_memory(bank: Path):
    """A dictionary of 20,000 by 20,000 would be 3 GB; no array of any size is asked for."""
    cfg(d_in=20_000, d_sae=20_000)(bank)
    made: list[int] = []

    class Counting(torch.utils._python_dispatch.TorchDispatchMode):  # type: ignore[name-defined]
        def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = call(*args, **(kwargs or {}))
            made.append(result.numel() if isinstance(result, torch.Tensor) else 0)
            return result

    with Counting(), pytest.raises(SteerError, match="20000"):
        _ = FeatureBank.load(bank).dictionaries
    assert max(made, default=0) < 10_000  # bytes of the other dictionary, which is whole


def test_what_cannot_be_loaded_is_not_written(tiny_bank: Path, tmp_path: Path):
    loaded = FeatureBank.load(tiny_bank)
    wrong = Feature(**{**vars(loaded.features[0]), "mds": 1.2})
    with pytest.raises(SteerError, match=r"cannot write .*`0.mds` is 1.2"):
        FeatureBank([wrong, *loaded.features[1:]], loaded.meta, loaded.dictionaries, loaded.tensors).save(
            tmp_path / "bank"
        )
    assert list(tmp_path.iterdir()) == []


def test_names_in_every_script_are_names(bank: Path):
    for name in (
        "Katze",
        "猫",
        "می\N{ZERO WIDTH NON-JOINER}خواهم",
        '<b>cat</b> & "dog"',
        "👩\N{ZERO WIDTH JOINER}🚒",
        "x" * 80,
    ):
        record(name=name)(bank)
        assert FeatureBank.load(bank).features[0].name == name


def test_the_schema_knows_every_field():
    from mmsteer.bank.schema import _LIMITS, _records

    known = _records().core_schema["items_schema"]["schema"]["fields"]  # type: ignore[typeddict-item]
    assert set(known) == {field.name for field in fields(Feature)} >= set(_LIMITS)
