"""Networks that undo noise."""
