"""Reservations and support records: what they take, and that the chain tells of them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from clearing.verification.amounts import fen_of
from clearing.verification.claim_content import read_json
from clearing.verification.claim_keys import GROUP_WITHOUT_POLICY, version_differences
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import SHANGHAI, Entry
from clearing.verification.identities import project_number
from clearing.verification.notices import notice_differences, reservation_notices
from clearing.verification.probes import SEEN, probe_differences
from clearing.verification.snapshot import Row
from clearing.verification.terms import Terms
from tenants.kernel.money import Money

STEPS: Final[Mapping[str, frozenset[str | None]]] = {
    "requested": frozenset({None}),
    "confirmed": frozenset({"requested", "confirmed"}),
    "cancelled": frozenset({"requested", "confirmed"}),
    "expired": frozenset({"requested", "confirmed"}),
}
"""From which states an act leads to each; ``used`` is told by the claim that uses it."""
_SUPPORT_SCHEME: Final = "local"
_RED_LETTER: Final = "red-letter"
"""The scheme of a record that tells of cancelled invoices."""
_ENDS: Final = {"reservation.confirmed": "quota", "reservation.cancelled": "void"}


def reservation_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with one reservation."""
    place = f"reservation/{row.tenant}/{row.reservation_no}"
    entries = dossier.entries
    if not entries:
        yield differs("reservation.witness", place, "entries of the audit chain", None)
        return
    for entry in entries:
        if entry.from_state not in STEPS.get(str(entry.to_state), frozenset()):
            yield differs("reservation.step", f"{place}/state", entry.action, f"{entry.from_state} → {entry.to_state}")
    states = {entries[-1].to_state} | ({"used"} if entries[-1].to_state == "confirmed" else set())
    if row.state not in states:
        yield differs("reservation.witness", f"{place}/state", states, row.state)
    confirmed = next((entry for entry in reversed(entries) if entry.to_state == "confirmed"), None)
    if row.confirmed_by != (confirmed and confirmed.actor):
        yield differs("reservation.witness", f"{place}/confirmed_by", confirmed and confirmed.actor, row.confirmed_by)
    if (confirmed is None) != (row.confirmed_at is None) or (confirmed and not confirmed.witnesses(row.confirmed_at)):
        yield differs("reservation.witness", f"{place}/confirmed_at", confirmed and confirmed.at, row.confirmed_at)
    yield from _request(place, dossier, row, context)
    yield from _amount(place, row, context)
    yield from _set_aside(dossier, row, context)
    yield from notice_differences(dossier, reservation_notices(dossier, row))


