"""beta-VAE: its layers, beside the table of the paper."""

from architectures import sizes

from dljax.models.autoencoders import beta_vae


def test_halves_have_the_counts_of_their_layers():
    """By hand: 4 x 4 kernels, and 1024 or 512 numbers of the smallest map."""
    convolutions = (16 + 1) * 32 + (512 + 1) * 32 + (512 + 1) * 64 + (1024 + 1) * 64
    encoder = convolutions + (1024 + 1) * 256 + (256 + 1) * 20
    decoder = (10 + 1) * 256 + (16 * 256 + 1) * 64 + (1024 + 1) * 64
    decoder += (1024 + 1) * 32 + (512 + 1) * 32 + 512 + 1
    assert sizes(beta_vae, "H") == {"encoder": encoder, "decoder": decoder}
    assert encoder + decoder == 763_285
