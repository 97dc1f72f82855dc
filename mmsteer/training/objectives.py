"""What a pair of dictionaries can be trained to: the default, the paper's, and those of neighbouring work, side by side.

Each objective turns matched rows of both sides into `Dictionaries`. Either latent k of one side *is* latent k of the
other (everything with a shared dictionary), or two dictionaries know nothing of each other and latents are matched
later by how they fire (`mmsteer.labelling.match`). Weights of penalties are those of the comparison in the README; none of
the sources states them for a joint space this small.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F

from mmsteer import distributed
from mmsteer.errors import SteerError
from mmsteer.models.sae import SAEConfig, SparseAutoencoder
from mmsteer.training.sparse import Places, batch_topk_places, fire, topk_places
from mmsteer.training.trainer import (
    Descent,
    Level,
    Revival,
    Scaling,
    TrainConfig,
    check_rows,
    descend,
    even_out,
    follow,
    moments,
    new_dictionary,
    parts,
    train_levels,
)


class Dictionaries(NamedTuple):
    """One dictionary a side."""

    image: SparseAutoencoder
    text: SparseAutoencoder
    paired: bool
    """Whether latent k of one is latent k of the other."""


@dataclass(frozen=True)
class Size:
    """How large dictionaries are, by default for the world; shared ones have as many latents as both sides' together, and
    fire as many.
    """

    image: tuple[Level, ...] = (Level(24, 5), Level(32, 4), Level(160, 3))
    text: tuple[Level, ...] = (Level(24, 5), Level(72, 2), Level(160, 3))

    @property
    def shared(self) -> int:
        """Latents of both sides."""
        return sum(level.latents for level in (*self.image, *self.text))

    @property
    def k(self) -> int:
        """How many latents fire a vector: the mean of both sides, rounded up."""
        return -(-sum(level.k for level in (*self.image, *self.text)) // 2)


Fit = Callable[[torch.Tensor, torch.Tensor, Size, Descent], Dictionaries]


@dataclass(frozen=True)
class Objective:
    """A way to train, and where it comes from."""

    source: str
    fit: Fit
    """Rows `[N, d_joint]` of matched pictures and captions, sizes and descent -> dictionaries."""
    read: bool = False
    """Whether latents that stay single are read across (`mmsteer.labelling.cross_modal_probe`)."""


def find_objective(name: str) -> Objective:
    """By name; SteerError lists those there are."""
    if name not in OBJECTIVES:
        raise SteerError(f"there is no objective {name!r}: choose one of {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]


def train_pair(name: str, image: torch.Tensor, text: torch.Tensor, size: Size, descent: Descent) -> Dictionaries:
    """Train by the objective `name`; SteerError for an unknown one, unmatched sides, or rows that cannot be trained on."""
    objective = find_objective(name)
    if image.shape != text.shape:
        raise SteerError(
            f"{tuple(image.shape)} picture rows and {tuple(text.shape)} caption rows: pairs need as many of each, equally wide"
        )
    for side, x in (("image", image), ("text", text)):
        check_rows(x, size.shared, side)
    return objective.fit(image, text, size, descent)


def step_seconds(name: str, width: int, size: Size, device: str) -> float:
    """What a step of training takes here, tried on noise, in this process alone."""
    rows, took = torch.randn(max(1024, size.shared), width), []
    for steps in (1, 1, 4):  # the first warms up
        began = time.perf_counter()
        train_pair(name, rows, rows, size, Descent(steps, device=device))
        took.append(time.perf_counter() - began)
    return max(0.0, took[2] - took[1]) / 3


# -- one dictionary a side, matched afterwards --


def fit_levels(image: torch.Tensor, text: torch.Tensor, size: Size, descent: Descent) -> Dictionaries:
    """The default: a dictionary a side in nested levels, on axes a little evened out."""
    return Dictionaries(
        train_levels(image, TrainConfig(size.image, descent)),
        train_levels(text, TrainConfig(size.text, descent)),
        paired=False,
    )


def fit_matched(image: torch.Tensor, text: torch.Tensor, size: Size, descent: Descent) -> Dictionaries:
    """A plain TopK dictionary a side, centred, each with one scale."""
    return Dictionaries(fit_topk(image, size.image, descent), fit_topk(text, size.text, descent), paired=False)


def fit_topk(x: torch.Tensor, levels: tuple[Level, ...], descent: Descent) -> SparseAutoencoder:
    """A TopK dictionary of rows `x [N, d_in]`, centred and with one scale; levels are counted together."""
    generator = torch.Generator().manual_seed(descent.seed)
    scaling = even_out(x, 0)
    there = scaling.to(descent.device)
    k = sum(level.k for level in levels)
    config = SAEConfig(x.shape[1], sum(level.latents for level in levels), k)
    dictionary = new_dictionary(config, generator, descent.device)
    revival = Revival(dictionary, 2 * k, descent)

    def loss(chosen: torch.Tensor) -> torch.Tensor:
        batch = there.rows(x, chosen)
        with torch.no_grad():
            before = dictionary.pre_activations(batch)
        code = fire(dictionary, batch, before, topk_places(before, k))
        residual = batch - dictionary.b_dec - code.decode(dictionary.W_dec)
        return residual.square().mean() + revival(batch, before, code.fired(), residual)

    descend([dictionary], loss, len(x), descent, generator)
    return scaling.fold(dictionary)


# -- one dictionary for both sides --


@dataclass(frozen=True)
class _Shared:
    """A shared dictionary, and what pulls its two codes of a pair together."""

    centred: bool = True
    """A mean and a scale for each modality instead of one for all."""
    batch_topk: bool = False
    group: float = 0.0
    """Weight of the L2,1 norm of paired codes."""
    hidden: float = 0.0
    """Share of coordinates that the encoder does not see, the same ones on both sides of a pair."""
    aligned: float = 0.0
    """Weight of the cosine between paired codes, each without its strongest latent."""

    def __call__(self, image: torch.Tensor, text: torch.Tensor, size: Size, descent: Descent) -> Dictionaries:
        generator = torch.Generator().manual_seed(descent.seed)
        scalings = [even_out(x, 0) for x in (image, text)] if self.centred else [even_out(image, 0, text)] * 2
        there = [scaling.to(descent.device) for scaling in scalings]
        k, d_in = size.k, image.shape[1]
        config = SAEConfig(d_in, size.shared, None if self.batch_topk else k)
        dictionary = new_dictionary(config, generator, descent.device)
        revival = Revival(dictionary, 2 * k, descent)
        thresholds = torch.full((2,), torch.nan, device=descent.device)

        def loss(chosen: torch.Tensor) -> torch.Tensor:
            whole = torch.cat([t.rows(x, chosen) for t, x in zip(there, (image, text), strict=True)])
            seen = whole
            if self.hidden:
                shown = distributed.share(torch.rand(descent.batch, d_in, generator=generator) >= self.hidden)
                seen = whole * shown.repeat(2, 1).to(whole.device)
            with torch.no_grad():
                before = dictionary.pre_activations(seen)
            if self.batch_topk:
                # a budget for each modality: over a mixed batch one of them would take most of it
                halves, least = zip(*(batch_topk_places(b, k * descent.batch) for b in before.chunk(2)), strict=True)
                follow(thresholds, torch.stack(least))
                rows = torch.cat([halves[0].row, halves[1].row + len(chosen)])
                places = Places(rows, torch.cat([half.latent for half in halves]))
            else:
                places = topk_places(before, k)
            code = fire(dictionary, seen, before, places)
            residual = whole - dictionary.b_dec - code.decode(dictionary.W_dec)
            total = residual.square().mean() + revival(seen, before, code.fired(), residual)
            if self.group:
                z, w = code.dense().chunk(2)
                total = total + self.group * (z.square() + w.square() + 1e-12).sqrt().sum(1).mean() / d_in
            if self.aligned:
                z, w = (half * (half < half.max(1, keepdim=True).values) for half in code.dense().chunk(2))
                total = total - self.aligned * F.cosine_similarity(z, w, dim=1).mean()
            return total

        descend([dictionary], loss, len(image), descent, generator)
        folded = [scaling.fold(dictionary) for scaling in scalings]
        for side, threshold in zip(folded, thresholds, strict=True):
            if side.threshold is not None:
                side.threshold.fill_(float(threshold))
        return Dictionaries(folded[0], folded[1], paired=True)


def fit_global(image: torch.Tensor, text: torch.Tensor, size: Size, descent: Descent) -> Dictionaries:
    """A dictionary a side, but the k latents that fire are chosen for the pair, and each code must rebuild both sides.

    Codes are then read with each side's own TopK: with the pair's choice, one side would leak into the other.
    """
    generator = torch.Generator().manual_seed(descent.seed)
    scalings = [even_out(x, 0) for x in (image, text)]
    there = [scaling.to(descent.device) for scaling in scalings]
    k, config = size.k, SAEConfig(image.shape[1], size.shared, size.k)
    pair = [new_dictionary(config, generator, descent.device) for _ in scalings]
    revivals = [Revival(dictionary, 2 * k, descent) for dictionary in pair]

    def loss(chosen: torch.Tensor) -> torch.Tensor:
        batch = [t.rows(x, chosen) for t, x in zip(there, (image, text), strict=True)]
        with torch.no_grad():
            before = [d.pre_activations(x) for d, x in zip(pair, batch, strict=True)]
        places = topk_places(before[0] + before[1], k)
        total = batch[0].new_zeros(())
        for i, own in enumerate(pair):
            code = fire(own, batch[i], before[i], places)
            for j, d in enumerate(pair):
                residual = batch[j] - d.b_dec - code.decode(d.W_dec)
                total = total + residual.square().mean()
                if i == j:
                    total = total + revivals[i](batch[i], before[i], code.fired(), residual)
        return total

    descend(pair, loss, len(image), descent, generator)
    folded = [s.fold(d) for s, d in zip(scalings, pair, strict=True)]
    return Dictionaries(folded[0], folded[1], paired=True)


def fit_ncl(image: torch.Tensor, text: torch.Tensor, size: Size, descent: Descent) -> Dictionaries:
    """Non-negative contrastive learning: one map whose non-negative outputs tell the pairs of a batch apart.

    It has no decoder; the rows that rebuild each side best from its codes (ridge regression) stand in.
    """
    generator = torch.Generator().manual_seed(descent.seed)
    scalings = [even_out(x, 0) for x in (image, text)]
    there = [scaling.to(descent.device) for scaling in scalings]
    dictionary = new_dictionary(SAEConfig(image.shape[1], size.shared), generator, descent.device)

    def loss(chosen: torch.Tensor) -> torch.Tensor:
        codes = []
        for t, x in zip(there, (image, text), strict=True):
            before = t.rows(x, chosen) @ dictionary.W_enc + dictionary.b_enc
            # its gradient reaches outputs that are silent (the "rep_relu" of the authors' code)
            smooth = F.gelu(before)
            codes.append(F.normalize(F.relu(before).detach() + smooth - smooth.detach(), dim=1))
        logits, truth = codes[0] @ codes[1].T / 0.1, torch.arange(len(chosen), device=codes[0].device)
        return (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2

    descend([dictionary], loss, len(image), descent, generator, whole=True)
    dictionary.cpu().requires_grad_(False)
    whole = [_with_decoder(dictionary, s, x) for s, x in zip(scalings, (image, text), strict=True)]
    return Dictionaries(whole[0], whole[1], paired=True)


def _with_decoder(dictionary: SparseAutoencoder, scaling: Scaling, x: torch.Tensor) -> SparseAutoencoder:
    own = SparseAutoencoder(dictionary.config)
    own.load_state_dict(dictionary.state_dict())
    batches = ((rows, dictionary.encode(rows)) for _, part in parts(x, 8192) for rows in (scaling.apply(part),))
    n, d_in = dictionary.config.n_latents, dictionary.config.d_in
    code_sum, row_sum, gram, cross = torch.zeros(n), torch.zeros(d_in), torch.zeros(n, n), torch.zeros(n, d_in)
    for rows, code in batches:
        code_sum, row_sum = code_sum + code.sum(0), row_sum + rows.sum(0)
        gram, cross = gram + code.T @ code, cross + code.T @ rows
    mean, row_mean = code_sum / len(x), row_sum / len(x)
    gram, cross = gram / len(x) - torch.outer(mean, mean), cross / len(x) - torch.outer(mean, row_mean)
    ridge = 1e-3 * gram.diagonal().mean() * torch.eye(n)
    with torch.no_grad():
        own.W_dec.copy_(torch.linalg.solve(gram + ridge, cross))
        shift = row_mean - mean @ own.W_dec
        own.b_dec.copy_(shift)
        own.b_enc.add_(shift @ own.W_enc)  # encoding takes b_dec off first
    return scaling.fold(own)


def fit_random(image: torch.Tensor, text: torch.Tensor, size: Size, descent: Descent) -> Dictionaries:
    """A control: the default with decoders that stay random; only encoders learn (2602.14111)."""
    return fit_levels(image, text, size, replace(descent, decoder=False))


def fit_raw(image: torch.Tensor, text: torch.Tensor, size: Size, descent: Descent) -> Dictionaries:
    """A control without training: the coordinates themselves, centred, the two signs of each as two latents."""
    return _axes(image, text, torch.eye(image.shape[1]))


def fit_pca(image: torch.Tensor, text: torch.Tensor, size: Size, descent: Descent) -> Dictionaries:
    """A control without training: principal axes of both sides' centred rows, the two signs of each as two latents."""
    covariance = sum((moments(x)[1] for x in (image, text)), torch.zeros(()))
    return _axes(image, text, torch.linalg.eigh(covariance).eigenvectors.T)


