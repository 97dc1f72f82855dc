"""Times the training steps of one package, for the peer benchmark of `python -m mmsteer bench`: `PYTHON peers.py NAME`.

Runs by itself under the interpreter of another environment, where mmsteer need not be installed. It writes lines of JSON to
standard output: first the package's version, once it is ready; then, for every line on standard input, the seconds that `STEPS`
steps took. These are seconds of processor time, which with one thread is the time on a free core, whatever else runs.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

WIDTH, LATENTS, K, BATCH, STEPS, ROWS = 512, 4096, 32, 1024, 20, 8192


def main(name: str) -> None:
    """Build the trainer of package `name`, then time it once for each line on standard input."""
    out, sys.stdout = sys.stdout, sys.stderr  # packages print
    import torch

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(ROWS, WIDTH, generator=generator), dim=1)
    package, build = PACKAGES[name]
    train = build(rows)
    train(2)
    print(json.dumps({"version": version(package) if package else ""}), file=out, flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        train(STEPS)
        print(json.dumps(time.process_time() - start), file=out, flush=True)


def _stepwise(rows: Any, step: Callable[[Any], None]) -> Callable[[int], None]:
    """Turn a training step into training: each step gets a batch drawn from the rows."""
    import torch

    def train(steps: int) -> None:
        for _ in range(steps):
            step(rows[torch.randint(len(rows), (BATCH,))])

    return train


def _sparsify(rows: Any) -> Callable[[int], None]:
    """The loop of sparsify.trainer.Trainer.fit with its default optimizer, on the rows instead of a language model's vectors."""
    import torch
    from schedulefree import ScheduleFreeWrapper  # type: ignore[import-not-found]
    from sparsify import SparseCoder, SparseCoderConfig  # type: ignore[import-not-found]
    from sparsify.sign_sgd import SignSGD  # type: ignore[import-not-found]

    coder = SparseCoder(WIDTH, SparseCoderConfig(num_latents=LATENTS, k=K))
    optimizer = ScheduleFreeWrapper(SignSGD(coder.parameters(), lr=5e-3 / (LATENTS / 2**14) ** 0.5), momentum=0.95)
    optimizer.train()
    fired = torch.zeros(LATENTS, dtype=torch.bool)

    def step(x: Any) -> None:
        coder.set_decoder_norm_to_unit_norm()
        out = coder(x)
        fired[out.latent_indices.flatten()] = True
        out.fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()
        optimizer.zero_grad()

    return _stepwise(rows, step)


def _dictionary_learning(rows: Any) -> Callable[[int], None]:
    from dictionary_learning.trainers.top_k import AutoEncoderTopK, TopKTrainer  # type: ignore[import-not-found]

    trainer = TopKTrainer(
        steps=1_000_000, activation_dim=WIDTH, dict_size=LATENTS, k=K, layer=0, lm_name="none", dict_class=AutoEncoderTopK,
        device="cpu", seed=0,
    )  # fmt: skip
    number = iter(range(1_000_000))
    return _stepwise(rows, lambda x: trainer.update(next(number), x))


def _saelens(rows: Any) -> Callable[[int], None]:
    from sae_lens.config import LoggingConfig, SAETrainerConfig  # type: ignore[import-not-found]
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig  # type: ignore[import-not-found]
    from sae_lens.training.sae_trainer import SAETrainer  # type: ignore[import-not-found]

    sae = TopKTrainingSAE(TopKTrainingSAEConfig(WIDTH, LATENTS, k=K))
    config = SAETrainerConfig(
        total_training_samples=1_000_000_000, train_batch_size_samples=BATCH, lr_end=3e-5,
        logger=LoggingConfig(log_to_wandb=False),
    )  # fmt: skip
    trainer = SAETrainer(config, sae, data_provider=iter(()))
    return _stepwise(rows, lambda x: trainer._train_step(sae, x))


def _mmsteer(rows: Any, objective: str) -> Callable[[int], None]:
    """Ours, including what it does before and after its steps."""
    from mmsteer.training.config import DictionaryConfig, MatryoshkaGroup, TrainingConfig
    from mmsteer.training.objectives.matryoshka import train_dictionary
    from mmsteer.training.objectives.separate import fit_topk

    groups = (MatryoshkaGroup(LATENTS, K),)

    def train(steps: int) -> None:
        config = TrainingConfig(steps, BATCH)
        if objective == "topk":
            fit_topk(rows, groups, config)
        else:
            train_dictionary(rows, DictionaryConfig(groups, config))

    return train


PACKAGES: dict[str, tuple[str, Callable[[Any], Callable[[int], None]]]] = {
    "mmsteer, BatchTopK": ("", lambda rows: _mmsteer(rows, "batchtopk")),
    "mmsteer, TopK": ("", lambda rows: _mmsteer(rows, "topk")),
    "sparsify": ("eai-sparsify", _sparsify),
    "dictionary_learning": ("dictionary-learning", _dictionary_learning),
    "SAELens": ("sae-lens", _saelens),
}

if __name__ == "__main__":
    main(sys.argv[1])
