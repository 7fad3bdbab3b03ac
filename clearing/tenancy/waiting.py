"""What else waits for people: policies, lists, applications, cases; and what is late. Each found by an index."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Cases:
    """Suspected duplicates that nobody has decided; ``overdue`` of them past their day."""

    open: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Jobs:
    """Work of one kind that is due and was tried often without success."""

    kind: str
    count: int


def policies_waiting(connection: Connection, actor: str) -> tuple[int, int]:
    """Versions that wait for a decision of this person, and drafts that this person has not submitted."""
    submitted, drafts = connection.exec_driver_sql(
        "select count(*) filter (where state = 'submitted' and %s not in (author, coalesce(submitter, ''))), "
        "count(*) filter (where state in ('draft', 'rejected') and author = %s) from policy_version "
        "where tenant = any((select bound_tenants())::text[])",
        (actor, actor),
    ).one()
    return submitted, drafts


def trust_lists_waiting(connection: Connection, actor: str) -> int:
    """Proposed trust lists that wait for a decision of this person."""
    return _proposed(connection, "trust_list", actor)


def linked_regions_waiting(connection: Connection, actor: str) -> int:
    """Proposed lists of linked regions that wait for a decision of this person."""
    return _proposed(connection, "linked_region_list", actor)


def linkages_waiting(connection: Connection, actor: str) -> int:
    """Proposed commitments of linked regions that wait for a decision of this person."""
    return _proposed(connection, "linkage", actor)


def account_proposals_waiting(connection: Connection, actor: str) -> int:
    """Proposed accounts, roles and resets that wait for a decision of this person."""
    return _proposed(connection, "account_proposal", actor, " and person <> %s")


def _proposed(connection: Connection, table: str, actor: str, besides: str = "") -> int:
    found: int = connection.exec_driver_sql(
        f"select count(*) from {table} where tenant = any((select bound_tenants())::text[]) "  # noqa: S608 - ours
        f"and state = 'proposed' and proposed_by <> %s{besides}",
        (actor,) * (1 + besides.count("%s")),
    ).scalar_one()
    return found


def applications_waiting(connection: Connection) -> tuple[int, int]:
    """Enterprises that applied for their year, and providers for the directory."""
    qualifications, admissions = (
        connection.exec_driver_sql(
            f"select count(*) from {table} where tenant = any((select bound_tenants())::text[]) "  # noqa: S608 - ours
            "and state = 'applied'"
        ).scalar_one()
        for table in ("qualification", "admission")
    )
    return qualifications, admissions


def open_cases(connection: Connection, today: date) -> Cases:
    """The cases of the bound tenants' sides that are open."""
    count, overdue = connection.exec_driver_sql(
        "select count(*), count(*) filter (where due_on < %s) from duplicate_case where resolved_at is null "
        "and (later_tenant = any((select bound_tenants())::text[]) "
        "or earlier_tenant = any((select bound_tenants())::text[]))",
        (today,),
    ).one()
    return Cases(count, overdue)


def stuck_jobs(connection: Connection, attempts: int) -> list[Jobs]:
    """Open outbox rows that were tried at least so often."""
    rows = connection.exec_driver_sql(
        "select kind, count(*) from outbox where done_at is null and attempts >= %s group by kind order by kind",
        (attempts,),
    )
    return [Jobs(kind, count) for kind, count in rows]
