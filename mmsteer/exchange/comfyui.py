"""A node for ComfyUI: CLIP conditioning and a bank in, edited conditioning out. `comfyui_nodes/` is what ComfyUI loads.

ComfyUI's conditioning is a list of `[hidden [B, C·T, d_text], {"pooled_output": [B, d_pooled], …}]`, C chunks of T rows side by side. Its
CLIP gives the tokens of a text as `{"l": C lists of T (token, weight)}`, an entry for each text encoder.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from mmsteer.bank import FeatureBank
from mmsteer.bank.compatibility import LEAST_AGREEMENT, PROBES, joint_space_of
from mmsteer.errors import SteerError
from mmsteer.models.conditioning import Conditioning
from mmsteer.models.families.sd1 import FAMILY as SD1
from mmsteer.models.families.sd2 import FAMILY as SD2
from mmsteer.models.families.sdxl import FAMILY as SDXL
from mmsteer.models.prompt import Encoded, shares
from mmsteer.models.text.words import Span, composed
from mmsteer.recipes.edit import Edit, parse_edits
from mmsteer.steering.presence import Presence
from mmsteer.steering.prompt_state import read_encoded
from mmsteer.steering.routes import Routes

if TYPE_CHECKING:
    import torch

    from mmsteer.steering.schedule import Schedule

_FAMILIES = {("l",): SD1, ("h",): SD2, ("g", "l"): SDXL}
"""By the names of their text encoders in ComfyUI."""
_END_OF_WORD = "</w>"
_CHECKED: "WeakKeyDictionary[Any, WeakSet[FeatureBank]]" = WeakKeyDictionary()
"""By a CLIP of ComfyUI, the banks known to be made for it. Asking again would fetch it onto the GPU for every edit."""


class SteerConditioning:
    """The node."""

    CATEGORY = "conditioning"
    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "steer"
    DESCRIPTION = (
        "Adds, sets or removes features of a bank in the conditioning of a prompt (Stable Diffusion 1.x, 2.x and XL)."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """Its inputs, as ComfyUI wants them described."""
        text = {"multiline": True, "dynamicPrompts": False}  # each node would draw its own words for {red|blue}
        edits = "one a line: FEATURE[:add|set|remove][:STRENGTH][@WORD,WORD][[START-END]]"
        return {
            "required": {
                "conditioning": ("CONDITIONING", {"tooltip": "of the text below alone, from CLIP Text Encode"}),
                "clip": ("CLIP", {"tooltip": "the one that encoded it"}),
                "text": ("STRING", text | {"tooltip": "what it encoded"}),
                "edits": ("STRING", text | {"default": "night:1.0", "tooltip": edits}),
                "bank": ("STRING", {"default": "", "tooltip": "the folder of a bank that is fitted to this checkpoint"}),
            }
        }  # fmt: skip

    def steer(
        self, conditioning: list[list[Any]], clip: Any, text: str, edits: str, bank: str
    ) -> tuple[list[list[Any]]]:
        """Edit the conditioning of a text; what is given stays as it is.

        Args:
            conditioning: of this text, as ComfyUI has it.
            clip: ComfyUI's CLIP that encoded it.
            text: the prompt, with ComfyUI's weights if it has any.
            edits: their text form, one a line.
            bank: the folder of a bank.

        Returns:
            The conditioning alone in a tuple. Where edits name a part of the run, there is one entry for each part.

        Raises:
            SteerError: an edit, the bank, the CLIP and the conditioning do not go together.
        """
        asked = parse_edits([line.strip() for line in edits.splitlines() if line.strip()])
        if not asked:
            return (conditioning,)
        steering = _Steering(clip, _bank(bank))
        return ([part for hidden, more in conditioning for part in steering.edited(hidden, more, text, asked)],)


NODE_CLASS_MAPPINGS = {"MmsteerSteerConditioning": SteerConditioning}
NODE_DISPLAY_NAME_MAPPINGS = {"MmsteerSteerConditioning": "Steer Conditioning (mmsteer)"}


class _Steering:
    """A CLIP of ComfyUI and a bank that was made for it."""

    def __init__(self, clip: Any, bank: FeatureBank) -> None:
        self.clip, self.bank = clip, bank
        empty = clip.tokenize("")
        names = tuple(sorted(empty))
        if names not in _FAMILIES:
            known = ", ".join(f"{' and '.join(own)} ({family.title})" for own, family in _FAMILIES.items())
            raise SteerError(
                f"the text encoders of this CLIP are {', '.join(names)}; the node steers {known}: load such a checkpoint"
            )
        self.family, self.first = _FAMILIES[names], names[-1]
        self.end = empty[self.first][0][1][0]  # of an empty text, the token after the first
        self.joint, self.presence = joint_space_of(bank), Presence(bank)
        self.routes = Routes(self.family, bank, self.joint)
        self._check_bank()

    def edited(
        self, hidden: "torch.Tensor", more: dict[str, Any], text: str, edits: Sequence[Edit]
    ) -> Iterator[list[Any]]:
        """One entry of the conditioning, edited: several, for parts of the run, where edits act in parts of it."""
        encoded = self._encoded(hidden, more.get("pooled_output"), text, any(edit.words for edit in edits))
        # what guidance steers away from is ComfyUI's business, and no edit reads it
        state = read_encoded(encoded, self.joint, self.presence, against=encoded)
        schedule = self.routes.schedule(state, edits, pooled=1.0)
        parts = _parts(schedule, more.get("start_percent", 0.0), more.get("end_percent", 1.0))
        for start, end in parts:
            read = schedule.at(start)
            own = more | ({"pooled_output": read.pooled} if self.family.pooled else {})
            yield [read.hidden, own | ({"start_percent": start, "end_percent": end} if len(parts) > 1 else {})]

    def _encoded(self, hidden: "torch.Tensor", pooled: "torch.Tensor | None", text: str, words: bool) -> Encoded:
        """What ComfyUI encoded, as steering reads it; where its words stand only if that is asked for."""
        import torch

        chunks = [[token[0] for token in chunk] for chunk in self.clip.tokenize(text)[self.first]]
        rows = sum(map(len, chunks))
        if hidden.shape[1] != rows:
            raise SteerError(
                f"the conditioning has {hidden.shape[1]} rows, and the text makes {rows}: give the text that it was encoded from"
            )
        self._check_widths(hidden, pooled)
        ends = torch.tensor([_place(self.end, chunk) for chunk in chunks]).expand(len(hidden), -1)
        starts = torch.arange(len(chunks)) * len(chunks[0])
        offsets = self._offsets(chunks, composed(text)) if words else ()
        none: tuple[tuple[str, ...], ...] = ((),) * len(hidden)
        conditioning = Conditioning(hidden, pooled if self.family.pooled else None)
        places = ((composed(text), offsets),) * len(hidden)
        return Encoded(conditioning, (ends + starts).to(hidden.device), shares(ends - 1), none, none, places)

    def _offsets(self, chunks: Sequence[Sequence[Any]], text: str) -> tuple[Span, ...]:
        """Where in a text the characters of each row stand; an empty span for rows without any.

        Each token is the next place in the text with its letters. What lies between is no token: spaces, weights and brackets.
        """
        letters, owners = _bytes(text)
        spans, place = [], 0
        for chunk in chunks:
            end = _place(self.end, chunk)
            for row, token in enumerate(chunk):
                piece = ""
                if 0 < row < end and isinstance(token, int):  # else start, end, padding, or a row of an embedding
                    piece = self.clip.tokenizer.untokenize([(token, 1.0)])[0][1].removesuffix(_END_OF_WORD)
                begin = letters.find(piece, place) if piece else -1
                place = place if begin < 0 else begin + len(piece)
                spans.append((0, 0) if begin < 0 else (owners[begin], owners[place - 1] + 1))
        return tuple(spans)

    def _check_widths(self, hidden: "torch.Tensor", pooled: "torch.Tensor | None") -> None:
        """SteerError unless the bank's map is as wide as what ComfyUI encoded."""
        tensors = self.bank.tensors
        parts = [("rows", hidden.shape[2], len(tensors["projection"]))]
        if self.family.pooled:
            reached = tensors["inverse_pooled"].shape[1] if "inverse_pooled" in tensors else 0
            parts.append(("pooled vector", 0 if pooled is None else pooled.shape[1], reached))
        for name, width, wanted in parts:
            if width != wanted:
                raise SteerError(
                    f"the {name} of the conditioning: {width} wide; of the bank, made for {self._made_for}: {wanted}. {self._cure}"
                )

    def _check_bank(self) -> None:
        """SteerError unless probe prompts arrive where they did when the bank was made (`mmsteer.bank.compatibility`)."""
        import torch

        known = _CHECKED.setdefault(self.clip, WeakSet())
        if self.bank in known:
            return
        if "probes" not in self.bank.tensors:
            raise SteerError(
                f"the bank was made for a CLIP alone, not for a text encoder that a UNet reads. {self._cure}"
            )
        last = []
        for probe in PROBES:
            hidden, pooled = self.clip.encode_from_tokens(self.clip.tokenize(probe), return_pooled=True)
            last.append(self._encoded(hidden, pooled, probe, words=False).last)
        agreement = float((self.joint.project(torch.cat(last))[0] * self.bank.tensors["probes"]).sum(1).mean())
        if agreement < LEAST_AGREEMENT:
            raise SteerError(
                f"the bank was made for {self._made_for}, another text encoder than this one, or another layer of it (CLIP Set Last "
                f"Layer): probe prompts agree with a cosine of {agreement:.2f}. {self._cure}"
            )
        known.add(self.bank)

    @property
    def _made_for(self) -> str:
        return str(self.bank.meta.get("backbone", "an unknown backbone"))

    @property
    def _cure(self) -> str:
        return (
            f"Give a bank of {self.family.clip}, fitted to this checkpoint with `python -m mmsteer bank fit BANK --backbone CHECKPOINT "
            "--clip CLIP`"
        )


