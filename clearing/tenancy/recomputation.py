"""Recomputation: past assessments by what was known when they were made, compared byte for byte with what is stored.

Two axes of time meet here: the version in force on a claim's policy date, of those that had been approved when it was
assessed. What is approved later, a retroactive correction included, changes no past assessment.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.assessment import assess, result_bytes
from clearing.claims.stored import read_stored_facts, read_stored_submission
from clearing.tenancy.simulation import Told, nobody
from connectors.submission import Submission
from tenants.kernel.canonical import Json, plain, sha256
from tenants.kernel.clock import SHANGHAI, shanghai_day
from tenants.kernel.errors import not_found
from tenants.policy import Policy, in_force
from tenants.policy_document import read_policy

ROWS_AT_ONCE: Final = 1_000
TELL_EVERY: Final = 500
SUBMITTED: Final = "submitted"


@dataclass(frozen=True, slots=True)
class Known:
    """An approved version, and since when it is known."""

    policy: Policy
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class Differing:
    """An assessment that does not come out as it was, and in what."""

    claim_no: str
    assessment: int
    reason: str


@dataclass(slots=True)
class Found:
    """How many assessments were computed again, and those that differ."""

    assessments: int = 0
    differences: list[Differing] = field(default_factory=list)


def end_of(day: date) -> datetime:
    """The last instant of the day in Asia/Shanghai."""
    return datetime.combine(day + timedelta(days=1), time(), SHANGHAI) - timedelta(microseconds=1)


def recompute_all(
    connection: Connection, tenant: str, known_at: datetime | None, *, demonstration: bool, tell: Told = nobody
) -> Found:
    """Compute every assessment made by then again."""
    known = _known(connection, tenant, demonstration=demonstration)
    keys = connection.exec_driver_sql(
        "select claim_id, seq from assessment where tenant = %s and (%s::timestamptz is null or at <= %s) "
        "order by claim_id, seq",
        (tenant, known_at, known_at),
    ).all()
    found = Found()
    for row in _rows(connection, tenant, keys):
        found.assessments += 1
        fault = _fault(row, known)
        if fault is not None:
            found.differences.append(Differing(row.claim_no, row.seq, fault))
        if found.assessments % TELL_EVERY == 0:
            tell(found.assessments, len(keys))
    tell(found.assessments, len(keys))
    return found


def recompute_one(
    connection: Connection, claim_id: UUID, known_at: datetime | None, *, demonstration: bool
) -> dict[str, Json]:
    """The claim's last assessment made by then, computed again by what was known when it was made.

    Raises:
        NotFound: there is no such claim, or it had not been assessed by then.
    """
    key = connection.exec_driver_sql(
        "select tenant, claim_id, seq from assessment where claim_id = %s and (%s::timestamptz is null or at <= %s) "
        "order by seq desc limit 1",
        (claim_id, known_at, known_at),
    ).one_or_none()
    if key is None:
        raise not_found("该日之前的核定", "assessment made by that day")
    row = next(_rows(connection, key[0], [(key[1], key[2])]))
    known = _known(connection, key[0], demonstration=demonstration)
    computed = _computed(row, known)
    return {
        "claim_id": str(claim_id),
        "claim_no": row.claim_no,
        "assessment": row.seq,
        "revision": row.revision,
        "assessed_at": plain(row.at),
        "policy_version": row.policy_version,
        "stored_sha256": bytes(row.result_sha256).hex(),
        "computed_sha256": sha256(computed).hex(),
        "identical": computed == row.result.encode(),
        "difference": _fault(row, known),
    }


def _known(connection: Connection, tenant: str, *, demonstration: bool) -> list[Known]:
    rows = connection.exec_driver_sql(
        "select document, approved_at from policy_version where tenant = %s and state = 'approved' "
        "and (%s or not demonstration) order by version",
        (tenant, demonstration),
    )
    return [Known(read_policy(document), approved_at) for document, approved_at in rows]


def _rows(connection: Connection, tenant: str, keys: Any) -> Iterator[Any]:  # noqa: ANN401 - rows of the driver
    for first in range(0, len(keys), ROWS_AT_ONCE):
        some = keys[first : first + ROWS_AT_ONCE]
        yield from connection.exec_driver_sql(
            "select a.claim_id, a.seq, a.revision, c.claim_no, a.at, a.policy_version, a.reason, a.facts, a.result, "
            "a.result_sha256, r.submission from unnest(%s::uuid[], %s::integer[]) k (claim_id, seq) "
            "join assessment a on a.tenant = %s and a.claim_id = k.claim_id and a.seq = k.seq "
            "join claim c on c.tenant = a.tenant and c.id = a.claim_id "
            "join claim_revision r on r.tenant = a.tenant and r.claim_id = a.claim_id and r.revision = a.revision "
            "order by a.claim_id, a.seq",
            ([key[0] for key in some], [key[1] for key in some], tenant),
        ).all()


def _fault(row: Any, known: list[Known]) -> str | None:  # noqa: ANN401 - a row of the driver
    """What is not as it was: the version that governed, or any byte of the result."""
    claim = read_stored_submission(row.submission)
    governing = _governing(row, claim, known)
    version = None if governing is None else governing.version
    if version != row.policy_version:
        return f"policy version {row.policy_version} was not the one in force: {version}"
    computed = result_bytes(assess(claim, governing, read_stored_facts(row.facts)))
    if computed != row.result.encode():
        return "the result differs"
    return None if sha256(computed) == bytes(row.result_sha256) else "the digest differs"


def _computed(row: Any, known: list[Known]) -> bytes:  # noqa: ANN401 - a row of the driver
    claim = read_stored_submission(row.submission)
    return result_bytes(assess(claim, _governing(row, claim, known), read_stored_facts(row.facts)))


def _governing(row: Any, claim: Submission, known: list[Known]) -> Policy | None:  # noqa: ANN401 - a driver's row
    """The version that governed, of those approved by then: the one of the policy date.

    A claim that had waited for a value may have been assessed by the one in force when it no longer had to.
    """
    schemes = [each.policy for each in known if each.approved_at <= row.at and each.policy.scheme == claim.scheme]
    by_day = in_force(schemes, shanghai_day(claim.submitted_at))
    if row.reason == SUBMITTED or (by_day is not None and by_day.version == row.policy_version):
        return by_day
    return in_force(schemes, shanghai_day(row.at))
