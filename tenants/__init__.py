"""Who funds, by which policy, and who may act."""
