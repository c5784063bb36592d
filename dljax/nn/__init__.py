"""Layers that must be fast on CPU or equal across devices, or that three or more architectures use
unchanged. A layer of one or two architectures is written in their files.
"""

from dljax.nn.attention import attend as attend
from dljax.nn.average import neighborhood_mean as neighborhood_mean
from dljax.nn.conv import Conv as Conv
from dljax.nn.conv_norm import ConvNorm as ConvNorm
from dljax.nn.conv_norm import widened as widened
from dljax.nn.dense import dense as dense
from dljax.nn.depthwise import DepthwiseConv as DepthwiseConv
from dljax.nn.deviation import minibatch_deviation as minibatch_deviation
from dljax.nn.dropout import Dropout as Dropout
from dljax.nn.equalized import EqualizedConv as EqualizedConv
from dljax.nn.equalized import EqualizedDense as EqualizedDense
from dljax.nn.first_maximum import first_maximum as first_maximum
from dljax.nn.growing import doubled as doubled
from dljax.nn.growing import faded as faded
from dljax.nn.growing import halved as halved
from dljax.nn.latent import draw as draw
from dljax.nn.norm import batch_norm as batch_norm
from dljax.nn.norm import instance_norm as instance_norm
from dljax.nn.norm import near_one as near_one
from dljax.nn.pool import max_pool as max_pool
from dljax.nn.prelu import PReLU as PReLU
from dljax.nn.shuffle import pixel_shuffle as pixel_shuffle
from dljax.nn.stack import stack as stack
from dljax.nn.transposed import ConvTranspose as ConvTranspose
