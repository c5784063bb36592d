"""Values of torch, timm and Keras where the frameworks differ (docs/CONVENTIONS.md).

KERAS_BACKEND=torch python tests/parity/conventions.py      (needs torch, timm, keras)
"""

from pathlib import Path

import keras
import numpy as np
import torch
import torch.nn.functional as F
from convention_cases import DROPPED, EPSILON, MOST, RATES, SMOOTHING, draw, gradients, labels
from timm.models.vision_transformer import VisionTransformer
from torch import nn

FILE = Path(__file__).parent / "golden" / "conventions.npz"
OUT: dict[str, np.ndarray] = {}


def keep(name: str, value) -> None:
    value = value.detach() if isinstance(value, torch.Tensor) else value
    OUT[name] = np.asarray(value, np.float32)


def numbers(there) -> np.ndarray:
    return keras.ops.convert_to_numpy(there)


def tensor(name: str, *shape: int) -> torch.Tensor:
    return torch.from_numpy(draw(name, *shape))


def filled(module: nn.Module, name: str) -> nn.Module:
    """The module with draws for its state: ``NAME.weight`` and so on."""
    for key, value in module.state_dict().items():
        if value.is_floating_point():
            array = tensor(f"{name}.{key}", *value.shape)
            value.copy_(array.abs() + 0.5 if key == "running_var" else array)
    return module.eval()


def keras_of(layer: keras.layers.Layer, name: str, *arrays: np.ndarray) -> np.ndarray:
    """A Keras layer's output on ``NAME.x`` [1, 6, 6, 2] with these weights."""
    x = draw(f"{name}.x", 1, 6, 6, 2)
    layer.build(x.shape)
    if arrays:
        layer.set_weights(list(arrays))
    return numbers(layer(x))


def convolutions() -> None:
    x = tensor("conv.x", 1, 2, 6, 6)
    keep("conv torch", filled(nn.Conv2d(2, 3, 3, 2, 1), "conv")(x))
    kernel, bias = draw("conv.kernel", 3, 3, 2, 3), draw("conv.b", 3)
    keep("conv keras", keras_of(keras.layers.Conv2D(3, 3, 2, "same"), "conv", kernel, bias))
    keep("depthwise torch", filled(nn.Conv2d(2, 2, 3, padding=1, groups=2, bias=False), "dw")(x))
    layer = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)
    keep("depthwise keras", keras_of(layer, "conv", draw("dw.kernel", 3, 3, 2, 1)))
    small = tensor("up.x", 1, 2, 3, 3)
    keep("transposed 4 torch", filled(nn.ConvTranspose2d(2, 3, 4, 2, 1), "up4")(small))
    keep("transposed 3 torch", filled(nn.ConvTranspose2d(2, 3, 3, 2, 1, 1), "up3")(small))
    layer = keras.layers.Conv2DTranspose(3, 3, 2, "same", use_bias=False)
    there = keras_of(layer, "conv", draw("up3.kernel", 3, 3, 3, 2))
    keep("transposed 3 keras", there)


def dense() -> None:
    keep("dense torch", filled(nn.Linear(4, 3), "dense")(tensor("dense.x", 2, 4)))
    layer = keras.layers.Dense(3)
    layer.build((2, 4))
    layer.set_weights([draw("dense.kernel", 4, 3), draw("dense.b", 3)])
    keep("dense keras", numbers(layer(draw("dense.x", 2, 4))))
    net = nn.Sequential(filled(nn.Conv2d(2, 3, 3), "flat"), nn.Flatten())
    net.append(filled(nn.Linear(3 * 4 * 4, 5), "flat.head"))
    keep("flatten torch", net(tensor("conv.x", 1, 2, 6, 6)))
    keep("embedding torch", torch.std(nn.Embedding(1000, 64).weight))
    layer = keras.layers.Embedding(1000, 64)
    layer.build((1, 1))
    keep("embedding keras", numbers(layer.embeddings).std())
    weight, bias = nn.Linear(400, 300).parameters()
    keep("dense spread torch", [weight.abs().max(), weight.std(), bias.std()])
    layer = keras.layers.Dense(300)
    layer.build((1, 400))
    kernel = numbers(layer.kernel)
    keep("dense spread keras", [np.abs(kernel).max(), kernel.std(), 0.0])


