"""Sources of examples: prepared TFDS datasets, local files, large sets on disk, text and graphs."""
