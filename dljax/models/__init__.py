"""Architectures: one file each, in family folders.

A model file defines MODEL (a Linen module), VARIANTS (rows of its constructor's arguments, "tiny"
among them), PUBLISHED (trainable parameters by variant) and ``inputs(variant)``; where it has moving
statistics, perhaps STATE (their number by variant). Where a rule without gradient trains it,
GRADIENT_FREE says why, and PUBLISHED may be left out.
"""

from types import ModuleType
from typing import Any

from dljax.errors import UserError, nearest


def build(architecture: ModuleType, variant: str, **changes: Any) -> Any:
    """Module of an architecture at a variant of its table, with ``changes`` to the row's arguments.

    Raises:
        UserError: there is no such variant.
    """
    rows = architecture.VARIANTS
    if variant not in rows:
        name = architecture.__name__.rsplit(".", 1)[-1]
        raise UserError(f"{name} has no variant {variant!r}: {nearest(variant, rows)}")
    return architecture.MODEL(**{**rows[variant], **changes})
