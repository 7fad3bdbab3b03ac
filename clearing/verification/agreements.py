"""Agreements: what both sides' chains say, word for word, and nothing in force that not both have agreed to."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from clearing.verification.chain import Settings
from clearing.verification.claim_content import mask
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.unsealing import OpenedSecrets
from tenants.kernel.canonical import plain
from tenants.kernel.money import Money

_AGREEMENTS: Final = """
select tenant, id, counterparty, form, netting, agreement_set, effective_on, document, exposure_limit_fen,
       exposure_approver, agent_name, agent_account_sealed, agent_account_tail, agent_bank_name, agent_cnaps, state,
       proposed_by, proposed_at, approved_by, approved_at, accepted_by, accepted_at, refused_by, refused_at,
       refused_reason, partner, sends_orders
  from agreement order by tenant, id
"""
STEPS: Final[Mapping[str, frozenset[str | None]]] = {
    "agreement.proposed": frozenset({None}),
    "agreement.approved": frozenset({"proposed"}),
    "agreement.accepted": frozenset({"proposed"}),
    "agreement.refused": frozenset({"proposed"}),
}
_DOERS: Final = ("proposed", "approved", "accepted", "refused")
_AGENT: Final = {
    "account_name": "agent_name",
    "account_number": "agent_account_tail",
    "bank_name": "agent_bank_name",
    "cnaps": "agent_cnaps",
}


def read_agreements(snapshot: Snapshot) -> dict[UUID, Row]:
    """All agreements by id: there are a few for each pair of tenants."""
    return {row.id: row for row in snapshot.rows(_AGREEMENTS)}


def agreement_differences(
    snapshot: Snapshot, agreements: Mapping[UUID, Row], settings: Settings, secrets: OpenedSecrets | None
) -> Iterator[Difference]:
    """What is agreed otherwise than the chains say."""
    for row in agreements.values():
        snapshot.tally["agreements"] += 1
        place = f"agreement/{row.tenant}/{row.id}"
        sides = [side for side in (row.tenant, row.partner) if side is not None]
        chains = [settings.get((side, row.id), []) for side in sides]
        if not all(chains):
            yield differs("agreement.unwitnessed", place, "entries in the chains of both sides", None)
            continue
        yield from _witnessed(place, row, chains)
        yield from _parties(place, row)
        if secrets is not None and row.agent_account_sealed is not None:
            sealed = bytes(row.agent_account_sealed)
            number = secrets.field_value(sealed, "agreement", "agent_account_sealed", row.tenant, str(row.id))
            if number is None or mask(number.decode()) != row.agent_account_tail:
                yield differs("agreement.sealed", f"{place}/agent_account_sealed", row.agent_account_tail, "another")
    for (tenant, subject), entries in settings.items():
        if entries[0].action.startswith("agreement.") and subject not in agreements:
            yield differs("agreement.absent", f"agreement/{tenant}/{subject}", "one row", None)


def _witnessed(place: str, row: Row, chains: list[list[Entry]]) -> Iterator[Difference]:
    """The chains of both sides tell the same, and the row with them."""
    own = chains[0]
    told = [[_told(entry) for entry in chain] for chain in chains]
    if any(other != told[0] for other in told[1:]):
        yield differs("agreement.sides", place, told[0], told[-1])
    expected: dict[str, Any] = dict.fromkeys((f"{step}_{what}" for step in _DOERS for what in ("by", "at")), None)
    state: str | None = None
    for entry in own:
        if entry.from_state not in STEPS.get(entry.action, frozenset()) or entry.from_state != state:
            yield differs("agreement.step", f"{place}/entry/{entry.seq}", state, entry.from_state)
        step, state = entry.action.removeprefix("agreement."), entry.to_state
        expected[f"{step}_by"] = entry.actor
        at = getattr(row, f"{step}_at", None)
        expected[f"{step}_at"] = at if entry.witnesses(at) else entry.at
    refusal = next((entry.reason for entry in own if entry.action == "agreement.refused"), None)
    yield from compared("agreement.witness", place, {**expected, "state": state, "refused_reason": refusal}, row)
    yield from _content(place, row, own[0].details)


def _content(place: str, row: Row, said: Mapping[str, Any]) -> Iterator[Difference]:
    names = ("tenant", "counterparty", "form", "netting", "agreement_set", "document", "exposure_approver")
    yield from compared("agreement.witness", place, {name: said.get(name) for name in names}, row)
    limit = None if row.exposure_limit_fen is None else str(Money(row.exposure_limit_fen))
    for column, wanted, found in (
        ("effective_on", said.get("effective_on"), plain(row.effective_on)),
        ("exposure_limit_fen", said.get("exposure_limit"), limit),
        ("sends_orders", said.get("sends_orders", False), row.sends_orders),  # older entries do not say it
    ):
        if wanted != found:
            yield differs("agreement.witness", f"{place}/{column}", wanted, found)
    agent = said.get("agent") or {}
    yield from compared("agreement.witness", place, {column: agent.get(name) for name, column in _AGENT.items()}, row)
    if (row.agent_account_sealed is None) != (not agent):
        yield differs("agreement.sealed", f"{place}/agent_account_sealed", bool(agent), row.agent_account_sealed)


def _parties(place: str, row: Row) -> Iterator[Difference]:
    people = [each for each in (row.proposed_by, row.approved_by, row.accepted_by) if each is not None]
    if len(set(people)) != len(people):
        yield differs("agreement.people", place, "three different people", people)
    agreed = row.approved_by is not None and (row.partner is None or row.accepted_by is not None)
    if (row.state == "approved") != agreed:
        yield differs("agreement.people", f"{place}/state", "approved" if agreed else "proposed", row.state)
    partner = row.counterparty if row.counterparty[:1].isalpha() else None
    if row.partner != partner:
        yield differs("agreement.people", f"{place}/partner", partner, row.partner)


def _told(entry: Entry) -> tuple[Any, ...]:
    return entry.actor, entry.action, entry.from_state, entry.to_state, entry.reason, dict(entry.details)
