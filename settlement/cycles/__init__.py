"""Clearing cycles between tenants: windows, netting, exposure, orders."""
