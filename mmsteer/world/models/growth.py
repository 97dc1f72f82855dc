"""Gives an autoencoder a larger decoder that still computes what the smaller one did, to be trained further from there."""

from typing import Any

import torch
from torch import nn

from mmsteer.errors import SteerError
from mmsteer.world.models.autoencoder import CHANNELS, Shape, build_autoencoder


def grow(old: Any, shape: Shape) -> Any:
    """`old` with a decoder of `shape`: more channels, and more blocks at the end of a level.

    Old channels do not read new ones yet, and new blocks add nothing yet (Net2Net, Chen et al., 1511.05641): a new block
    follows a rectifier, which its own rectifier leaves unchanged. SteerError if `old` does not fit into `shape`.
    """
    config = old.config
    blocks, width = tuple(config.num_decoder_blocks), config.decoder_block_out_channels[0]
    fits = (
        config.latent_channels == CHANNELS
        and tuple(config.num_encoder_blocks) == shape.encoder_blocks
        and set(config.encoder_block_out_channels) == {shape.encoder_width}
        and len(blocks) == len(shape.decoder_blocks)
        and width <= shape.decoder_width
        and all(a <= b for a, b in zip(blocks, shape.decoder_blocks, strict=True))
        and all(a or not b for a, b in zip(blocks[1:], shape.decoder_blocks[1:], strict=True))
    )
    if not fits:
        raise SteerError(
            f"an autoencoder of {config.latent_channels} channels, encoder {width_and_blocks(config, 'encoder')}, decoder "
            f"{width_and_blocks(config, 'decoder')} does not grow into {shape}: only its decoder may be smaller. Start "
            "from another folder, or without --from"
        )
    new = build_autoencoder(shape)
    new.encoder.load_state_dict(old.encoder.state_dict())
    before, after = _with_weights(old.decoder), _with_weights(new.decoder)
    _widen(before.pop(0), after.pop(0))
    for small, large in zip(blocks, shape.decoder_blocks, strict=True):
        for i in range(large):
            block = after.pop(0)
            if i < small:
                for a, b in zip(before.pop(0).conv, block.conv, strict=True):
                    if isinstance(a, nn.Conv2d):
                        _widen(a, b)
            else:
                for parameter in block.conv[-1].parameters():
                    nn.init.zeros_(parameter)
        _widen(before.pop(0), after.pop(0))
    return new


def width_and_blocks(config: Any, half: str) -> str:
    """One half of an autoencoder, in words."""
    return f"{config[f'{half}_block_out_channels'][0]} wide with {list(config[f'num_{half}_blocks'])} blocks"


def _with_weights(decoder: Any) -> list[Any]:
    return [layer for layer in decoder.layers if list(layer.parameters())]


@torch.no_grad()
def _widen(old: nn.Conv2d, new: nn.Conv2d) -> None:
    """Copy a convolution into a wider one; its old outputs ignore the new inputs."""
    outputs, inputs = old.weight.shape[:2]
    new.weight[:outputs, inputs:] = 0
    new.weight[:outputs, :inputs] = old.weight
    if old.bias is not None and new.bias is not None:
        new.bias[:outputs] = old.bias
