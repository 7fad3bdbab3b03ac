"""Data for the demonstration and for tests: plausible, made up, and the same for the same seed."""
