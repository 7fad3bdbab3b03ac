"""Clearing: the service around the ledger; the only package that knows Flask, dramatiq and Redis."""
