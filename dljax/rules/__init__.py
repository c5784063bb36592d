"""Rules that learn without a gradient: each function here builds a Learner by hand."""
