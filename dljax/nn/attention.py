"""Attention. Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.

attention(Q, K, V) = softmax(Q K^T / sqrt(d)) V
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from dljax.nn.dropout import Dropout

# Of float32, as jax.nn has it: a query that may look nowhere has the mean of all values, not NaN.
_NOWHERE = -0.7 * float(jnp.finfo(jnp.float32).max)


def attend(
    query: Float[Array, "b t k d"],
    key: Float[Array, "b s g d"],
    value: Float[Array, "b s g d"],
    mask: Bool[Array, "b2 k2 t2 s"] | None = None,
    *,
    causal: bool = False,
    dropout: Dropout | None = None,
    train: bool = False,
) -> Float[Array, "b t k d"]:
    """Scaled dot-product attention: of cuDNN (flash) on GPU in half precision, else XLA's.

    Args:
        key, value: of ``g`` heads, of which each serves k / g heads of the queries (Ainslie et al. 2023,
            arXiv:2305.13245).
        mask: True where a query may look; its first three axes may be 1.
        causal: no query looks at later keys; t = s.
        dropout: of the weights, in training; then they are made as an array, as no fused form has it.
    """
    b, t, k, d = query.shape
    if dropout is None or not train or dropout.rate == 0.0:
        half = query.dtype in (jnp.bfloat16, jnp.float16)
        fused = jax.default_backend() == "gpu" and half and d % 8 == 0 and d <= 128
        return jax.nn.dot_product_attention(
            query,
            key,
            value,
            mask=mask,
            is_causal=causal,
            implementation="cudnn" if fused else None,
        )
    grouped = query.reshape(b, t, key.shape[2], -1, d)
    scores = jnp.einsum("btgid,bsgd->bgits", grouped, key) * d**-0.5
    scores = scores.reshape(b, k, t, -1).astype(jnp.float32)
    if causal:
        scores = jnp.where(jnp.tri(t, dtype=bool)[None, None], scores, _NOWHERE)
    if mask is not None:
        scores = jnp.where(mask, scores, _NOWHERE)
    weights = dropout(jax.nn.softmax(scores, axis=-1).astype(query.dtype), train=train)
    weights = weights.reshape(b, key.shape[2], -1, t, key.shape[1])
    return jnp.einsum("bgits,bsgd->btgid", weights, value).reshape(b, t, k, d)
