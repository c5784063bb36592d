"""Outputs of diffusers' UNet2DModel, UNet2DConditionModel and AutoencoderKL and improved-diffusion's UNetModel on
the recipe's weights; terms of the latter's loss, and a trajectory of diffusers' DPM-Solver++.

python tests/parity/diffusion.py      (needs torch, diffusers, improved_diffusion; torchvision importable)
"""

from pathlib import Path

import numpy as np
import torch
from cases import DDPM, IMPROVED, KL_AUTOENCODER, LATENT_UNET, noisy, told
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    UNet2DConditionModel,
    UNet2DModel,
)
from improved_diffusion.script_util import create_gaussian_diffusion
from improved_diffusion.unet import UNetModel
from recipe import weights

GOLDEN = Path(__file__).parent / "golden"


def recipe(model: torch.nn.Module) -> torch.nn.Module:
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    model.load_state_dict({k: torch.from_numpy(v) for k, v in weights(shapes).items()})
    return model.eval()


def ddpm() -> torch.Tensor:
    model = UNet2DModel(
        sample_size=16,
        in_channels=3,
        out_channels=3,
        block_out_channels=DDPM["widths"],
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        layers_per_block=DDPM["layers"],
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
        norm_num_groups=DDPM["groups"],
        attention_head_dim=None,
    )
    image, time = noisy()
    image = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
    return recipe(model)(image, torch.from_numpy(time)).sample


def autoencoder() -> torch.Tensor:
    """The image restored from the mean, the mean and the log variance, each flattened, in a row."""
    levels = len(KL_AUTOENCODER["widths"])
    model = recipe(
        AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            block_out_channels=KL_AUTOENCODER["widths"],
            layers_per_block=KL_AUTOENCODER["layers"],
        )
    )
    image = torch.from_numpy(noisy()[0].transpose(0, 3, 1, 2).copy())
    latents = model.encode(image).latent_dist
    parts = model.decode(latents.mean).sample, latents.mean, latents.logvar
    return torch.cat([x.permute(0, 2, 3, 1).flatten(1) for x in parts], 1)


def latent_unet() -> torch.Tensor:
    reads = [level in LATENT_UNET["attention"] for level in range(len(LATENT_UNET["multiples"]))]
    model = UNet2DConditionModel(
        in_channels=3,
        out_channels=3,
        block_out_channels=tuple(LATENT_UNET["width"] * m for m in LATENT_UNET["multiples"]),
        down_block_types=tuple("CrossAttnDownBlock2D" if r else "DownBlock2D" for r in reads),
        up_block_types=tuple("CrossAttnUpBlock2D" if r else "UpBlock2D" for r in reads[::-1]),
        layers_per_block=LATENT_UNET["layers"],
        cross_attention_dim=LATENT_UNET["context"],
        attention_head_dim=LATENT_UNET["heads"],  # their number, whatever the name
    )
    image, time = noisy()
    image = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
    return recipe(model)(image, torch.from_numpy(time), torch.from_numpy(told())).sample


def improved() -> torch.Tensor:
    model = UNetModel(
        in_channels=3,
        model_channels=IMPROVED["width"],
        out_channels=6,
        num_res_blocks=IMPROVED["layers"],
        attention_resolutions=tuple(2**level for level in IMPROVED["attention"]),
        channel_mult=IMPROVED["multiples"],
        num_classes=IMPROVED["classes"],
        num_heads=IMPROVED["heads"],
        use_scale_shift_norm=True,
    )
    image, time = noisy()
    image = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
    return recipe(model)(image, torch.from_numpy(time), torch.tensor([2, 0]))


def hybrid() -> dict[str, torch.Tensor]:
    """Terms of the hybrid loss of an output that is given, and the bound's with a clipped image."""
    process = create_gaussian_diffusion(
        steps=1000, learn_sigma=True, noise_schedule="cosine", rescale_learned_sigmas=True
    )
    rng = np.random.default_rng(3)
    levels = torch.from_numpy(rng.integers(0, 256, (5, 1, 4, 4)))
    image = levels.float() / 127.5 - 1
    image[0, 0, 0] = torch.tensor([-1.0, 1.0, -1.0, 1.0])
    noise = torch.from_numpy(rng.normal(size=image.shape).astype(np.float32))
    output = torch.from_numpy(0.7 * rng.normal(size=(5, 2, 4, 4)).astype(np.float32))
    output[:, :1] += noise  # about right, as a network that has learned
    time = torch.tensor([0, 0, 1, 400, 999])
    terms = process.training_losses(lambda *given: output, image, time, noise=noise)
    noised = process.q_sample(image, time, noise=noise)
    clipped = process._vb_terms_bpd(lambda *given: output, image, noised, time)["output"]
    given = {"image": image, "noise": noise, "output": output, "time": time}
    prior = {"prior": process._prior_bpd(image)}
    return {**given, **terms, **prior, "clipped": clipped}


def solved() -> torch.Tensor:
    """Where DPM-Solver++(2M) goes in ten steps with eps = tanh(x + t / 1000)."""
    solver = DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", solver_order=2)
    times = np.round(np.linspace(0, 999, 10))[::-1].astype(np.int64)
    solver.set_timesteps(timesteps=times.tolist())
    x = torch.linspace(-2, 2, 9)[:, None]
    visited = []
    for time in solver.timesteps:
        x = solver.step(torch.tanh(x + time / 1000), time, x).prev_sample
        visited.append(x)
    return torch.stack(visited)


@torch.no_grad()
def main() -> None:
    np.savez_compressed(GOLDEN / "ddpm.npz", output=ddpm().numpy())
    made = {"autoencoder": autoencoder().numpy(), "unet": latent_unet().numpy()}
    np.savez_compressed(GOLDEN / "latent.npz", **made)
    outputs = {**hybrid(), "network": improved(), "solved": solved()}
    outputs = {name: value.numpy() for name, value in outputs.items()}
    np.savez_compressed(GOLDEN / "improved_ddpm.npz", **outputs)


main()
