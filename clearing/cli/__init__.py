"""The command line: one program, one group of commands a file; imports are late, so that ``--help`` is quick."""

from clearing.cli.program import main

__all__ = ["main"]
