"""Outputs of the progressive GAN's networks on the recipe's weights.

PYTHONPATH=FOLDER python tests/parity/progressive_gan.py     (needs torch, and in FOLDER networks.py of
                                                              tkarras/progressive_growing_of_gans)

The authors' file is for TensorFlow 1. It is run as it is; the few functions of TensorFlow that it calls
are made of torch's below.
"""

import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from cases import PROGRESSIVE, progressive_noise
from recipe import weight

GOLDEN = Path(__file__).parent / "golden"
_scopes: list[str] = []


class Side(int):
    """A dimension, which is a number and has it as its value."""

    @property
    def value(self):
        return int(self)


class Tensor:
    """torch's, with the shape of TensorFlow's."""

    def __init__(self, x):
        self.x = x

    shape = property(lambda self: [Side(n) for n in self.x.shape])
    dtype = property(lambda self: self.x.dtype)

    def set_shape(self, shape):
        assert all(n in (None, m) for n, m in zip(shape, self.x.shape, strict=True))

    def __getitem__(self, at):
        return Tensor(self.x[at])

    def __add__(self, y):
        return Tensor(self.x + plain(y))

    def __sub__(self, y):
        return Tensor(self.x - plain(y))

    def __mul__(self, y):
        return Tensor(self.x * plain(y))

    __radd__, __rmul__ = __add__, __mul__


def plain(y):
    return y.x if isinstance(y, Tensor) else y


@contextmanager
def scope(name):
    _scopes.append(name)
    yield
    _scopes.pop()


def variable(name, shape=None, initializer=None, trainable=True):
    full = "/".join([*_scopes, name])
    if name == "lod":
        return Tensor(torch.tensor(float(1 - PROGRESSIVE["part"])))
    draws = weight(full, tuple(map(int, shape)), PROGRESSIVE["gain"])
    return Tensor(torch.from_numpy(draws))


def dims(shape):
    return [int(plain(n)) for n in shape]


def reduce_mean(x, axis, keepdims=False):
    return Tensor(plain(x).mean(dim=axis, keepdim=keepdims))


def pad(x, sides, mode):
    flat = [n for pair in reversed(sides) for n in pair]
    return Tensor(torch.nn.functional.pad(plain(x), flat))


def conv2d(x, w, strides, padding, data_format):
    assert (padding, data_format) == ("SAME", "NCHW")
    kernel = plain(w).permute(3, 2, 0, 1)
    return Tensor(
        torch.nn.functional.conv2d(
            plain(x), kernel, stride=strides[2], padding=(kernel.shape[2] - 1) // 2
        )
    )


def conv2d_transpose(x, w, shape, strides, padding, data_format):
    """The gradient of ``conv2d`` for its input."""
    given = torch.zeros(dims(shape), requires_grad=True)
    with torch.enable_grad():
        out = plain(conv2d(Tensor(given), w, strides, padding, data_format))
        (made,) = torch.autograd.grad(out, given, plain(x))
    return Tensor(made)


def of(function):
    return lambda x, *rest, **named: Tensor(function(plain(x), *map(plain, rest), **named))


tf = SimpleNamespace(
    float32=torch.float32,
    as_dtype=lambda dtype: torch.float32,
    constant=lambda x, **_: x,
    initializers=SimpleNamespace(random_normal=lambda *_: None, zeros=lambda: None),
    get_variable=variable,
    variable_scope=scope,
    name_scope=scope,
    cast=lambda x, dtype: x,
    identity=lambda x, name: x,
    reshape=lambda x, shape: Tensor(plain(x).reshape(dims(shape))),
    tile=lambda x, times: Tensor(plain(x).repeat(dims(times))),
    shape=lambda x: x.shape,
    pad=pad,
    add_n=sum,
    concat=lambda xs, axis: Tensor(torch.cat(list(map(plain, xs)), axis)),
    matmul=of(torch.matmul),
    maximum=of(torch.maximum),
    minimum=lambda a, b: min(a, b),
    square=of(torch.square),
    sqrt=of(torch.sqrt),
    rsqrt=of(torch.rsqrt),
    reduce_mean=reduce_mean,
    clip_by_value=of(torch.clamp),
    nn=SimpleNamespace(
        conv2d=conv2d,
        conv2d_transpose=conv2d_transpose,
        avg_pool=lambda x, ksize, strides, padding, data_format: Tensor(
            torch.nn.functional.avg_pool2d(plain(x), ksize[2], strides[2])
        ),
    ),
)


@torch.no_grad()
def main() -> None:
    sys.modules["tensorflow"] = tf  # type: ignore[assignment]
    import networks

    size, base, most = (PROGRESSIVE[name] for name in ("size", "base", "most"))
    given = {"num_channels": 3, "resolution": size, "fmap_base": base, "fmap_max": most}
    noise = Tensor(torch.from_numpy(progressive_noise()))
    nothing = Tensor(torch.zeros(len(noise.x), 0))
    with scope("G"):
        image = networks.G_paper(noise, nothing, structure="linear", **given)
    with scope("D"):
        score, _ = networks.D_paper(image, structure="linear", fused_scale=False, **given)
    out = {"image": image.x.numpy().transpose(0, 2, 3, 1), "score": score.x.numpy()[:, 0]}
    np.savez(GOLDEN / "progressive_gan.npz", **out)
    print(out["image"].shape, out["image"].std(), out["score"])


if __name__ == "__main__":
    main()
