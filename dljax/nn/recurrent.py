"""The loop over time that recurrent cells share, with masks, kept states and both directions."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Memory = tuple[Array, ...]  # what a cell hands to its next time, each [b, hidden]; its output first


class Cell(NamedTuple):
    """The arithmetic of a recurrent cell, without parameters of its own.

    Attributes:
        gates: number of products ``x W_x`` and ``h W_h`` of width ``hidden``, side by side.
        memories: number of arrays in its memory.
        step: (memory, ``x W_x + b_x`` [b, gates hidden], ``h W_h`` with its own bias, if any) -> memory.
        biases: 2 where the share of ``h`` has a bias of its own that is not merely added to ``b_x``.
    """

    gates: int
    memories: int
    step: Callable[[Memory, Array, Array], Memory]
    biases: int = 1


class Recurrent(nn.Module):
    """A recurrent layer. Elman 1990, doi:10.1207/s15516709cog1402_1.

    The inputs' share of the gates is one product for all times; only ``h W_h`` is in the loop.

    Attributes:
        hidden: width of the output.
        cell: what happens at a time.
        kernel_init, bias_init: of weights, and of biases.
        reverse: from the last time to the first.
        keep: begin at the memory in the collection of this name instead of zero, and leave it there:
            "cache" in sampling, ``axes.ROWS`` in training on windows that follow each other; "" for none.
    """

    hidden: int
    cell: Cell
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros
    reverse: bool = False
    keep: str = ""

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t d"],
        *,
        mask: Float[Array, "b t"] | None = None,
        memory: Memory | None = None,
        fresh: Float[Array, " b"] | None = None,
    ) -> tuple[Float[Array, "b t hidden"], Memory]:
        """Outputs at all times, and the memory after the last.

        Args:
            mask: 1 where a time counts; elsewhere the memory stays as it is. So of a row that is filled
                up at its end, the last memory is that of its own end, in both directions.
            memory: at the beginning; zeros by default.
            fresh: 1 for a row that begins at zero whatever was kept.
        """
        wide = self.cell.gates * self.hidden
        w_x = self.param("w_x", self.kernel_init, (x.shape[-1], wide)).astype(x.dtype)
        w_h = self.param("w_h", self.kernel_init, (self.hidden, wide)).astype(x.dtype)
        shares = x @ w_x + self.param("bias", self.bias_init, (wide,)).astype(x.dtype)[None, None]
        bias_h = None
        if self.cell.biases == 2:
            bias_h = self.param("bias_h", self.bias_init, (wide,)).astype(x.dtype)[None]

        def zeros() -> Memory:
            return (jnp.zeros((x.shape[0], self.hidden), x.dtype),) * self.cell.memories

        kept = self.variable(self.keep, "memory", zeros) if self.keep else None
        if memory is None:
            memory = zeros() if kept is None else tuple(m.astype(x.dtype) for m in kept.value)
        if fresh is not None:
            memory = tuple(m * (1 - fresh.astype(m.dtype))[:, None] for m in memory)

        def step(memory: Memory, at: tuple[Array, Array | None]) -> tuple[Memory, Array]:
            share, counts = at
            product = memory[0] @ w_h
            new = self.cell.step(memory, share, product if bias_h is None else product + bias_h)
            if counts is not None:
                pairs = zip(new, memory, strict=True)
                new = tuple(jnp.where(counts[:, None] > 0, *pair) for pair in pairs)
            return new, new[0]

        times = (shares.swapaxes(0, 1), None if mask is None else mask.swapaxes(0, 1))
        last, out = jax.lax.scan(step, memory, times, reverse=self.reverse)
        if kept is not None and not self.is_initializing():
            kept.value = jax.lax.stop_gradient(last)
        return out.swapaxes(0, 1), last


class Both(nn.Module):
    """Two recurrent layers, one in each direction, side by side. Schuster & Paliwal 1997,
    doi:10.1109/78.650093.

    Attributes:
        hidden: width of each.
        cell, kernel_init, bias_init: of both.
    """

    hidden: int
    cell: Cell
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], *, mask: Float[Array, "b t"] | None = None
    ) -> tuple[Float[Array, "b t two_hidden"], Memory]:
        """Outputs of both at all times; and their memories, forwards after the last time and backwards
        after the first, side by side.

        Args:
            mask: 1 where a time counts.
        """
        directions = [
            Recurrent(self.hidden, self.cell, self.kernel_init, self.bias_init, reverse, name=name)
            for name, reverse in (("forwards", False), ("backwards", True))
        ]
        (forwards, end), (backwards, begin) = (layer(x, mask=mask) for layer in directions)
        memory = tuple(jnp.concatenate(pair, -1) for pair in zip(end, begin, strict=True))
        return jnp.concatenate([forwards, backwards], -1), memory
