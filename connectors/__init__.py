"""Connectors: what platforms say, in one form."""
