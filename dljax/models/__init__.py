"""What is computed: one file per architecture, in family folders.

A model file defines MODEL (a Linen module), VARIANTS (rows of its constructor's arguments, "tiny"
among them), PUBLISHED (trainable parameters by variant) and ``inputs(variant)``.
"""

from types import ModuleType
from typing import Any

from dljax.errors import UserError, nearest


def build(architecture: ModuleType, variant: str, **changes: Any) -> Any:
    """The architecture's module at a variant of its table, with some arguments changed."""
    rows = architecture.VARIANTS
    if variant not in rows:
        name = architecture.__name__.rsplit(".", 1)[-1]
        raise UserError(f"{name} has no variant {variant!r}: {nearest(variant, rows)}")
    return architecture.MODEL(**{**rows[variant], **changes})
