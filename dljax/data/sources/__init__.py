"""Where examples come from: prepared TFDS datasets, local files, and large sets read from disk."""
