"""What operators look after: how each connector stands, what waits, clients and their keys, what was told."""
