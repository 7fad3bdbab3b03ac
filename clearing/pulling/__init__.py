"""Pulling: what is new at a platform's outlet, taken in page by page."""
