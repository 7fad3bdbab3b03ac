"""Yearly rewards: each as the chain tells, within the policy's share and cap, once a year, paid as it was granted."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.terms import in_force
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

_PAYEE: Final = b"payee-account\0"
_REWARDS: Final = """
select r.tenant, r.scheme, r.year, r.provider_uscc, r.obligation_id, r.services_fen, r.ceiling_fen, r.amount_fen,
       r.reason, r.granted_by, r.granted_at, o.id as o_id, o.claim_no, o.platform, o.scheme as o_scheme, o.mode,
       o.quota_year, o.enterprise_name, o.provider_name, o.provider_uscc as o_provider_uscc, o.payee_name,
       o.account_name, o.account_sealed, o.payee_digest, o.bank_name, o.cnaps, o.amount_fen as o_amount_fen,
       o.approved_at, o.released_at, o.kind, o.funder, o.origin_id, o.due_on, o.provider_division, d.decided_at
  from provider_reward r left join obligation o on o.tenant = r.tenant and o.id = r.obligation_id
  left join objection_upholding_decision d
    on d.tenant = r.tenant and d.obligation_id = r.obligation_id and d.outcome = 'approve'
 order by r.tenant, r.scheme, r.year, r.provider_uscc
"""
_UNGRANTED: Final = """
select o.tenant, o.id from obligation o where o.kind = 'incentive'
   and not exists (select 1 from provider_reward r where r.tenant = o.tenant and r.obligation_id = o.id)
   and not exists (select 1 from objection_upholding_decision d where d.tenant = o.tenant and d.instead_id = o.id)
"""
_LOWERED: Final = """
select d.tenant, d.instead_id,
       (f.claim_no, f.platform, f.scheme, f.mode, f.quota_year, f.enterprise_name, f.provider_name, f.provider_uscc,
        f.payee_name, f.account_name, f.payee_digest, f.bank_name, f.cnaps, f.kind, f.provider_division, u.keeps_fen,
        d.decided_at)::text as first,
       (o.claim_no, o.platform, o.scheme, o.mode, o.quota_year, o.enterprise_name, o.provider_name, o.provider_uscc,
        o.payee_name, o.account_name, o.payee_digest, o.bank_name, o.cnaps, o.kind, o.provider_division, o.amount_fen,
        o.approved_at)::text as kept,
       o.account_sealed, f.id as of_id, f.account_sealed as of_sealed,
       (o.funder, o.origin_id, o.due_on) is not distinct from (f.funder, f.origin_id, f.due_on) as same
  from objection_upholding_decision d
  join objection_upholding u on u.tenant = d.tenant and u.id = d.upholding_id
  left join obligation f on f.tenant = d.tenant and f.id = d.obligation_id
  left join obligation o on o.tenant = d.tenant and o.id = d.instead_id
 where d.instead_id is not null and f.kind is distinct from 'matching'
"""


def reward_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with any reward, and rewards that nobody granted."""
    seen = set()
    for row in snapshot.counted("provider rewards", snapshot.stream(_REWARDS)):
        place = f"provider_reward/{row.tenant}/{row.scheme}/{row.year}/{row.provider_uscc}"
        seen.add((row.tenant, row.obligation_id))
        entries = context.settings.get((row.tenant, row.obligation_id), [])
        if len(entries) != 1 or row.o_id is None:
            yield differs("reward.unwitnessed", place, "one grant of the audit chain", len(entries))
            continue
        said, entry = entries[0].details, entries[0]
        expected = {
            "scheme": said.get("scheme"), "year": said.get("year"), "provider_uscc": said.get("provider_uscc"),
            "granted_by": entry.actor, "reason": entry.reason,
            "granted_at": row.granted_at if entry.witnesses(row.granted_at) else entry.at,
        }  # fmt: skip
        yield from compared("reward.witness", place, expected, row)
        for name, fen in (("services", row.services_fen), ("ceiling", row.ceiling_fen), ("amount", row.amount_fen)):
            if said.get(name) != str(Money(fen)):
                yield differs("reward.witness", f"{place}/{name}_fen", said.get(name), Money(fen))
        yield from _terms(place, row, context)
        yield from _owed(row, said, context)
    for row in snapshot.rows(_LOWERED):
        yield from _lowered(row, context)
    for row in snapshot.rows(_UNGRANTED):
        yield differs("reward.unwitnessed", f"obligation/{row.tenant}/{row.id}", "a reward that was granted", None)
    for (tenant, subject), entries in context.settings.items():
        if entries[0].action.startswith("reward.") and (tenant, subject) not in seen:
            yield differs("reward.unwitnessed", f"provider_reward/{tenant}/{subject}", "one row", None)


