"""The steps of an agreement: one side proposes, another person of that side approves, the other side accepts.

Each locks the agreement and is written to the chains of both sides; the same step again by the same person changes
nothing. An outside region consents on paper: the agreement cites the document, and its own side's approval is enough.
"""

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.agreements.agreement import COLUMNS, Agreement, agent_place, find_agreement
from settlement.cycles.cycle import ensure_open
from settlement.office import Office
from settlement.payouts.instruction import Account
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.errors import Conflict, FieldError, Forbidden, Invalid, Text
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.sealing import mask_account

SAME_DAY: Final = "agreement_in_force"
"""The index that keeps a pair from having two agreements of one day."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one side proposes; ``agent`` for the form ``agent`` only, exposure and sending for ``home_region`` only."""

    counterparty: str
    form: str
    netting: str
    agreement_set: str
    effective_on: date
    document: str
    exposure_limit: Money | None = None
    exposure_approver: str | None = None
    agent: Account | None = None
    sends_orders: bool = False


def propose(
    connection: Connection, tenant: str, proposal: Proposal, office: Office, actor: str, at: datetime
) -> Agreement:
    """Propose an agreement; nothing is in force before both sides have agreed.

    Raises:
        Invalid: with a pointer for each fault.
    """
    _require_sound(connection, tenant, proposal, shanghai_day(at))
    agent, agreement_id, limit = proposal.agent, new_id(), proposal.exposure_limit
    made = Agreement(
        tenant=tenant, id=agreement_id, counterparty=proposal.counterparty, form=proposal.form,
        netting=proposal.netting, agreement_set=proposal.agreement_set, effective_on=proposal.effective_on,
        document=proposal.document, exposure_limit_fen=None if limit is None else limit.fen,
        exposure_approver=proposal.exposure_approver, agent_name=None if agent is None else agent.account_name,
        agent_account_tail=None if agent is None else mask_account(agent.account_number),
        agent_bank_name=None if agent is None else agent.bank_name, agent_cnaps=None if agent is None else agent.cnaps,
        state="proposed", proposed_by=actor, proposed_at=at,
        partner=None if proposal.counterparty.isdecimal() else proposal.counterparty,
        sends_orders=proposal.sends_orders,
    )  # fmt: skip
    values = {name: value for name, value in asdict(made).items() if name in COLUMNS and name != "partner"}
    if agent is not None:
        sealed = office.sealer.seal(agent.account_number, agent_place(tenant, agreement_id))
        values["agent_account_sealed"] = sealed
    places = ", ".join(["%s"] * len(values))
    connection.exec_driver_sql(
        f"insert into agreement ({', '.join(values)}) values ({places})",  # noqa: S608 - our own columns
        tuple(values.values()),
    )
    _record(connection, None, made, "proposed", actor, at)
    return made


def agree(connection: Connection, tenant: str, agreement_id: UUID, actor: str, at: datetime) -> Agreement:
    """The tenant's word: approval by the side that proposed, acceptance by the other; the second puts it in force.

    Raises:
        NotFound: the tenant is no side of such an agreement.
        Forbidden: ``agreement.four_eyes``.
        Conflict: ``agreement.state``, ``agreement.retroactive``, ``agreement.same_day``.
    """
    before = find_agreement(connection, tenant, agreement_id, lock=True)
    step = "approved" if tenant == before.tenant else "accepted"
    if getattr(before, f"{step}_by") == actor:
        return before
    if before.state != "proposed" or getattr(before, f"{step}_by") is not None:
        raise _state(before)
    if actor in {before.proposed_by, before.approved_by, before.accepted_by}:
        raise Forbidden(
            "agreement.four_eyes",
            "提出、批准、对方同意须由三位不同的人办理。",
            "Proposing, approving and accepting take three different people.",
        )
    given: dict[str, Any] = {f"{step}_by": actor, f"{step}_at": at}
    after = replace(before, **given)
    whole = after.approved_at is not None and (after.partner is None or after.accepted_at is not None)
    if whole:
        _require_in_time(connection, after, shanghai_day(at))
        given["state"] = "approved"
        after = replace(after, state="approved")
    _change(connection, after, given)
    _record(connection, before, after, step, actor, at)
    if whole and after.form == "home_region":
        ensure_open(connection, after.agreement_set, after.sides, actor, at)
    return after


