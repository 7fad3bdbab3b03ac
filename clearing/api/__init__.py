"""The HTTP interface, version 1: one file per noun."""
