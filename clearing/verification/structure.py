"""The structure that enforces the invariants: tables, constraints, triggers, policies, grants, functions and roles.

``structure.json`` lists every line that ``structure.sql`` must find; a migration that changes the schema changes the
list in the same commit (``python -m clearing.verification.describe ADDRESS``), so that a reviewer sees both.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from clearing.verification.difference import Difference, differs
from clearing.verification.snapshot import Snapshot

_HERE: Final = Path(__file__).parent
EXPECTED: Final = _HERE / "structure.json"


@cache
def _statement() -> str:
    return (_HERE / "structure.sql").read_text(encoding="utf-8")


@cache
def expected_structure() -> frozenset[str]:
    """The lines that must be there, and no others."""
    return frozenset(json.loads(EXPECTED.read_text(encoding="utf-8")))


def is_migrated(snapshot: Snapshot) -> bool:
    """Whether there is a schema at all."""
    return snapshot.rows("select to_regclass('public.alembic_version') is not null as there")[0].there is True


def describe(snapshot: Snapshot) -> list[str]:
    """The structure as it is, one line for each thing, in a fixed order."""
    return [line for (line,) in snapshot.rows(_statement())]


def structure_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Lines that are missing, and lines that are too many: a changed thing is both."""
    found = describe(snapshot)
    snapshot.tally["structural facts"] += len(found)
    expected = expected_structure()
    for line in sorted(expected.difference(found)):
        yield differs("structure.missing", f"structure/{_name(line)}", line, None)
    for line in sorted(set(found) - expected):
        yield differs("structure.surplus", f"structure/{_name(line)}", None, line)


def _name(line: str) -> str:
    """What the line is about: ``constraint claim.claim_award_within_base``."""
    return line.split(": ", 1)[0].split(" USING ", 1)[0]
