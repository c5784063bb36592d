"""Networks that play against each other."""
