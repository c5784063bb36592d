"""One file per dataset. Each has ``load(..., fake=False) -> (train, test)`` sources."""
