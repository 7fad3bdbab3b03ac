"""Banks: the port through which payment files go out, and its implementations."""
