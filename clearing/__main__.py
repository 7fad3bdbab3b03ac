"""``python -m clearing``: the command line."""

from clearing.cli import main

main()