def _axes(image: torch.Tensor, text: torch.Tensor, axes: torch.Tensor) -> Dictionaries:
    sides = []
    for x in (image, text):
        side = SparseAutoencoder(SAEConfig(x.shape[1], 2 * len(axes)))
        with torch.no_grad():
            side.W_dec.copy_(torch.cat([axes, -axes]))
            side.W_enc.copy_(side.W_dec.T)
            side.b_dec.copy_(moments(x)[0])
        sides.append(side.requires_grad_(False))
    return Dictionaries(sides[0], sides[1], paired=True)


OBJECTIVES: dict[str, Objective] = {
    "levels": Objective(
        "default: 2606.29888 with nested levels (2503.17547) and thresholds (2407.14435)", fit_levels, read=True
    ),
    "matched": Objective("a TopK dictionary a side, matched (2606.29888)", fit_matched),
    "shared": Objective("one TopK dictionary, raw rows (2502.14888, Sec. 2)", _Shared(centred=False)),
    "batchtopk": Objective("one BatchTopK dictionary, raw rows (2504.11695)", _Shared(centred=False, batch_topk=True)),
    "centred": Objective("shared, a mean and a scale for each modality", _Shared()),
    "group": Objective("centred, group-sparse, shared masking (2601.20028)", _Shared(group=0.05, hidden=0.2)),
    "aligned": Objective("centred, cosine of paired codes (2602.06218)", _Shared(aligned=0.1)),
    "global": Objective("one TopK for the pair, cross-reconstruction (2507.06265)", fit_global),
    "ncl": Objective("non-negative contrastive (2502.14888; 2403.12459)", fit_ncl),
    "random": Objective("control: the default's encoders, random decoders", fit_random),
    "raw": Objective("control: the embeddings' own coordinates", fit_raw),
    "pca": Objective("control: principal axes", fit_pca),
}
