"""Kernel: money, time, identifiers, errors, canonical bytes, database, audit and outbox."""
