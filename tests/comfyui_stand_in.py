"""What a node sees of ComfyUI: its CLIP object over a real pipeline's text encoders, and its loader of custom nodes."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from mmsteer.models.backbone import Backbone


class Tokenizer:
    """`comfy.sd1_clip.SDTokenizer`: words parted by spaces, with weights; a word that does not fit begins the next chunk."""

    def __init__(self, tokenizer: Any, length: int) -> None:
        self.tokenizer, self.length, self.padding = tokenizer, length, tokenizer.pad_token_id
        self.inv_vocab = {number: piece for piece, number in tokenizer.get_vocab().items()}

    def tokenize_with_weights(self, text: str) -> list[list[tuple[Any, float]]]:
        words: list[list[tuple[Any, float]]] = []
        for bracketed, weight, plain in re.findall(r"\(([^():]+):([\d.]+)\)|([^()]+)", text):
            for word in (bracketed or plain).split():
                ids = self.tokenizer(word, add_special_tokens=False).input_ids
                if word.startswith("embedding:"):
                    ids = [torch.zeros(4), torch.ones(4)]
                words.append([(token, float(weight or 1)) for token in ids])
        chunks = [[(self.tokenizer.bos_token_id, 1.0)]]
        for word in words:
            if len(chunks[-1]) + len(word) > self.length - 1:
                chunks.append([(self.tokenizer.bos_token_id, 1.0)])
            chunks[-1] += word
        for chunk in chunks:
            chunk.append((self.tokenizer.eos_token_id, 1.0))
            chunk += [(self.padding, 1.0)] * (self.length - len(chunk))
        return chunks

    def untokenize(self, pairs: list[tuple[Any, float]]) -> list[Any]:
        return [(pair, self.inv_vocab[pair[0]]) for pair in pairs]


class Clip:
    """`comfy.sd.CLIP`."""

    def __init__(self, backbone: Backbone, names: tuple[str, ...]) -> None:
        self.backbone, self.names, self.encoded = backbone, names, 0
        own = backbone.family.tokenizers(backbone.pipeline)
        self.parts = {name: Tokenizer(tokenizer, backbone.length) for name, tokenizer in zip(names, own, strict=True)}
        self.tokenizer = self.parts[names[0]]  # what `clip.tokenizer.untokenize` reaches

    def tokenize(self, text: str) -> dict[str, list[list[tuple[Any, float]]]]:
        return {name: part.tokenize_with_weights(text) for name, part in self.parts.items()}

    def encode_from_tokens(self, tokens: dict[str, Any], return_pooled: bool = False) -> Any:
        """Chunk by chunk, rows side by side, the pooled vector of the first; weights and embeddings left out."""
        self.encoded += 1
        ids = [
            torch.tensor([[token if isinstance(token, int) else 0 for token, _ in chunk] for chunk in tokens[name]])
            for name in self.names
        ]
        with torch.no_grad():
            read = self.backbone.family.encode(self.backbone.pipeline, ids)
        hidden = torch.cat(list(read.hidden), dim=-2)[None]
        pooled = hidden[:, 0] if read.pooled is None else read.pooled[:1]
        return (hidden, pooled) if return_pooled else hidden

    def encode(self, text: str) -> list[list[Any]]:
        """What the node CLIP Text Encode gives."""
        hidden, pooled = self.encode_from_tokens(self.tokenize(text), return_pooled=True)
        return [[hidden, {"pooled_output": pooled}]]


def load_custom_nodes(folder: Path) -> dict[str, ModuleType]:
    """As ComfyUI loads what lies in a folder of custom nodes: by path, under names of its own."""
    loaded = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py":
            name = str(path.with_suffix("")).replace(".", "_x_")
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            sys.modules[name] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            loaded[path.name] = module
    return loaded
