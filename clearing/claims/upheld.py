"""What becomes of an item on hold when its objection is upheld (异议成立): its money goes back to where it came from.

A provider's reward goes back to the budget of its year, whole or in part. A linked region's matching is taken back in
both regions' books and frees the enterprise's cap. A payment that is issued again is either back with what came back,
for another account, or given up: its award goes back to budget and quota of its year, its matching is owed no more,
and its spending is free for another claim.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims import registry
from clearing.claims.quota import returned_quota
from clearing.claims.vault import Vault
from settlement import ledger
from settlement.batches.held_items import HeldItem
from settlement.batches.obligation import Obligation, account_place, open_obligations
from settlement.batches.settling import hold_batches
from settlement.batches.upholding import WITHDRAWN, Said, Upholding, decide
from settlement.matching_back import UPHELD, Back, free_waiting, reach_linked, take_back
from settlement.payouts.instruction import Account
from settlement.payouts.telling import tell_upheld
from tenants.kernel.database import Work, reach
from tenants.kernel.errors import Conflict
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money
from tenants.kernel.sealing import Sealer

REASON: Final = "objection upheld"
"""Why transfers are taken back, and award and quota given back."""
_ROOT: Final = (
    "with recursive up (id, of_obligation) as (select obligation_id, of_obligation from reissue "
    "where tenant = %s and obligation_id = %s union all select r.obligation_id, r.of_obligation from up "
    "join reissue r on r.tenant = %s and r.obligation_id = up.of_obligation) "
    "select o.id, o.kind, (select array_agg(b.batch_id) from up join obligation b on b.tenant = o.tenant "
    "and b.id = up.of_obligation) as batches from up join obligation o on o.tenant = %s and o.id = up.of_obligation "
    "where not exists (select 1 from reissue r where r.tenant = o.tenant and r.obligation_id = o.id)"
)


@dataclass(frozen=True, slots=True)
class _Ending:
    """One decision that ends an item."""

    work: Work
    vault: Vault
    tenant: str
    actor: str
    upholding: Upholding
    item: Any
    """The item's whole row of ``obligation``."""


def decide_upholding(
    work: Work, vault: Vault, tenant: str, obligation_id: UUID, outcome: str, reason: str | None, actor: str
) -> Upholding:
    """Decide on the proposed finding, as another person; where it is approved, the item ends as it says.

    One transaction over both books, the registry, audit chain and outbox.

    Raises:
        NotFound, Conflict, Forbidden, Invalid: as :func:`settlement.batches.upholding.decide`; ``item.other_region``: a
            payment for another region came back and was issued again, which only that region gives up.
        StartAgainError: the transaction has to be bound to linked regions too, or a statement was made meanwhile.
    """
    _reach_both(work, tenant, obligation_id)

    def end(item: HeldItem, upholding: Upholding) -> UUID | None:
        row = _lock(work.connection, tenant, obligation_id)
        ending = _Ending(work, vault, tenant, actor, upholding, row)
        match item.kind:
            case "matching":
                return _take_matching_back(ending)
            case "incentive":
                return _reduce_reward(ending)
            case _:
                _end_reissue(ending)
                return None

    return decide(work.connection, tenant, obligation_id, Said(outcome, reason, actor, work.at), end)


def _reach_both(work: Work, tenant: str, obligation_id: UUID) -> None:
    """Bind the transaction to the province whose award is matched, and to those that match what is given up."""
    funder = work.connection.exec_driver_sql(
        "select funder from obligation where tenant = %s and id = %s and kind = 'matching'", (tenant, obligation_id)
    ).scalar_one_or_none()
    if funder is not None:
        reach(work, {tenant, funder})
        work.connection.exec_driver_sql(  # first, as whoever takes matching back does
            "select 1 from matching_due where linked = %s and obligation_id = %s for no key update",
            (tenant, obligation_id),
        )
    else:
        reach_linked(work, tenant)


def _lock(connection: Connection, tenant: str, obligation_id: UUID) -> Any:  # noqa: ANN401 - a row of obligation
    return connection.exec_driver_sql(
        "select * from obligation where tenant = %s and id = %s for no key update", (tenant, obligation_id)
    ).one()


