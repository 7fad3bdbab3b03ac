"""Sandboxes (沙箱): an instance for platforms to try everything in, in which nothing is real (``tenants.instance``)."""
