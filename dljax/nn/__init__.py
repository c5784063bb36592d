"""Layers that must be fast on CPU or equal across devices, and those that three or more architectures
use unchanged. What serves one or two is copied into their files.
"""

from dljax.nn.conv import Conv as Conv
from dljax.nn.dense import dense as dense
from dljax.nn.dropout import Dropout as Dropout
from dljax.nn.norm import batch_norm as batch_norm
from dljax.nn.pool import max_pool as max_pool
from dljax.nn.transposed import ConvTranspose as ConvTranspose
