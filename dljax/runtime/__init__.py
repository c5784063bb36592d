"""Runtime: compilation, the loop, checkpoints, the run's folder, profiles, processes."""