def refuse(connection: Connection, tenant: str, agreement_id: UUID, reason: str, actor: str, at: datetime) -> Agreement:
    """Either side's refusal of what is not in force yet.

    Raises:
        NotFound: the tenant is no side of such an agreement.
        Conflict: ``agreement.state``.
    """
    before = find_agreement(connection, tenant, agreement_id, lock=True)
    if before.state == "refused" and before.refused_by == actor:
        return before
    if before.state != "proposed":
        raise _state(before)
    given = {"state": "refused", "refused_by": actor, "refused_at": at, "refused_reason": reason}
    after = replace(before, state="refused", refused_by=actor, refused_at=at, refused_reason=reason)
    _change(connection, after, given)
    _record(connection, before, after, "refused", actor, at, reason)
    return after


def _require_sound(connection: Connection, tenant: str, proposal: Proposal, today: date) -> None:
    outside = proposal.counterparty.isdecimal()
    known = connection.exec_driver_sql(
        "select 1 from tenant where tenant = %s and tenant <> %s", (proposal.counterparty, tenant)
    ).first()
    faults = [
        (not outside and known is None, "/counterparty", "counterparty.unknown", *_UNKNOWN),
        (outside and proposal.form == "home_region", "/form", "form.outside_region", *_OUTSIDE),
        (proposal.effective_on < today, "/effective_on", "agreement.retroactive", *_RETROACTIVE),
        ((proposal.agent is None) is (proposal.form == "agent"), "/agent", "agent.form", *_AGENT),
        (
            (proposal.exposure_limit is None) is not (proposal.exposure_approver is None),
            "/exposure_approver", "exposure.incomplete", *_EXPOSURE,
        ),
        (
            proposal.exposure_limit is not None and proposal.form != "home_region",
            "/exposure_limit", "exposure.form", *_NO_DEBTS,
        ),
        (proposal.sends_orders and proposal.form != "home_region", "/sends_orders", "sends_orders.form", *_NO_ORDERS),
    ]  # fmt: skip
    errors = tuple(FieldError(pointer, code, Text(zh, en)) for wrong, pointer, code, zh, en in faults if wrong)
    if errors:
        raise Invalid("input.invalid", "协议内容有误。", "The agreement has faults.", errors=errors)


_UNKNOWN: Final = ("没有这个区域；外部地区请填六位区划代码。", "No such tenant; an outside region is its six digits.")
_OUTSIDE: Final = ("外部地区不能采用由其垫付的方式。", "An outside region cannot pay on a tenant's behalf here.")
_RETROACTIVE: Final = ("生效日不能早于今天。", "It cannot be effective before today.")
_AGENT: Final = ("代理方式须填结算机构账户，其他方式不填。", "The form agent, and no other, names the agent's account.")
_EXPOSURE: Final = ("敞口限额与批准人须同时填写。", "An exposure limit and its approver come together.")
_NO_ORDERS: Final = (
    "只有由对方垫付才产生区域间的清算指令。",
    "Only home_region makes orders between tenants.",
)
_NO_DEBTS: Final = ("只有由对方垫付才产生敞口。", "Only the form home_region makes debts.")


def _require_in_time(connection: Connection, agreement: Agreement, today: date) -> None:
    if agreement.effective_on < today:
        raise Conflict(
            "agreement.retroactive",
            f"生效日 {agreement.effective_on} 已过，请重新提出。",
            f"The day {agreement.effective_on} is past; propose the agreement anew.",
        )
    if connection.exec_driver_sql(
        "select 1 from agreement where state = 'approved' and effective_on = %s "
        "and %s in (tenant, counterparty) and %s in (tenant, counterparty)",
        (agreement.effective_on, agreement.tenant, agreement.counterparty),
    ).first():
        raise Conflict(
            "agreement.same_day",
            "双方当日已有生效的协议。",
            "The two sides have an agreement of that day already.",
        )


def _state(agreement: Agreement) -> Conflict:
    return Conflict(
        "agreement.state",
        f"协议状态为 {agreement.state}，不能再办理此步骤。",
        f"The agreement is {agreement.state}; this step is done or no longer possible.",
    )


def _change(connection: Connection, agreement: Agreement, given: dict[str, Any]) -> None:
    assigned = ", ".join(f"{column} = %s" for column in given)
    connection.exec_driver_sql(
        f"update agreement set {assigned} where tenant = %s and id = %s",  # noqa: S608 - our own columns
        (*given.values(), agreement.tenant, agreement.id),
    )


def _record(
    connection: Connection,
    before: Agreement | None,
    after: Agreement,
    step: str,
    actor: str,
    at: datetime,
    reason: str | None = None,
) -> None:
    state = None if before is None else before.state
    changes = [
        Change(side, actor, f"agreement.{step}", after.id, state, after.state, reason, after.witnessed())
        for side in after.sides
    ]
    record(connection, changes, at)
