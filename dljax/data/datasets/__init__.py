"""Datasets, one to a file, each with a ``load(..., fake=False)`` that returns its splits."""
