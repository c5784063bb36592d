"""Shapes and inputs that the scripts beside this file and the parity tests share. numpy only."""

import numpy as np

GPT2 = {"vocabulary": 41, "context": 24, "layers": 3, "heads": 4, "features": 32}
GPT1 = GPT2
LLAMA = {
    "vocabulary": 41,
    "context": 24,
    "layers": 3,
    "heads": 4,
    "groups": 2,
    "features": 32,
    "hidden": 48,
}
# Places without a token at the beginning of the two rows of ``tokens``; and tokens of a text after them.
PADDING, AFTER = (0, 7), 4
BERT = {
    "vocabulary": 41,
    "features": 32,
    "layers": 3,
    "heads": 4,
    "hidden": 48,
    "positions": 26,
}
ROBERTA = {**BERT, "offset": 2, "types": 1, "padding": 1, "epsilon": 1e-5}
LSTM = {"vocabulary": 41, "hidden": 24, "layers": 2}  # and the vanilla net's and the GRU's
# Lengths of three sequences of five times and four features.
LENGTHS = (5, 2, 3)
TEXT_CNN = {"vocabulary": 41, "classes": 3, "features": 6, "heights": (2, 3, 4), "filters": 5}
BILSTM = {"vocabulary": 41, "classes": 3, "features": 6, "hidden": 5, "layers": 2}
LSTM_CNN = {**TEXT_CNN, "recurrent": 7, "hidden": 8}
TCN = {"channels": 2, "outputs": 3, "widths": (6, 6, 8), "kernel": 3}
# CaffeNet's kinds of layers, narrow: (width, kernel, stride, pad, groups, pool, norm).
LRCN = {
    "classes": 5,
    "stages": (
        (8, 11, 4, 0, 1, (3, 2), True),
        (12, 5, 1, 2, 2, (3, 2), True),
        (16, 3, 1, 1, 1, (3, 2), False),
    ),
    "features": 10,
    "hidden": 6,
}


SEQ2SEQ = {"source_vocabulary": 13, "vocabulary": 11, "features": 6, "hidden": 8}
TRANSFORMER = {"vocabulary": 11, "features": 16, "layers": 3, "heads": 4, "inner": 24}
SOURCES = (6, 3, 1)  # lengths of three sources, filled up with zeros
DDPM = {"widths": (8, 16, 16), "layers": 2, "attention": (1,), "groups": 4}
# Its norms have 32 groups. Of ways up, one ends with attention and one without.
IMPROVED = {
    "width": 32,
    "multiples": (1, 2, 1),
    "layers": 1,
    "attention": (1,),
    "heads": 2,
    "classes": 3,
}
KL_AUTOENCODER = {"widths": (32, 32, 64), "layers": 1}  # diffusers' norms have 32 groups
# Attention at the level whose way up goes on and at the last one.
LATENT_UNET = {
    "width": 32,
    "multiples": (1, 2, 2),
    "layers": 1,
    "attention": (1, 2),
    "heads": 2,
    "context": 12,
    "channels": 3,
}
RESNETS = {"18": 64, "50": 64, "cifar20": 32}  # name -> side of the images
CLASSIFIERS = {"alexnet": 95, "vgg11_bn": 64, "mobilenet_v2": 64, "vit": 16}
# Sides of the images of CycleGAN's and pix2pix's networks
TRANSLATION = {
    "cyclegan": 20,
    "pix2pix": 64,
    "pix2pix_instance": 32,
    "patchgan": 40,
    "patchgan_batch": 40,
}
UNET_VGG16 = {"norm": True, "widths": (24, 20, 16, 12, 8), "classes": 3}  # of images of 64x64
SIMCLR = {"stages": (1, 1), "features": 20, "side": 35}  # maps of odd sides
# (patch, features, layers, heads) of the encoder, and what the decoder has
MAE = {"encoder": (4, 24, 2, 3), "features": 16, "layers": 1, "heads": 2}
VIT = {"patch": 4, "features": 24, "layers": 3, "heads": 3}
# Sides at which maps are of odd and of even sides, and a 3x3 window sees the whole of the last one.
INCEPTIONS = {"v1": 72, "v3": 107, "v4": 107, "resnet_v2": 107, "xception": 75}
# Of training steps: the least for v3's auxiliary head; maps that do not divide by 4 for v1's.
AUXILIARY = {"v1": 96, "v3": 299}
# Every kind of module, and two where the second's name matters: the same modules are taken out there.
SHORT_V3 = {"a": (32, 64), "b": (128, 160), "c": 1}
STEP_V3 = {"a": (32, 64), "b": (128,), "c": 1}
SHORT_V4 = {"modules": (2, 1, 1)}
SHORT_RESNET_V2 = {"modules": (1, 2, 2)}


def tokens() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 41, (2, 20)).astype(np.int32)


