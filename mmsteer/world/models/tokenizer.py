"""The world's tokenizer: an ordinary CLIPTokenizer whose byte-pair merges make every known word exactly one token.

An unknown word falls apart into several tokens; so `mmsteer.models.prompt` can warn the visitor about it.
"""

import json
from typing import TYPE_CHECKING

from mmsteer.world.captions import vocabulary

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

LENGTH = 24  # token rows, start and end included


def build_tokenizer() -> "CLIPTokenizer":
    """A tokenizer with merges learned on the vocabulary until nothing is left to merge: each of its words is one token.

    It is the same whenever it is built.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    bare = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    last = [f"{letter}</w>" for letter in letters]
    trainer = trainers.BpeTrainer(
        vocab_size=100_000, min_frequency=1, end_of_word_suffix="</w>", show_progress=False, initial_alphabet=letters,
        special_tokens=last,  # numbered in this order: equally frequent pairs are merged by number, and so alike every time
    )  # fmt: skip
    bare.train_from_iterator(vocabulary(), trainer)
    learned = json.loads(bare.to_str())["model"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in learned["merges"]]
    tokens = dict.fromkeys([*letters, *last, *("".join(m) for m in merges)])
    vocab = {token: i for i, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=LENGTH)
