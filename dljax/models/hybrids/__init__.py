"""Networks that join convolutions and recurrent layers, and convolutions over time."""
