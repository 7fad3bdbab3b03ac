"""Yearly rewards of providers (年度奖励): up to a share of the services that vouchers supported, within a yearly cap.

苏科统发〔2021〕1号 五、1: 依据其年度累计涉及创新券服务实际总额和服务效益给予最高不超过5%的奖励，同一法人单位年度累计
奖励金额不超过50万元. Share and cap are terms of the scheme's policy.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from clearing.claims.vault import Vault
from settlement import ledger
from settlement.batches.batch import next_number
from settlement.batches.obligation import Obligation, open_obligations
from settlement.payouts.instruction import Account
from tenants.kernel.canonical import Json, canonical_bytes, plain
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.statements import read
from tenants.policy import Reward
from tenants.policy_store import approved_policies

_PAYEE: Final = b"payee-account\x00"
GRANTED: Final = "provider_reward_pkey"
"""The key that keeps a provider from being rewarded twice in a year."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider with the services of the year that vouchers supported and that were paid out; what it may get.

    ``granted``: what stands of its reward, zero where an objection to it was upheld; ``None`` where there was none.
    """

    provider_uscc: str
    provider_name: str
    platform: str
    services: Money
    claims: int
    ceiling: Money
    granted: Money | None

    def json(self) -> dict[str, Json]:
        """The candidate in the form of the API."""
        return {
            "provider_uscc": self.provider_uscc,
            "provider": self.provider_name,
            "services": str(self.services),
            "claims": self.claims,
            "ceiling": str(self.ceiling),
            "granted": None if self.granted is None else str(self.granted),
        }


@dataclass(frozen=True, slots=True)
class Grant:
    """What one provider is to get, on which account, and why."""

    provider_uscc: str
    amount: Money
    payee: Account
    reason: str


def terms_of(work: Work, tenant: str, scheme: str, year: int, *, demonstration: bool) -> Reward:
    """The reward's share and cap in the version that was in force at the year's end.

    Raises:
        Conflict: ``reward.none``: the scheme knows no reward.
    """
    policies = approved_policies(work.connection, tenant, [scheme], demonstration=demonstration)
    policy = policies.in_force(scheme, min(date(year, 12, 31), shanghai_day(work.at)))
    if policy is None or policy.reward is None:
        raise Conflict("reward.none", "该券种没有服务机构奖励条款。", "The scheme's policy knows no provider reward.")
    return policy.reward


def candidates(
    work: Work, tenant: str, scheme: str, year: int, terms: Reward, after: str, limit: int, only: str | None = None
) -> list[Candidate]:
    """At most ``limit`` providers behind the credit code ``after``: of claims of the year whose payment was ordered."""
    rows = work.connection.exec_driver_sql(
        "select c.provider_uscc, max(c.provider_name) as name, min(c.platform) as platform, "
        "sum(c.base_fen)::bigint as fen, count(*) as claims, "
        "max(case when r.obligation_id is not null then (select coalesce(sum(x.amount_fen), 0)::bigint "
        "from obligation g join obligation x on x.tenant = g.tenant and x.claim_no = g.claim_no and x.kind = g.kind "
        "and x.released_at is null where g.tenant = r.tenant and g.id = r.obligation_id) end) as granted "
        "from claim c join obligation o on o.tenant = c.tenant and o.id = c.id and o.released_at is null "
        "join batch b on b.tenant = o.tenant and b.id = o.batch_id and b.instructed_at is not null "
        "left join provider_reward r on r.tenant = c.tenant and r.scheme = c.scheme and r.year = c.quota_year "
        "and r.provider_uscc = c.provider_uscc "
        "where c.tenant = %s and c.scheme = %s and c.quota_year = %s and c.state = 'approved' and c.provider_uscc > %s "
        "and (%s::text is null or c.provider_uscc = %s) group by c.provider_uscc order by c.provider_uscc limit %s",
        (tenant, scheme, year, after, only, only, limit),
    )
    return [
        Candidate(
            row.provider_uscc, row.name, row.platform, Money(row.fen), row.claims,
            min(Money(row.fen).share(terms.rate.value), terms.cap.value),
            None if row.granted is None else Money(row.granted),
        )
        for row in rows
    ]  # fmt: skip


def grant_reward(
    work: Work, vault: Vault, tenant: str, scheme: str, year: int, grant: Grant, terms: Reward, actor: str
) -> dict[str, Json]:
    """Grant one provider its reward of a year that is over: an obligation for the next ``incentive`` batch.

    Raises:
        Conflict: ``reward.year_running``, ``reward.granted``, ``budget.exhausted``.
        Invalid: the provider had no voucher-supported service in the year, or the amount is above its ceiling.
    """
    if shanghai_day(work.at).year <= year:
        raise Conflict("reward.year_running", "年度尚未结束，不能发放奖励。", "The year is not over yet.")
    budget, owed = ledger.budget_account(scheme, year), ledger.obligations_account(scheme, year)
    left = read(work.connection, ledger.open_and_lock(tenant, {budget: None}))[budget].left
    found = candidates(work, tenant, scheme, year, terms, "", 1, grant.provider_uscc)
    if not found:
        raise _faulty("/provider_uscc", "reward.no_services", *_NO_SERVICES)
    candidate = found[0]
    if candidate.granted is not None:
        raise Conflict(
            "reward.granted", "该服务机构本年度已获奖励。", "The provider was rewarded for this year already."
        )
    if grant.amount > candidate.ceiling:
        said = f"上限为 {candidate.ceiling:,} 元。", f"It may get {candidate.ceiling:,} yuan at most."
        raise _faulty("/amount", "reward.above_ceiling", *said)
    if left is not None and grant.amount > left:
        raise Conflict("budget.exhausted", f"预算仅余 {left:,} 元。", f"Only {left:,} yuan of the budget are left.")
    obligation = _obligation(work, vault, tenant, scheme, year, candidate, grant)
    transfer = ledger.posted(budget, owed, grant.amount, "incentive", obligation.claim_id)
    ledger.open_accounts(work.connection, tenant, {owed: False})
    ledger.append(work.connection, tenant, [transfer], work.at)
    open_obligations(work.connection, tenant, [obligation], vault.sealer, work.at)
    work.connection.exec_driver_sql(
        "insert into provider_reward (tenant, scheme, year, provider_uscc, obligation_id, services_fen, ceiling_fen, "
        "amount_fen, reason, granted_by, granted_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            tenant, scheme, year, grant.provider_uscc, obligation.claim_id, candidate.services.fen,
            candidate.ceiling.fen, grant.amount.fen, grant.reason, actor, work.at,
        ),
    )  # fmt: skip
    details = _details(vault, scheme, year, candidate, grant, obligation)
    change = Change(tenant, actor, "reward.granted", obligation.claim_id, None, None, grant.reason, details)
    record(work.connection, [change], work.at)
    return {
        "id": str(obligation.claim_id), "reward_no": obligation.claim_no, "tenant": tenant, "scheme": scheme,
        "year": year, "provider_uscc": grant.provider_uscc, "provider": candidate.provider_name,
        "amount": str(grant.amount), "ceiling": str(candidate.ceiling), "granted_at": plain(work.at),
    }  # fmt: skip


def _details(
    vault: Vault, scheme: str, year: int, candidate: Candidate, grant: Grant, obligation: Obligation
) -> dict[str, Json]:
    """What the audit chain says of the grant; of the account number only its keyed digest."""
    return {
        "reward_no": obligation.claim_no, "scheme": scheme, "year": year, "provider_uscc": grant.provider_uscc,
        "provider": candidate.provider_name, "services": str(candidate.services), "ceiling": str(candidate.ceiling),
        "amount": str(grant.amount), "account_name": grant.payee.account_name, "bank_name": grant.payee.bank_name,
        "cnaps": grant.payee.cnaps, "platform": candidate.platform,
        "account": vault.content_mac(_PAYEE + canonical_bytes(grant.payee.payload())).hex(),
    }  # fmt: skip


def _obligation(
    work: Work, vault: Vault, tenant: str, scheme: str, year: int, candidate: Candidate, grant: Grant
) -> Obligation:
    code = work.connection.exec_driver_sql("select code from tenant where tenant = %s", (tenant,)).scalar_one()
    number = next_number(work.connection, tenant, "reward", year)
    reward_id: UUID = new_id()
    return Obligation(
        claim_id=reward_id, claim_no=f"RW-{code}-{year}-{number:04d}", platform=candidate.platform, scheme=scheme,
        mode="cross_redemption", quota_year=year, enterprise_name=candidate.provider_name,
        provider_name=candidate.provider_name, provider_uscc=candidate.provider_uscc,
        payee_name=candidate.provider_name, payee=grant.payee,
        payee_digest=vault.content_mac(_PAYEE + canonical_bytes(grant.payee.payload())), amount=grant.amount,
        kind="incentive",
    )  # fmt: skip


_NO_SERVICES: Final = (
    "该服务机构本年度没有已兑付的创新券服务。",
    "No service of this provider was supported by a voucher and paid out in the year.",
)


def _faulty(pointer: str, code: str, zh: str, en: str) -> Invalid:
    return Invalid("input.invalid", zh, en, errors=(FieldError(pointer, code, Text(zh, en)),))
