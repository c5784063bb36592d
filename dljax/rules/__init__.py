"""Learning without a gradient: each function here builds a Learner by hand."""