def norms() -> None:
    x = 0.05 * tensor("conv.x", 1, 2, 6, 6)  # of a variance where epsilon shows
    keep("batch norm torch", nn.BatchNorm2d(2).train()(x))
    layer = keras.layers.BatchNormalization()
    there = layer(0.05 * draw("conv.x", 1, 2, 6, 6).transpose(0, 2, 3, 1), training=True)
    keep("batch norm keras", numbers(there))
    moved = nn.BatchNorm2d(2).train()
    moved(tensor("conv.x", 1, 2, 6, 6))
    keep("batch norm moved torch", torch.stack([moved.running_mean, moved.running_var]))
    layer = keras.layers.BatchNormalization()
    layer(draw("conv.x", 1, 2, 6, 6).transpose(0, 2, 3, 1), training=True)
    moved = [numbers(v) for v in (layer.moving_mean, layer.moving_variance)]
    keep("batch norm moved keras", np.stack(moved))
    rows = 0.01 * tensor("norm.x", 3, 8)
    keep("layer norm torch", nn.LayerNorm(8)(rows))
    layer = keras.layers.LayerNormalization()
    keep("layer norm keras", numbers(layer(0.01 * draw("norm.x", 3, 8))))
    vit = VisionTransformer(img_size=8, patch_size=4, embed_dim=8, depth=1, num_heads=1)
    keep("layer norm timm", vit.blocks[0].norm1(rows))
    keep("group norm torch", nn.GroupNorm(2, 4)(0.01 * tensor("group.x", 1, 4, 2, 2)))
    layer = keras.layers.GroupNormalization(2)
    there = layer(0.01 * draw("group.x", 1, 4, 2, 2).transpose(0, 2, 3, 1))
    keep("group norm keras", numbers(there))


def pools() -> None:
    x = tensor("conv.x", 1, 2, 6, 6)
    keep("max pool torch", F.max_pool2d(x, 3, 2, 1))
    keep("max pool keras", keras_of(keras.layers.MaxPooling2D(3, 2, "same"), "conv"))
    keep("max pool ceil torch", F.max_pool2d(x, 3, 2, ceil_mode=True))
    keep("average pool torch", F.avg_pool2d(x, 3, 1, 1))
    keep("average pool keras", keras_of(keras.layers.AveragePooling2D(3, 1, "same"), "conv"))


def resizing() -> None:
    x = tensor("conv.x", 1, 2, 6, 6)

    def resized(size: int, **options) -> torch.Tensor:
        return F.interpolate(x, size=(size, size), **options)

    for size in (4, 9):
        keep(f"bilinear {size} torch", resized(size, mode="bilinear"))
        keep(f"bicubic {size} antialias torch", resized(size, mode="bicubic", antialias=True))
    keep("bilinear 4 antialias torch", resized(4, mode="bilinear", antialias=True))
    keep("bicubic 9 torch", resized(9, mode="bicubic"))
    keep("bilinear 9 corners torch", resized(9, mode="bilinear", align_corners=True))
    keep("nearest 4 torch", resized(4, mode="nearest"))
    keep("nearest 4 exact torch", resized(4, mode="nearest-exact"))


def activations() -> None:
    x = tensor("gelu.x", 8)
    keep("gelu torch", F.gelu(x))
    keep("gelu tanh torch", F.gelu(x, approximate="tanh"))
    keep("gelu keras", numbers(keras.activations.gelu(draw("gelu.x", 8))))
    keep("leaky torch", nn.LeakyReLU()(x))
    keep("leaky keras", numbers(keras.layers.LeakyReLU()(draw("gelu.x", 8))))
    keep("deviation torch", x.std())
    torch.manual_seed(0)
    keep("dropout torch", F.dropout(torch.ones(1000), DROPPED).unique())
    dropped = keras.layers.Dropout(DROPPED)(np.ones(1000, "f"), training=True)
    keep("dropout keras", np.unique(numbers(dropped)))


def recurrent() -> None:
    x = tensor("rnn.x", 2, 5, 3)
    keep("lstm torch", filled(nn.LSTM(3, 4, batch_first=True), "lstm")(x)[0])
    keep("gru torch", filled(nn.GRU(3, 4, batch_first=True), "gru")(x)[0])
    for kind, layer, biases in (
        ("lstm", keras.layers.LSTM(4, return_sequences=True), (16,)),
        ("gru", keras.layers.GRU(4, return_sequences=True), (2, 12)),
    ):
        layer.build((2, 5, 3))
        wide = biases[-1]
        shapes = {"kernel": (3, wide), "recurrent": (4, wide), "bias": biases}
        fresh = [numbers(v) for v in layer.weights]
        keep(f"{kind} fresh bias keras", fresh[2])
        layer.set_weights([draw(f"keras {kind}.{n}", *shape) for n, shape in shapes.items()])
        there = layer(draw("rnn.x", 2, 5, 3))
        keep(f"{kind} keras", numbers(there))
    keep(
        "attention torch",
        filled(nn.MultiheadAttention(8, 2, batch_first=True), "mha")(
            *[tensor("mha.x", 2, 5, 8)] * 3
        )[0],
    )

    layer = keras.layers.MultiHeadAttention(2, 4)
    layer(*[draw("mha.x", 2, 5, 8)] * 2)
    layer.set_weights([draw(f"keras mha {i}", *w.shape) for i, w in enumerate(layer.weights)])
    keep("attention keras", numbers(layer(*[draw("mha.x", 2, 5, 8)] * 2)))


