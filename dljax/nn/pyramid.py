"""Pyramids of maps: networks that halve their images level by level."""

from dljax.errors import UserError


def check_sides(shape: tuple[int, ...], levels: int, what: str) -> None:
    """Check that ``levels`` levels can halve images of ``shape`` [b, h, w, c].

    Otherwise a skip would meet an upsampled map of another size.

    Args:
        what: name of the network in an error, such as "a U-Net".

    Raises:
        UserError: a side is no multiple of ``2 ** (levels - 1)``.
    """
    h, w = shape[1:3]
    unit = 2 ** (levels - 1)
    if h % unit or w % unit:
        near = "x".join(str(max(1, round(side / unit)) * unit) for side in (h, w))
        raise UserError(
            f"images of {h}x{w} pixels: {what} of {levels} levels halves the sides, so they must be "
            f"multiples of {unit}; the nearest is {near}"
        )
