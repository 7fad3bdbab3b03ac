"""Tenancy: what administrators of a tenant read and set."""