def _take_matching_back(ending: _Ending) -> UUID | None:
    """In both books: the linked region's obligation ends, and another one is opened for what is kept."""
    item, work, found = ending.item, ending.work, ending.upholding
    back = Back(UPHELD, found.id, ending.actor, work.at)
    take_back(work.connection, item.funder, {item.origin_id: found.keeps}, back, ending.vault.sealer)
    if found.outcome == WITHDRAWN:
        tell_upheld(work.connection, ending.tenant, item.id, WITHDRAWN, work.at)
        return None
    instead: UUID = work.connection.exec_driver_sql(
        "select obligation_id from matching_due where tenant = %s and claim_id = %s", (item.funder, item.origin_id)
    ).scalar_one()
    return instead


def _reduce_reward(ending: _Ending) -> UUID | None:
    """The budget of the reward's year gets it back, and pays what is kept of it."""
    item, keeps = ending.item, ending.upholding.keeps
    connection, at = ending.work.connection, ending.work.at
    _give_back(ending)
    if not keeps:
        return None
    kept = _kept(item, keeps, ending.tenant, ending.vault.sealer)
    budget = ledger.budget_account(item.scheme, item.quota_year)
    owed = ledger.obligations_account(item.scheme, item.quota_year)
    transfer = ledger.posted(budget, owed, keeps, "incentive", kept.claim_id)
    ledger.append(connection, ending.tenant, [transfer], at)
    open_obligations(connection, ending.tenant, [kept], ending.vault.sealer, at)
    return kept.claim_id


def _end_reissue(ending: _Ending) -> None:
    """Back with what came back, or given up."""
    item, tenant, work = ending.item, ending.tenant, ending.work
    root = work.connection.exec_driver_sql(_ROOT, (tenant, item.id, tenant, tenant)).one()
    outcome = ending.upholding.outcome
    if outcome == WITHDRAWN and root.kind not in {None, "incentive"}:
        raise Conflict(
            "item.other_region",
            "该笔重新拨付的是其他区域的款项，不能撤销，只能退回更正账户。",
            "What is issued again here is another region's money: it can go back for another account, and no more.",
        )
    if outcome == WITHDRAWN and root.kind is None:
        registry.release(work.connection, [root.id])
    hold_batches(work.connection, tenant, {each for each in root.batches if each is not None}, work.at)
    _give_back(ending)
    if outcome == WITHDRAWN:
        _give_up(ending, root)
    tell_upheld(work.connection, tenant, item.id, outcome, work.at)


def _give_up(ending: _Ending, root: Any) -> None:  # noqa: ANN401 - a row of _ROOT
    """What came back goes to budget and quota of its year; what waited for it, and what matched it, is owed no more."""
    item, tenant, work = ending.item, ending.tenant, ending.work
    amount, budget = Money(item.amount_fen), ledger.budget_account(item.scheme, item.quota_year)
    back = ledger.returned_account(item.scheme, item.quota_year)
    transfers = [ledger.posted(back, budget, amount, REASON, item.id)]
    if root.kind is None:
        transfers += returned_quota(work.connection, tenant, root.id, amount, REASON, item.id)
    ledger.lock_accounts(work.connection, tenant, [each.credit for each in transfers])
    ledger.append(work.connection, tenant, transfers, work.at)
    if root.kind is None:
        cause = Back(UPHELD, ending.upholding.id, ending.actor, work.at)
        take_back(work.connection, tenant, {root.id: ZERO}, cause, ending.vault.sealer)
        free_waiting(work.connection, tenant, root.id, cause)


def _give_back(ending: _Ending) -> None:
    """End the obligation, and take its transfers back."""
    connection, tenant, item, at = ending.work.connection, ending.tenant, ending.item, ending.work.at
    ledger.give_back(connection, tenant, [item.id], REASON, at)
    connection.exec_driver_sql(
        "update obligation set released_at = %s where tenant = %s and id = %s", (at, tenant, item.id)
    )


def _kept(item: Any, keeps: Money, tenant: str, sealer: Sealer) -> Obligation:  # noqa: ANN401 - a row of obligation
    """The same obligation with what is kept of it, under an id of its own."""
    number = sealer.unseal(bytes(item.account_sealed), account_place(tenant, item.id))
    return Obligation(
        claim_id=new_id(), claim_no=item.claim_no, platform=item.platform, scheme=item.scheme, mode=item.mode,
        quota_year=item.quota_year, enterprise_name=item.enterprise_name, provider_name=item.provider_name,
        provider_uscc=item.provider_uscc, payee_name=item.payee_name,
        payee=Account(item.account_name, number, item.bank_name, item.cnaps), payee_digest=bytes(item.payee_digest),
        amount=keeps, provider_division=item.provider_division, kind=item.kind,
    )  # fmt: skip
