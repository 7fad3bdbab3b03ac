"""Looks (探查) at what other tenants hold: each is logged for the side that was looked at, and a client has so many.

A submission that meets another tenant's key is answered with that side's platform, month and reference. That is one
look. Its row belongs to the tenant that was looked at, whose auditor reads of the seeker the same three things. The
chain of the tenant that looked holds a digest of its looks, so that no row can be dropped, added or changed unseen.

Whoever holds a platform's key could try number after number. So a client that met so many foreign keys within one hour
of the clock (``Settings.looks_per_hour``; the submission that passes it is still answered) is refused, whatever it
sends and whether or not it would meet another: the refusal tells nothing. Well before that the scheduler raises an
alarm (``alarm_at``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.registry import Holder
from tenants.kernel.canonical import Json, canonical_bytes, sha256
from tenants.kernel.errors import TooManyRequests
from tenants.kernel.ids import new_id
from tenants.kernel.statements import Query, Write

ALARMS_AT_PART: Final = 10
"""The service raises an alarm at this part of the limit."""
SEEN: Final = "seen"
"""The member of an audit entry's details that holds the digest of the submission's looks."""
_HOUR: Final = timedelta(hours=1)

Others = frozenset[tuple[str, str, UUID]]
"""What other tenants hold of a submission's keys: their tenant, the key's kind, their claim or support record."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One look as it is logged."""

    tenant: str
    id: UUID
    kind: str
    holder_id: UUID
    seeker_id: UUID
    platform: str
    month: str


class Looks:
    """The looks of one transaction: their rows, and what each seeker's audit entry says of its own."""

    def __init__(self, met: Iterable[tuple[Holder, Others]]) -> None:
        self._by_seeker: dict[UUID, list[Probe]] = {}
        for seeker, others in met:
            for tenant, kind, holder_id in sorted(others):
                self._by_seeker.setdefault(seeker.holder_id, []).append(
                    Probe(tenant, new_id(), kind, holder_id, seeker.holder_id, seeker.platform, seeker.month)
                )

    def seen(self, seeker_id: UUID) -> Mapping[str, Json]:
        """What the seeker's audit entry adds to its details: nothing where it met nobody."""
        probes = self._by_seeker.get(seeker_id)
        return {} if probes is None else {SEEN: digest_of(probes)}

    def writes(self, client_id: str, at: datetime) -> tuple[Write, Write]:
        """The rows, and how many more the client has met in this hour."""
        probes = [probe for one in self._by_seeker.values() for probe in one]
        rows = [(p.tenant, p.id, p.kind, p.holder_id, p.seeker_id, p.platform, p.month, client_id, at) for p in probes]
        counted = [(client_id, hour_of(at), len(probes))] if probes else []
        return (
            Write("registry_probe", _COLUMNS, rows),
            Write("client_probes", ("client_id", "hour_at", "probes"), counted, _COUNT),
        )


_COLUMNS: Final = ("tenant", "id", "kind", "holder_id", "seeker_id", "platform", "month", "client_id", "at")
_COUNT: Final = "on conflict (client_id, hour_at) do update set probes = client_probes.probes + excluded.probes"


def digest_of(probes: Sequence[Probe]) -> str:
    """The digest of one submission's looks, in the order of their ids."""
    said: list[Json] = [[str(p.id), p.tenant, p.kind, str(p.holder_id)] for p in sorted(probes, key=lambda p: p.id)]
    return sha256(canonical_bytes(said)).hex()


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def met_this_hour(client_id: str, at: datetime) -> Query[int]:
    """How many foreign keys the client has met in this hour."""
    statement = "select probes from client_probes where client_id = %s and hour_at = %s"
    return Query(statement, (client_id, hour_of(at)), lambda rows: rows[0][0] if rows else 0)


def too_many(at: datetime) -> TooManyRequests:
    """The answer to a client that has met too many."""
    return TooManyRequests(
        "registry.probes_exceeded",
        "本客户端一小时内命中其他区域登记的次数过多，请稍后再试；管理机构已收到提示。",
        "This client met too many entries of other tenants within an hour; try again later. The operator is told.",
        retry_after_seconds=ceil((hour_of(at) + _HOUR - at).total_seconds()),
    )


def alarm_at(per_hour: int) -> int:
    """From how many foreign keys in one hour on a client raises an alarm."""
    return max(1, per_hour // ALARMS_AT_PART)


def alarming(connection: Connection, at: datetime, per_hour: int) -> list[tuple[str, int]]:
    """The clients that met enough foreign keys in this hour to raise an alarm, and how many."""
    rows = connection.exec_driver_sql(
        "select client_id, probes from client_probes where hour_at = %s and probes >= %s order by client_id",
        (hour_of(at), alarm_at(per_hour)),
    )
    return [(client_id, probes) for client_id, probes in rows]


@dataclass(frozen=True, slots=True)
class Look:
    """One look as the side that was looked at reads it."""

    id: UUID
    tenant: str
    kind: str
    own_reference: UUID
    platform: str
    month: str
    reference: UUID
    at: datetime


def looks_at(connection: Connection, tenant: str | None, after: UUID | None, limit: int) -> list[Look]:
    """The looks at what the bound tenants hold, the oldest first; ``tenant`` narrows them to one."""
    rows: Any = connection.exec_driver_sql(
        "select id, tenant, kind, holder_id, platform, month, seeker_id, at from registry_probe "
        "where (%s::text is null or tenant = %s) and (%s::uuid is null or id > %s) order by id limit %s",
        (tenant, tenant, after, after, limit),
    )
    return [Look(*row) for row in rows]
