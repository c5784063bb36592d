"""What a network that halves its images can take."""

from dljax.errors import UserError


def check_sides(shape: tuple[int, ...], levels: int, what: str) -> None:
    """Hold images of ``shape`` [b, h, w, c] to sides that a network of so many levels can halve: else a
    skip meets an upsampled map of another size.

    Raises:
        UserError: they are no multiples of ``2 ** (levels - 1)``.
    """
    h, w = shape[1:3]
    unit = 2 ** (levels - 1)
    if h % unit or w % unit:
        near = "x".join(str(max(1, round(side / unit)) * unit) for side in (h, w))
        raise UserError(
            f"images of {h}x{w} pixels: {what} of {levels} levels halves the sides, so they must be "
            f"multiples of {unit}; the nearest is {near}"
        )
