"""Latent diffusion's KL autoencoder as in diffusers' AutoencoderKL (the "vae" of Stable Diffusion)."""

from typing import Any

from dljax.weights.diffusers import image_attention, residual
from dljax.weights.layers import conv, norm
from dljax.weights.mapping import Entry


def _ends(half: str) -> list[Entry]:
    """The first and last layers of encoder or decoder, and the middle."""
    middle = f"{half}.mid_block"
    out = conv(f"{half}/input", f"{half}.conv_in")
    for i in (0, 1):
        out += residual(f"{half}/middle/block{i}", f"{middle}.resnets.{i}", False)
    out += image_attention(f"{half}/middle/attention", f"{middle}.attentions.0")
    return (
        out
        + norm(f"{half}/norm", f"{half}.conv_norm_out")
        + conv(f"{half}/output", f"{half}.conv_out")
    )


def entries(model: Any) -> list[Entry]:
    """The map for a KLAutoencoder; levels count from the top, the decoder's there from below."""
    widths, last = model.widths, len(model.widths) - 1
    out = _ends("encoder") + conv("encoder_out", "quant_conv")
    out += _ends("decoder") + conv("decoder_in", "post_quant_conv")
    for level, width in enumerate(widths):
        there, above = f"encoder.down_blocks.{level}", widths[max(level - 1, 0)]
        for layer in range(model.layers):
            grows = layer == 0 and above != width
            out += residual(f"encoder/down{level}_{layer}", f"{there}.resnets.{layer}", grows)
        if level < last:
            out += conv(f"encoder/down{level}", f"{there}.downsamplers.0.conv")
        there, below = f"decoder.up_blocks.{last - level}", widths[min(level + 1, last)]
        for layer in range(model.layers + 1):
            shrinks = layer == 0 and below != width
            out += residual(f"decoder/up{level}_{layer}", f"{there}.resnets.{layer}", shrinks)
        if level:
            out += conv(f"decoder/up{level}", f"{there}.upsamplers.0.conv")
    return out
