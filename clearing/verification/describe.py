"""Prints a database's structure in the form of ``structure.json``: ``python -m clearing.verification.describe URL``.

``URL`` is the auditor's address of a freshly migrated database.
"""

import json
import sys

from clearing.verification.snapshot import open_snapshot
from clearing.verification.structure import describe


def printed(auditor_url: str) -> str:
    """The structure, one line for each thing."""
    with open_snapshot(auditor_url) as snapshot:
        return json.dumps(describe(snapshot), ensure_ascii=False, indent=0) + "\n"


if __name__ == "__main__":
    sys.stdout.write(printed(sys.argv[1]))