def losses() -> None:
    logits, label = tensor("loss.x", 4, 6), torch.from_numpy(labels())
    for smoothing in (0.0, SMOOTHING):
        keep(f"loss {smoothing} torch", F.cross_entropy(logits, label, label_smoothing=smoothing))
    rows = np.eye(6, dtype="f")[label.numpy()]
    weight = tensor("loss.w", 6).abs()
    keep("loss weighted torch", F.cross_entropy(logits, label, weight))
    crossed = keras.losses.CategoricalCrossentropy
    loss = crossed(from_logits=True, label_smoothing=SMOOTHING)
    keep("loss smoothed keras", numbers(loss(rows, draw("loss.x", 4, 6))))
    there = crossed(from_logits=True)(rows, draw("loss.x", 4, 6), weight.numpy()[label.numpy()])
    keep("loss weighted keras", numbers(there))
    keep("smooth l1 torch", F.smooth_l1_loss(logits, torch.zeros(4, 6), beta=0.5))
    keep("huber torch", F.huber_loss(logits, torch.zeros(4, 6), delta=0.5))
    there = F.kl_div(logits.log_softmax(1), tensor("loss.y", 4, 6).softmax(1))
    keep("kl torch", there)
    both = (tensor("loss.y", 4, 6).softmax(1), logits.softmax(1))
    keep("kl keras", numbers(keras.losses.kl_divergence(*both)).mean())
    there = keras.losses.huber(np.zeros((4, 6), "f"), draw("loss.x", 4, 6), delta=0.5)
    keep("huber keras", numbers(there).mean())


def of_torch(name: str, kind: type, rates=RATES, **options) -> None:
    x = nn.Parameter(tensor("parameters", 5))
    tx = kind([x], lr=rates[0], **options)
    for rate, gradient in zip(rates, gradients(), strict=True):
        tx.param_groups[0]["lr"] = rate
        x.grad = torch.from_numpy(gradient)
        tx.step()
    keep(f"{name} torch", x)


def of_keras(name: str, tx: keras.optimizers.Optimizer, rates=RATES) -> None:
    x = keras.Variable(draw("parameters", 5))
    tx.build([x])
    for rate, gradient in zip(rates, gradients(), strict=True):
        tx.learning_rate = rate
        tx.apply([keras.ops.convert_to_tensor(gradient)])
    keep(f"{name} keras", numbers(x))


def optimizers() -> None:
    optim, kopt, same = torch.optim, keras.optimizers, (0.1, 0.1, 0.1)
    of_torch("sgd", optim.SGD, momentum=0.9)
    of_keras("sgd", kopt.SGD(0.1, 0.9))
    of_torch("sgd decay", optim.SGD, same, momentum=0.9, weight_decay=0.1)
    of_keras("sgd decay", kopt.SGD(0.1, 0.9, weight_decay=0.1), same)
    of_torch("rmsprop", optim.RMSprop, same, alpha=0.9, eps=EPSILON)
    of_keras("rmsprop", kopt.RMSprop(0.1, 0.9, epsilon=EPSILON), same)
    of_torch("adam", optim.Adam, same, eps=EPSILON)
    of_keras("adam", kopt.Adam(0.1, epsilon=EPSILON), same)
    of_torch("adam decay", optim.Adam, same, eps=EPSILON, weight_decay=0.1)
    of_torch("adamw", optim.AdamW, same, eps=EPSILON, weight_decay=0.1)
    of_keras("adam decay", kopt.Adam(0.1, epsilon=EPSILON, weight_decay=0.1), same)
    of_torch("adagrad", optim.Adagrad, same)
    x = nn.Parameter(torch.zeros(4))
    x.grad = 2 * MOST * torch.tensor([0.5, -0.5, 0.5, 0.5])  # of norm 2 MOST
    nn.utils.clip_grad_norm_([x], MOST)
    keep("clipped torch", x.grad / MOST)


def main() -> None:
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
    convolutions()
    activations()
    losses()
    norms()
    pools()
    resizing()
    recurrent()
    dense()
    with torch.enable_grad():
        optimizers()
    np.savez_compressed(FILE, **OUT)


if __name__ == "__main__":
    with torch.no_grad():
        main()
