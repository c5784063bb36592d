"""Shapes and inputs that the scripts beside this file and the parity tests share. numpy only."""

import numpy as np

GPT2 = {"vocabulary": 41, "context": 24, "layers": 3, "heads": 4, "features": 32}
LSTM = {"vocabulary": 41, "hidden": 24, "layers": 2}


def tokens() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 41, (2, 20)).astype(np.int32)


def graph() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """12 nodes of 10 features, 24 pairs in both directions without loops or repeats."""
    rng = np.random.default_rng(0)
    upper = np.stack(np.triu_indices(11, 1), 1)  # the last node has no edge
    pairs = upper[rng.permutation(len(upper))[:24]].astype(np.int32)
    senders, receivers = np.concatenate([pairs, pairs[:, ::-1]]).T
    return rng.normal(size=(12, 10)).astype(np.float32), senders, receivers
