"""Networks that reconstruct their input."""