def _request(place: str, dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    said, details = read_json(row.request), dossier.entries[0].details
    lowered = next((each for each in reversed(dossier.entries) if each.to_state == "confirmed"), None)
    if said is None or dossier.entries[0].contradicts("request", row.request):
        yield differs("reservation.request", f"{place}/request", "the request of the audit chain", row.request)
        return
    on = row.requested_at.astimezone(SHANGHAI).date()
    expected = {
        "tenant": said["tenant"],
        "external_id": said["external_id"],
        "scheme": said["scheme"],
        "mode": said["mode"],
        "enterprise_uscc": said["enterprise"]["uscc"],
        "enterprise_name": said["enterprise"]["name"],
        "provider_uscc": said["provider"]["uscc"],
        "provider_name": said["provider"]["name"],
        "contract_number": project_number(said["contract"]["number"]),
        "requested_at": datetime.fromisoformat(said["requested_at"]),
    }
    yield from compared("reservation.request", place, expected, row)
    spans = {_span(t, on) for (of, _), t in context.policies.items() if (of, t.scheme) == (row.tenant, row.scheme)}
    if (row.quota_year, row.expires_on) not in spans:
        column = "expires_on" if row.quota_year in {year for year, _ in spans} else "quota_year"
        yield differs("reservation.request", f"{place}/{column}", sorted(spans), (row.quota_year, row.expires_on))
    stated = {
        "reservation_no": (details.get("reservation_no"), row.reservation_no),
        "external_id": (details.get("external_id"), row.external_id),
        "computed_fen": (details.get("amount"), str(Money(row.computed_fen))),
        "amount_fen": (dossier.entries[-1].details.get("amount"), str(Money(row.amount_fen))),
        "lowered_reason": (lowered.reason if lowered is not None else None, row.lowered_reason),
    }
    for column, (wanted, found) in stated.items():
        if wanted != found:
            yield differs("reservation.witness", f"{place}/{column}", wanted, found)


def _span(terms: Terms, on: date) -> tuple[int, date]:
    """The quota year of the day, and its last day."""
    year, (month, day) = terms.quota_year(on), terms.year_starts
    if (month, day) == (1, 1):
        return year, date(year, 12, 31)
    return year, date(year, month, day) - timedelta(days=1)


def _amount(place: str, row: Row, context: Context) -> Iterator[Difference]:
    """Not above what any version of the policy gives for the contract, nor what was asked for."""
    said = read_json(row.request)
    if said is None:
        return
    enterprise, total = said["enterprise"], Money.parse(said["contract"]["amount"])
    most = [0]
    for (tenant, version), terms in context.policies.items():
        zone = terms.zone(enterprise["division"], enterprise["resident_of"])
        if (tenant, version.split("/")[1]) == (row.tenant, row.scheme) and zone.rate is not None:
            bounds = [Money(_listed(said, terms, total.fen)).share(zone.rate).fen, zone.annual_cap_fen]
            bounds.append(None if said.get("amount") is None else Money.parse(said["amount"]).fen)
            most.append(min(bound for bound in bounds if bound is not None))
    if row.computed_fen > max(most):
        yield differs("reservation.amount", f"{place}/computed_fen", Money(max(most)), Money(row.computed_fen))
    if row.amount_fen > row.computed_fen:
        yield differs("reservation.amount", f"{place}/amount_fen", Money(row.computed_fen), Money(row.amount_fen))


def _listed(said: Mapping[str, Any], terms: Terms, total_fen: int) -> int:
    """What of the contract the catalogue holds, where its services are named."""
    if not said.get("services"):
        return total_fen
    return min(total_fen, sum(fen_of(each["amount"]) for each in said["services"] if each["item"] in terms.items))


def _set_aside(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    transfers = dossier["ledger_transfer"]
    ended = {each.pending_id for each in transfers if each.pending_id is not None}
    pending = Counter(
        (each.debit, each.credit, each.amount_fen)
        for each in transfers
        if each.kind == "pending" and each.id not in ended
    )
    year, caps = f"{row.scheme}/{row.quota_year}", _caps(row, context)
    moved = {each.debit.split("/")[1] for each in transfers if each.debit.startswith("quota/")}
    capped = f"{min(moved & caps, default=min(caps, default=row.scheme))}/{row.quota_year}"
    aside = [
        (f"quota/{capped}/{row.enterprise_uscc}", f"quota-used/{capped}", row.amount_fen),
        (f"budget/{year}", f"obligations/{year}", row.amount_fen),
    ]
    expected = Counter(aside if row.state == "confirmed" else [])
    if pending != expected:
        where = f"ledger_transfer/{row.tenant}/{row.reservation_no}"
        yield differs("reservation.set_aside", where, sorted(expected), sorted(pending))
    for each in transfers:
        where = f"ledger_transfer/{dossier.tenant}/{each.id}"
        if each.kind == "pending":
            reasons = {"quota" if each.debit.startswith("quota/") else "award"}
        else:
            reasons = {"reservation used", "reservation cancelled", "reservation expired", "reservation lowered"}
        if each.reason not in reasons:
            yield differs("transfer.reason", f"{where}/reason", reasons, each.reason)
        acts = [entry for entry in dossier.entries if entry.witnesses(each.at)]
        if not acts and each.reason != "reservation used":
            yield differs("transfer.witness", f"{where}/at", "the time of one of its acts", each.at)


_REGISTERED: Final = "support_record.registered"
"""The entry of a record from before there were chunks, which had one of its own."""
_SET_ASIDE: Final = "support_record.set_aside"
"""A record blocks from its registration on, until a case decides that it does not stand."""


def _caps(row: Row, context: Context) -> frozenset[str]:
    """The annual caps that a version of the scheme had begun with on the day of the request."""
    on = row.requested_at.astimezone(SHANGHAI).date()
    return frozenset(
        terms.cap
        for (of, _), terms in context.policies.items()
        if (of, terms.scheme) == (row.tenant, row.scheme) and terms.effective_on <= on
    )


def support_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with one support record and its holdings."""
    place = f"support_record/{row.tenant}/{row.id}"
    actions = [each.action for each in dossier.entries]
    stands = _SET_ASIDE not in actions
    if actions != [_REGISTERED][: row.chunk_id is None] + [_SET_ASIDE][: not stands]:
        yield differs("support.witness", place, "one entry of the audit chain, or a chunk", actions)
        return
    if row.chunk_id is None:
        entry = dossier.entries[0]
        yield from _own_entry(place, row, entry, context)
    else:
        entry = _in_chunk(row)
    holdings = dossier["registry_holding"]
    red_letter = entry.details.get("red_letter") is True
    keys = row.keys if stands else 0
    for version, state in context.key_versions.items():
        held_now = sum(held.key_version == version for held in holdings)
        if (state == "current" and held_now != keys) or held_now > keys:
            yield differs("support.keys", f"registry_holding/{row.tenant}/{row.id}", keys, held_now)
    yield from version_differences(holdings, f"registry_holding/{row.tenant}/{row.id}", context)
    yield from probe_differences(dossier, [(entry, row.platform, f"{row.supported_on:%Y-%m}", row.client_id)])
    columns: dict[str, Any] = {
        "exclusion_group": GROUP_WITHOUT_POLICY,
        "holder_kind": "support",
        "scheme": _RED_LETTER if red_letter else _SUPPORT_SCHEME,
        "platform": row.platform,
        "month": f"{row.supported_on:%Y-%m}",
    }
    for held in holdings:
        where = f"registry_holding/{row.tenant}/{row.id}/{bytes(held.digest).hex()}"
        yield from compared("registry.holding", where, columns, held)
        if (held.stated_fen is not None) if red_letter else held.claimed_fen != (held.stated_fen or 0):
            yield differs("registry.holding", f"{where}/claimed_fen", held.stated_fen, held.claimed_fen)


def _own_entry(place: str, row: Row, entry: Entry, context: Context) -> Iterator[Difference]:
    expected = {name: entry.details.get(name) for name in ("platform", "external_id", "keys")}
    yield from compared("support.witness", place, {**expected, "red_letter": None, "seen": None}, row)
    if not entry.witnesses(row.received_at):
        yield differs("support.witness", f"{place}/received_at", entry.at, row.received_at)
    client = context.clients.get(row.client_id)
    if client is None or (client.person or client.client_id) != entry.actor:
        yield differs("support.witness", f"{place}/client_id", f"a client: {entry.actor}", row.client_id)


def _in_chunk(row: Row) -> Entry:
    """What its chunk's entry says of the record, as the row repeats it: that both agree is checked by the chunk."""
    said: dict[str, Any] = {"red_letter": row.red_letter, **({} if row.seen is None else {SEEN: row.seen})}
    return Entry(0, row.received_at, False, "", _REGISTERED, None, "live", None, said)  # noqa: FBT003 - not raised