def texts(padding: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of three texts of 20, 11 and 1 tokens, filled up with ``padding``, and their types."""
    rng = np.random.default_rng(0)
    places, lengths = np.arange(20)[None], np.array([[20], [11], [1]])
    drawn = rng.integers(2, 41, (3, 20))
    types = (places >= 6) & (places < lengths)
    return np.where(places < lengths, drawn, padding).astype(np.int32), types.astype(np.int32)


def sequences() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(3, 5, 4)).astype(np.float32)


def sentences() -> np.ndarray:
    """Three sentences of 9, 4 and 5 tokens, filled up with the token 0."""
    ids = np.random.default_rng(3).integers(1, 41, (3, 9)).astype(np.int32)
    return np.where(np.arange(9)[None] < np.array([9, 4, 5])[:, None], ids, 0).astype(np.int32)


def series() -> np.ndarray:
    """Two series of 20 times and two channels."""
    return np.random.default_rng(4).normal(size=(2, 20, 2)).astype(np.float32)


def video() -> np.ndarray:
    """Two videos of three color frames of 99 x 99."""
    return np.random.default_rng(5).normal(size=(2, 3, 99, 99, 3)).astype(np.float32)


def sources() -> np.ndarray:
    source = np.random.default_rng(3).integers(1, 11, (3, 6)).astype(np.int32)
    return source * (np.arange(6)[None] < np.array(SOURCES)[:, None])


def targets() -> np.ndarray:
    return np.random.default_rng(4).integers(1, 11, (3, 5)).astype(np.int32)


def graph() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """12 nodes of 10 features, 24 pairs in both directions without loops or repeats."""
    rng = np.random.default_rng(0)
    upper = np.stack(np.triu_indices(11, 1), 1)  # the last node has no edge
    pairs = upper[rng.permutation(len(upper))[:24]].astype(np.int32)
    senders, receivers = np.concatenate([pairs, pairs[:, ::-1]]).T
    return rng.normal(size=(12, 10)).astype(np.float32), senders, receivers


# A ring of five, an atom alone, a path of three: in one pack without padding.
PACK_SIZES = (5, 1, 3)
GIN = {"classes": 3, "layers": 2, "features": 6, "epsilon": True}
MPNN = {"features": 6, "hidden": 7}


def pack() -> dict[str, np.ndarray]:
    """Nodes of 4 features, edges of 5: node, senders, receivers, graph_id, node_mask, graph_mask, edge."""
    rng = np.random.default_rng(1)
    pairs = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 0], [6, 7], [7, 8]], np.int32)
    senders, receivers = np.concatenate([pairs, pairs[:, ::-1]]).T
    n, e, g = sum(PACK_SIZES), len(senders), len(PACK_SIZES)
    out = {
        "node": rng.normal(size=(n, 4)).astype(np.float32),
        "senders": senders,
        "receivers": receivers,
        "graph_id": np.repeat(np.arange(g, dtype=np.int32), PACK_SIZES),
        "node_mask": np.ones(n, np.float32),
        "graph_mask": np.ones(g, np.float32),
        "edge": rng.normal(size=(e, 5)).astype(np.float32),
    }
    return {name: array[None] for name, array in out.items()}


def image(side: int, count: int = 2) -> np.ndarray:
    """Images, [b, h, w, c]."""
    return np.random.default_rng(0).normal(size=(count, side, side, 3)).astype(np.float32)


def masked() -> tuple[np.ndarray, np.ndarray]:
    """Two images of 16 x 16, [b, h, w, c], and the noise by which their 16 patches are hidden."""
    return image(16), np.random.default_rng(6).uniform(size=(2, 16)).astype(np.float32)


def noisy() -> tuple[np.ndarray, np.ndarray]:
    """Two images of 16 x 16, [b, h, w, c], and their times."""
    image = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)
    return image.transpose(0, 2, 3, 1), np.array([3, 871])


def told() -> np.ndarray:
    """Three tokens of twelve features for each of two images."""
    return np.random.default_rng(1).normal(size=(2, 3, 12)).astype(np.float32)


def colored() -> np.ndarray:
    """Three uint8 images of 6 x 8: noise, noise of few levels, and a ramp with a gray half."""
    rng = np.random.default_rng(0)
    ramp = np.zeros((6, 8, 3), np.uint8)
    ramp[..., 0], ramp[..., 1], ramp[:, 4:] = (
        30 * np.arange(8),
        200,
        20 * np.arange(6)[:, None, None],
    )
    noise = rng.integers(0, 256, (6, 8, 3), np.uint8)
    return np.stack([noise, rng.integers(60, 66, (6, 8, 3), np.uint8) * 2, ramp])


# name of an operation in torchvision -> factors, or turns of the color circle
AMOUNTS = {
    "brightness": (0.0, 0.55, 1.7),
    "contrast": (0.0, 0.55, 1.7),
    "saturation": (0.0, 0.55, 1.7),
    "hue": (-0.5, -0.13, 0.0, 0.25, 0.5),
}
# RandAugment's operations, whether they have a direction, and the magnitudes compared, of 0 to 30
RANDAUGMENT = {
    "Identity": False,
    "ShearX": True,
    "ShearY": True,
    "TranslateX": True,
    "TranslateY": True,
    "Rotate": True,
    "Brightness": True,
    "Color": True,
    "Contrast": True,
    "Sharpness": True,
    "Posterize": False,
    "Solarize": False,
    "AutoContrast": False,
    "Equalize": False,
}
MAGNITUDES = (9, 24)

# top_k and top_p of draws from ``scores``
NUCLEI = ((0, 0.3), (0, 0.9), (5, 0.8), (12, 1.0))


def scores() -> np.ndarray:
    """Logits of three rows, no two of them equal."""
    return np.random.default_rng(4).normal(scale=2.0, size=(3, 41)).astype(np.float32)


# The newest layers are in by a part; kernels are drawn larger, since the network scales them itself.
PROGRESSIVE = {"size": 16, "base": 64, "most": 12, "part": 0.375, "gain": 8.0}


def progressive_noise() -> np.ndarray:
    """Of eight images: two groups of the minibatch deviation."""
    return np.random.default_rng(41).normal(size=(8, PROGRESSIVE["most"])).astype(np.float32)
