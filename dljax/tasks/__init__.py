"""Tasks: losses, evaluations and samples. A function here takes models and returns a Task."""
