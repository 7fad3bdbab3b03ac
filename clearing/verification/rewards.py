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
       o.approved_at, o.released_at, o.kind, o.funder, o.origin_id, o.due_on, o.provider_division
  from provider_reward r left join obligation o on o.tenant = r.tenant and o.id = r.obligation_id
 order by r.tenant, r.scheme, r.year, r.provider_uscc
"""
_UNGRANTED: Final = """
select o.tenant, o.id from obligation o where o.kind = 'incentive'
   and not exists (select 1 from provider_reward r where r.tenant = o.tenant and r.obligation_id = o.id)
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
    for row in snapshot.rows(_UNGRANTED):
        yield differs("reward.unwitnessed", f"obligation/{row.tenant}/{row.id}", "a reward that was granted", None)
    for (tenant, subject), entries in context.settings.items():
        if entries[0].action.startswith("reward.") and (tenant, subject) not in seen:
            yield differs("reward.unwitnessed", f"provider_reward/{tenant}/{subject}", "one row", None)


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
        "approved_at": row.granted_at, "released_at": None, "kind": "incentive", "funder": None, "origin_id": None,
        "due_on": None, "provider_division": None,
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
