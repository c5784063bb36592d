"""Networks of random weights, of which the readout alone is learned."""
