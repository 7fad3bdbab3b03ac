"""The service: claims, HTTP, workers, command line; the only package that knows Flask, dramatiq and Redis."""