def _parts(schedule: "Schedule", first: float, last: float) -> list[tuple[float, float]]:
    """The parts of the run, from `first` to `last`, in which the same is read."""
    inside = {edge for move in schedule.moves for edge in (move.start, move.end) if first < edge < last}
    return list(pairwise((first, *sorted(inside), last)))


def _place(wanted: int, tokens: Sequence[Any]) -> int:
    """Where a token stands first; tokens of embeddings are no numbers."""
    return next(place for place, token in enumerate(tokens) if isinstance(token, int) and token == wanted)


def _bytes(text: str) -> tuple[str, list[int]]:
    """A text, in lower case, in the letters that CLIP's tokenizer has for bytes, and for each of them the character it is of."""
    from tokenizers.pre_tokenizers import ByteLevel

    alphabet = ByteLevel(add_prefix_space=False, use_regex=False)
    letters = [alphabet.pre_tokenize_str(character.lower())[0][0] for character in text]
    return "".join(letters), [number for number, own in enumerate(letters) for _ in own]


def _bank(folder: str) -> FeatureBank:
    """The bank in a folder, read again only if it has changed."""
    path = Path(folder.strip()).expanduser()
    index = path / "bank.json"
    if not folder.strip() or not index.is_file():
        raise SteerError(
            f"there is no bank in {str(path)!r}: give the folder that `python -m mmsteer bank build` wrote"
        )
    return _loaded(path, index.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _loaded(folder: Path, _: int) -> FeatureBank:
    return FeatureBank.load(folder)
