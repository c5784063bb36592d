"""Rules that learn without a gradient: each function here builds a Learner by hand.

A rule computes in float32: a profile's precision is about losses and gradients, and changes nothing here.
"""
