"""Tenants: who funds, by which policy, who may act."""
