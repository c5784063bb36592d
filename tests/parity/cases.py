"""Shapes and inputs that the scripts beside this file and the parity tests share. numpy only."""

import numpy as np

GPT2 = {"vocabulary": 41, "context": 24, "layers": 3, "heads": 4, "features": 32}
LSTM = {"vocabulary": 41, "hidden": 24, "layers": 2}
DDPM = {"widths": (8, 16, 16), "layers": 2, "attention": (1,), "groups": 4}
RESNETS = {"18": 64, "50": 64, "cifar20": 32}  # name -> side of the images
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


def graph() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """12 nodes of 10 features, 24 pairs in both directions without loops or repeats."""
    rng = np.random.default_rng(0)
    upper = np.stack(np.triu_indices(11, 1), 1)  # the last node has no edge
    pairs = upper[rng.permutation(len(upper))[:24]].astype(np.int32)
    senders, receivers = np.concatenate([pairs, pairs[:, ::-1]]).T
    return rng.normal(size=(12, 10)).astype(np.float32), senders, receivers


def image(side: int, count: int = 2) -> np.ndarray:
    """Images, [b, h, w, c]."""
    return np.random.default_rng(0).normal(size=(count, side, side, 3)).astype(np.float32)


def noisy() -> tuple[np.ndarray, np.ndarray]:
    """Two images of 16 x 16, [b, h, w, c], and their times."""
    image = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)
    return image.transpose(0, 2, 3, 1), np.array([3, 871])
