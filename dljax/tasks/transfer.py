"""Transfer: BatchNorm in layers that were trained elsewhere."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn

from dljax.types import Array, Batch, Extra, Key, Loss, Params, Task


def with_frozen_statistics(task: Task, frozen: Callable[[str], bool]) -> Task:
    """The task whose losses leave the moving statistics of some BatchNorms as they are.

    In training such a layer normalizes by its statistics, as it does in use, and not by the batch. It is
    the second half of freezing a layer, beside ``learner.freeze``, which holds its parameters; Keras'
    ``trainable = False`` is both. Also where all parameters move, the statistics of a large training
    set are mostly kept (Keras' guide "Transfer learning & fine-tuning").

    Args:
        task: of Linen modules whose normalization is ``nn.BatchNorm``.
        frozen: path of a layer in its network ("block1_0/expand_bn") -> True where its statistics stay.
    """

    def interceptor(
        call: Callable, args: tuple, kwargs: dict[str, Any], context: nn.module.InterceptorContext
    ) -> Any:
        layer = context.module
        if (
            isinstance(layer, nn.BatchNorm)
            and context.method_name == "__call__"
            and frozen("/".join(layer.path))
        ):
            return _in_use(layer, call, *args, **kwargs)
        return call(*args, **kwargs)

    def kept(loss: Loss) -> Loss:
        def of(params: Params, extra: Extra, batch: Batch, key: Key):
            with nn.intercept_methods(interceptor):
                return loss(params, extra, batch, key)

        return of

    return task._replace(losses={name: kept(loss) for name, loss in task.losses.items()})


def _in_use(
    layer: nn.BatchNorm,
    call: Callable,
    x: Array,
    use_running_average: bool | None = None,
    **rest: Any,
) -> Array:
    """BatchNorm by its moving statistics, whether told to by attribute or by argument."""
    if layer.use_running_average is None:
        return call(x, True, **rest)
    if layer.use_running_average:
        return call(x, **rest)
    # The same scope, so the same parameters and statistics.
    return layer.clone(parent=layer.scope, use_running_average=True)(x, **rest)
