"""Architectures: one file each, in family folders.

A model file defines MODEL (a Linen module), VARIANTS (rows of its constructor's arguments, "tiny"
among them), PUBLISHED (trainable parameters by variant) and ``inputs(variant)``, and where it is known
STATE (numbers of all other collections by variant, such as moving statistics). Where a rule without
gradient trains it, GRADIENT_FREE says why, and PUBLISHED may be left out.
"""

from types import ModuleType
from typing import Any

from dljax.errors import UserError, nearest


def build(architecture: ModuleType, variant: str, **changes: Any) -> Any:
    """Module of an architecture at a variant of its table, with ``changes`` to the row's arguments.

    A change to None is none: the row's own argument, or the module's default, stays.

    Raises:
        UserError: there is no such variant.
    """
    rows = architecture.VARIANTS
    if variant not in rows:
        name = architecture.__name__.rsplit(".", 1)[-1]
        raise UserError(f"{name} has no variant {variant!r}: {nearest(variant, rows)}")
    given = {name: value for name, value in changes.items() if value is not None}
    return architecture.MODEL(**{**rows[variant], **given})
