"""Migration steps, applied in order."""
