"""Where examples come from: prepared TFDS datasets, local files, and large sets read from disk."""

from dljax.errors import UserError


def embedded(data: str) -> None:
    """Refuse a folder of files for a dataset that installs with a package.

    Raises:
        UserError: ``data`` is not empty.
    """
    if data:
        raise UserError(
            f"--data {data}: this dataset is installed and reads no files; leave it out"
        )
