"""What is minimised, measured and made. Every function here takes models and returns a Task."""
