"""Sources of examples: prepared TFDS datasets, local files, large sets on disk, text and graphs."""

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
