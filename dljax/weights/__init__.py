"""Weights of other libraries: which of their arrays is which of ours."""
