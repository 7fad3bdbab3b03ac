"""The month at the finance desk: what it came to, what is open, its end, and its tables."""
