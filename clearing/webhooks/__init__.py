"""Webhooks: what happened to a platform's claims, told to the platform's own address."""
