"""What a tenant asks of a client that may act for it: signed requests, known addresses, a ceiling for each day.

A client that acts for several tenants is held to the terms of each: it signs where one of them asks for it, and calls
from where all of them let it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import Connection

from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid, Text, not_found
from tenants.kernel.money import Money

MAX_NETWORKS: Final = 50

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Terms:
    """One tenant's terms for one client; without any set, nothing is asked."""

    signature_required: bool = False
    networks: tuple[Network, ...] = ()
    """Where the client may call from; anywhere where there is none."""
    ceiling: Money | None = None
    """What it may claim of the tenant in one day of Shanghai."""

    def lets_in(self, address: str | None) -> bool:
        """Whether a call may come from the address."""
        if not self.networks:
            return True
        try:
            caller = ip_address(address or "")
        except ValueError:
            return False
        if isinstance(caller, IPv6Address) and caller.ipv4_mapped is not None:
            caller = caller.ipv4_mapped
        return any(caller in network for network in self.networks)

    def json(self) -> dict[str, Json]:
        """The terms as they are shown and as the audit chain tells them."""
        return {
            "signature_required": self.signature_required,
            "networks": [str(network) for network in self.networks],
            "ceiling": None if self.ceiling is None else str(self.ceiling),
        }


def networks_from(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks in their one spelling, each once.

    Raises:
        Invalid: one is no network in CIDR notation, or there are too many.
    """
    found: dict[Network, None] = {}
    faults = []
    for place, text in enumerate(texts):
        try:
            found[ip_network("" if "%" in text else text)] = None
        except ValueError:
            said = Text("须为 CIDR 网段，如 203.0.113.0/24。", "A network in CIDR notation, as 203.0.113.0/24.")
            faults.append(FieldError(f"/networks/{place}", "network.malformed", said))
    if len(texts) > MAX_NETWORKS:
        said = Text(f"最多 {MAX_NETWORKS} 个网段。", f"At most {MAX_NETWORKS} networks.")
        faults.append(FieldError("/networks", "networks.too_many", said))
    if faults:
        raise Invalid("client_terms.invalid", "客户端设置有误。", "The terms have faults.", errors=tuple(faults))
    return tuple(found)


def terms_of(connection: Connection, tenant: str, client_id: str) -> Terms:
    """The tenant's terms for the client.

    Raises:
        NotFound: there is no such client, or it does not act for this tenant.
    """
    row = connection.exec_driver_sql(
        "select t.signature_required, t.networks, t.ceiling_fen from client c "
        "left join client_terms t on t.client_id = c.client_id and t.tenant = %s "
        "where c.client_id = %s and %s = any(c.tenants)",
        (tenant, client_id, tenant),
    ).one_or_none()
    if row is None:
        raise not_found("客户端", "client")
    return Terms() if row[0] is None else _terms(*row)


def set_terms(work: Work, tenant: str, client_id: str, terms: Terms, person: str) -> None:
    """Ask this of the client from now on; every process knows within seconds.

    Raises:
        NotFound: there is no such client, or it does not act for this tenant.
    """
    before = terms_of(work.connection, tenant, client_id)
    ceiling_fen = None if terms.ceiling is None else terms.ceiling.fen
    networks = [str(network) for network in terms.networks]
    work.connection.exec_driver_sql(
        "insert into client_terms (client_id, tenant, signature_required, networks, ceiling_fen, set_by, set_at) "
        "values (%s, %s, %s, %s, %s, %s, %s) on conflict (client_id, tenant) do update set "
        "signature_required = excluded.signature_required, networks = excluded.networks, "
        "ceiling_fen = excluded.ceiling_fen, set_by = excluded.set_by, set_at = excluded.set_at",
        (client_id, tenant, terms.signature_required, networks, ceiling_fen, person, work.at),
    )
    details: dict[str, Json] = {"client_id": client_id, "before": before.json(), "after": terms.json()}
    change = Change(tenant, person, "client_terms.set", terms_subject(tenant, client_id), details=details)
    record(work.connection, [change], work.at)


def terms_from(rows: Iterable[Sequence[Any]] | None) -> tuple[Terms, ...]:
    """The terms of several tenants, as ``TERMS_OF_CLIENT`` answers them."""
    return tuple(_terms(*row) for row in rows or ())


TERMS_OF_CLIENT: Final = (
    "(select json_agg(json_build_array(t.signature_required, t.networks, t.ceiling_fen)) "
    "from client_terms t where t.client_id = c.client_id)"
)
"""A column of a query over ``client c``: what every tenant asks of it."""


def terms_subject(tenant: str, client_id: str) -> UUID:
    """What the audit chain calls the terms."""
    return uuid5(NAMESPACE_OID, f"client-terms/{tenant}/{client_id}")


def _terms(signature_required: bool, networks: Sequence[str], ceiling_fen: int | None) -> Terms:  # noqa: FBT001 - a row
    ceiling = None if ceiling_fen is None else Money(ceiling_fen)
    return Terms(signature_required, tuple(map(ip_network, networks)), ceiling)
