"""BatchNorm. Ioffe & Szegedy 2015, arXiv:1502.03167."""

import flax.linen as nn

from dljax import axes


def batch_norm(*, train: bool, **options) -> nn.BatchNorm:
    """``nn.BatchNorm`` over the global batch, also where the step runs per device.

    By default the moving averages keep 0.9 of their past, as in torchvision.

    Args:
        train: normalize by the batch and move the averages, else normalize by the averages.
        options: of ``nn.BatchNorm``.
    """
    return nn.BatchNorm(
        use_running_average=not train,
        axis_name=axes.per_device(),
        **{"momentum": 0.9, "epsilon": 1e-5, **options},
    )
