"""Auditing: the tenant's chain as its auditor reads it, checks it, and proves one entry of it."""
