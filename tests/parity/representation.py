"""Outputs of torchvision's ResNets with SimCLR's head, and of transformers' MAE at diffusers'
positions, which it has from the authors, on the recipe's weights.

python tests/parity/representation.py      (needs torch, torchvision, transformers, diffusers)
"""

from pathlib import Path

import numpy as np
import torch
from cases import MAE, SIMCLR, image, masked
from diffusers.models.embeddings import get_2d_sincos_pos_embed
from recipe import weights
from torch import nn
from torchvision.models import resnet
from transformers import ViTMAEConfig, ViTMAEForPreTraining

GOLDEN = Path(__file__).parent / "golden"


class SimCLR(nn.Module):
    """As sthalles/SimCLR's ResNetSimCLR, after its last layer is replaced."""

    def __init__(self, block, stages, features):
        super().__init__()
        self.backbone = net = resnet.ResNet(block, (*stages, 1, 1)[:4])
        for unused in range(len(stages), 4):
            setattr(net, f"layer{unused + 1}", nn.Identity())
        d = 64 * block.expansion * 2 ** (len(stages) - 1)
        net.fc = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, features))

    def forward(self, x):
        return self.backbone(x)


@torch.no_grad()
def outputs(net: nn.Module, x: np.ndarray) -> np.ndarray:
    shapes = {k: tuple(v.shape) for k, v in net.state_dict().items() if v.ndim}
    arrays = {k: torch.from_numpy(v) for k, v in weights(shapes).items()}
    missing, extra = net.load_state_dict(arrays, strict=False)
    assert all(k.endswith("num_batches_tracked") for k in missing) and not extra
    return net.eval()(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()


# The authors' name of a layer of a block -> transformers'
LAYERS = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.o_proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
REST = {
    "cls_token": "vit.embeddings.cls_token",
    "mask_token": "decoder.mask_token",
    **{
        f"{here}.{leaf}": f"{there}.{leaf}"
        for here, there in (
            ("patch_embed.proj", "vit.embeddings.patch_embeddings.projection"),
            ("norm", "vit.layernorm"),
            *((f"decoder_{name}", f"decoder.decoder_{name}") for name in ("embed", "norm", "pred")),
        )
        for leaf in ("weight", "bias")
    },
}


@torch.no_grad()
def mae() -> dict[str, np.ndarray]:
    """Its pixels, its mask, and its loss against each patch's pixels as they are and normalized."""
    patch, features, layers, heads = MAE["encoder"]
    config = ViTMAEConfig(
        hidden_size=features,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * features,
        patch_size=patch,
        image_size=16,
        decoder_hidden_size=MAE["features"],
        decoder_num_hidden_layers=MAE["layers"],
        decoder_num_attention_heads=MAE["heads"],
        decoder_intermediate_size=4 * MAE["features"],
        layer_norm_eps=1e-6,
    )
    net = ViTMAEForPreTraining(config).eval()
    state = net.state_dict()
    shapes, joins = {here: state[there].shape for here, there in REST.items()}, {}
    sides = [("blocks", "vit.layers", layers, features)]
    sides += [("decoder_blocks", "decoder.decoder_layers", MAE["layers"], MAE["features"])]
    for ours, theirs, count, d in sides:
        for i in range(count):
            for leaf in ("weight", "bias"):
                for here, there in LAYERS.items():
                    name = f"{ours}.{i}.{here}.{leaf}"
                    joins[name] = (f"{theirs}.{i}.{there}.{leaf}",)
                    shapes[name] = state[joins[name][0]].shape
                name = f"{ours}.{i}.attn.qkv.{leaf}"
                joins[name] = tuple(f"{theirs}.{i}.attention.{x}_proj.{leaf}" for x in "qkv")
                shapes[name] = (3 * d, d) if leaf == "weight" else (3 * d,)
    joins |= {here: (there,) for here, there in REST.items()}
    for name, array in weights({k: tuple(v) for k, v in shapes.items()}).items():
        for there, part in zip(joins[name], np.split(array, len(joins[name])), strict=True):
            state[there].copy_(torch.from_numpy(part))
    # Zeros but in a file of trained weights.
    for name in ("vit.embeddings.position_embeddings", "decoder.decoder_pos_embed"):
        sides = {"cls_token": True, "extra_tokens": 1, "base_size": 4, "output_type": "pt"}
        state[name].copy_(get_2d_sincos_pos_embed(state[name].shape[-1], 4, **sides)[None])
    images, noise = masked()
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    out = {}
    for name, normalized in (("mae_loss", False), ("mae_loss_normalized", True)):
        net.config.norm_pix_loss = normalized
        found = net(x, noise=torch.from_numpy(noise))
        out[name] = found.loss.numpy()
    return {**out, "mae": found.logits.numpy(), "mae_mask": found.mask.numpy()}


def main() -> None:
    blocks = {"block": resnet.BasicBlock, "bottleneck": resnet.Bottleneck}
    x, sizes = image(SIMCLR["side"]), (SIMCLR["stages"], SIMCLR["features"])
    out = {f"simclr_{name}": outputs(SimCLR(block, *sizes), x) for name, block in blocks.items()}
    out |= mae()
    np.savez(GOLDEN / "representation.npz", **out)


if __name__ == "__main__":
    main()