def _lowered(row: Row, context: Context) -> Iterator[Difference]:
    """What is kept of a reward is the same obligation, to the same account, of what two people left of it."""
    place = f"obligation/{row.tenant}/{row.instead_id}"
    if row.first != row.kept or not row.same:
        yield differs("reward.owed", place, row.first, row.kept)
    if context.secrets is not None and row.account_sealed is not None:
        numbers = [
            context.secrets.field_value(bytes(sealed), "obligation", "account_sealed", row.tenant, str(subject))
            for sealed, subject in ((row.of_sealed, row.of_id), (row.account_sealed, row.instead_id))
        ]
        if numbers[0] is None or numbers[0] != numbers[1]:
            yield differs("reward.owed", f"{place}/account_sealed", "the account that was granted", "another")


def _terms(place: str, row: Row, context: Context) -> Iterator[Difference]:
    """The ceiling is the policy's share of the services, within the policy's cap."""
    terms = in_force(context.policies, row.tenant, row.scheme, date(row.year, 12, 31), row.granted_at)
    if terms is None or terms.reward is None:
        yield differs("reward.terms", place, "terms of the policy", None)
        return
    (above, below), cap_fen = terms.reward
    ceiling = min(row.services_fen * above // below, cap_fen)
    if row.ceiling_fen != ceiling:
        yield differs("reward.terms", f"{place}/ceiling_fen", Money(ceiling), Money(row.ceiling_fen))
    if row.amount_fen > row.ceiling_fen:
        yield differs("reward.terms", f"{place}/amount_fen", f"at most {Money(ceiling)}", Money(row.amount_fen))


def _owed(row: Row, said: Mapping[str, Any], context: Context) -> Iterator[Difference]:
    place = f"obligation/{row.tenant}/{row.obligation_id}"
    expected = {
        "claim_no": said.get("reward_no"), "platform": said.get("platform"), "o_scheme": row.scheme,
        "mode": "cross_redemption", "quota_year": row.year, "enterprise_name": said.get("provider"),
        "provider_name": said.get("provider"), "o_provider_uscc": row.provider_uscc,
        "payee_name": said.get("provider"), "account_name": said.get("account_name"),
        "bank_name": said.get("bank_name"), "cnaps": said.get("cnaps"), "o_amount_fen": row.amount_fen,
        "approved_at": row.granted_at, "released_at": row.decided_at, "kind": "incentive",
        "funder": None, "origin_id": None, "due_on": None, "provider_division": None,
    }  # fmt: skip
    yield from compared("reward.owed", place, expected, row)
    if bytes(row.payee_digest).hex() != said.get("account"):
        yield differs("reward.owed", f"{place}/payee_digest", said.get("account"), row.payee_digest)
    if context.secrets is None:
        return
    number = context.secrets.field_value(
        bytes(row.account_sealed), "obligation", "account_sealed", row.tenant, str(row.obligation_id)
    )
    shown = {name: getattr(row, name) for name in ("account_name", "bank_name", "cnaps")}
    digest = None
    if number is not None:
        digest = context.secrets.content_mac(_PAYEE + canonical_bytes({**shown, "account_number": number.decode()}))
    if digest is None or digest.hex() != said.get("account"):
        yield differs("reward.owed", f"{place}/account_sealed", "the account that was granted", "another")
