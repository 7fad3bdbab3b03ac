"""Rights under four eyes: one person proposes an account, further roles or new proofs for another, a third approves.

A tenant's administrators propose for people of their tenant only, and never the operator's role. Who is concerned
neither proposes nor approves. What is approved ends in an invitation, so that nobody but the person knows its proofs;
roles alone need none. The approver hands on its link, the proposer the code that opens it (``tenants.opening_codes``).
Instants are the machine's, as with accounts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.account_acts import Actor, live_account
from tenants.accounts import (
    LOGIN,
    Account,
    NewAccount,
    create_account,
    find_by_login,
    give_roles,
    malformed_login,
    new_credentials,
    taken_login,
)
from tenants.invitations import Issued, invite
from tenants.kernel.canonical import Json, plain, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Forbidden, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.sealing import Sealer
from tenants.opening_codes import new_code, place_of
from tenants.passwords import new_password
from tenants.principal import ROLES
from tenants.sessions import end_sessions_of

KINDS: Final = ("account", "roles", "reset")
STATES: Final = ("proposed", "approved", "rejected")
OPERATORS_ROLE: Final = "clearing_operator"
PROPOSED_ROLES: Final = tuple(role for role in ROLES if role != OPERATORS_ROLE)
"""The roles that a tenant gives; the operator's is the operator's to give."""
OPERATOR: Final = "operator"
"""Who acts at the command line."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is proposed: an ``account`` with roles, further ``roles`` of one, or a ``reset`` of its proofs.

    ``person`` and ``display_name`` are those of a new account; an existing one has its own.
    """

    kind: str
    login: str
    ground: str
    roles: tuple[str, ...] = ()
    person: str | None = None
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """One row of ``account_proposal``; the field names are the columns'."""

    tenant: str
    id: UUID
    kind: str
    login: str
    person: str
    display_name: str
    roles: tuple[str, ...]
    ground: str
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None

    def json(self) -> dict[str, Json]:
        """The proposal in the form of the interface."""
        return {name: plain(getattr(self, name)) for name in COLUMNS}


COLUMNS: Final = tuple(field.name for field in fields(Proposal))
_LIST: Final = ", ".join(COLUMNS)


def propose(
    work: Work, sealer: Sealer, actor: Actor, tenant: str, wish: Wish, at: datetime
) -> tuple[Proposal, str | None]:
    """Propose; nothing changes until another person approves. With it the code that its proposer tells the person.

    Raises:
        NotFound: there is no such live account of the tenant.
        Forbidden: it is for the actor, or the account serves other tenants or is an operator's.
        Invalid: a login, role or person that cannot be.
        Conflict: ``account_proposal.open``, or ``account.person_has_one``.
    """
    checked = _new_account(work, tenant, wish) if wish.kind == "account" else _existing(work, actor, wish)
    if checked.person == actor.person:
        raise Forbidden(
            "account.own",
            "不能为自己提出，请由另一位管理员提出。",
            "Nobody proposes for themselves: have another administrator propose it.",
        )
    made = Proposal(
        tenant, new_id(), wish.kind, wish.login, str(checked.person), str(checked.display_name),
        tuple(sorted(set(checked.roles))), wish.ground, "proposed", actor.person, at,
    )  # fmt: skip
    code = None if made.kind == "roles" else new_code()
    sealed = None if code is None else sealer.seal(code, place_of(tenant, made.id))
    places = ", ".join(["%s"] * len(COLUMNS))
    stored = work.connection.exec_driver_sql(
        f"insert into account_proposal ({_LIST}, code_sealed) values ({places}, %s) "  # noqa: S608 - our own columns
        "on conflict (tenant, login) where state = 'proposed' do nothing",
        (*(list(value) if isinstance(value, tuple) else value for value in astuple(made)), sealed),
    )
    if stored.rowcount != 1:
        raise Conflict(
            "account_proposal.open",
            "该登录名已有待批准的提议，请先决定它。",
            "A proposal for this login name waits already: have it decided first.",
        )
    _tell(work, made, actor.person, None, {} if sealed is None else {"code_sha256": sha256(sealed).hex()})
    return made, code


def approve(
    work: Work, sealer: Sealer, actor: Actor, tenant: str, proposal_id: UUID, at: datetime
) -> tuple[Proposal, Issued | None]:
    """Approve, and do it; the invitation is for the person, and its secret is shown to nobody but the approver.

    Raises:
        NotFound: there is no such proposal, or no longer such an account.
        Forbidden: the actor proposed it, or is concerned.
        Conflict: it was decided, or cannot be done any more.
    """
    proposal = _decided(work, actor, tenant, proposal_id, "approved", None, at)
    if proposal.kind == "account":
        account = _opened(work, sealer, proposal, actor, at)
        return proposal, invite(work, sealer, account, actor.person, at, (tenant, proposal.id))
    account = _own_account(live_account(work, actor, proposal.login))
    if proposal.kind == "roles":
        roles = tuple(sorted({*account.roles, *proposal.roles}))
        give_roles(work, account, roles, actor.person, proposal.ground, at)
        return proposal, None
    end_sessions_of(work, account, at)
    new_credentials(work, sealer, account, new_password(), actor.person, at)
    return proposal, invite(work, sealer, account, actor.person, at, (tenant, proposal.id))


def reject(work: Work, actor: Actor, tenant: str, proposal_id: UUID, reason: str, at: datetime) -> Proposal:
    """Reject, or take back what one proposed oneself.

    Raises:
        NotFound: there is no such proposal.
        Forbidden: the actor is concerned.
        Conflict: it was decided.
    """
    return _decided(work, actor, tenant, proposal_id, "rejected", reason, at)


def view(connection: Connection, tenant: str, proposal_id: UUID) -> Proposal:
    """One proposal.

    Raises:
        NotFound: the tenant has none with this id.
    """
    row = connection.exec_driver_sql(
        f"select {_LIST} from account_proposal where tenant = %s and id = %s",  # noqa: S608 - our own columns
        (tenant, proposal_id),
    ).one_or_none()
    if row is None:
        raise not_found("提议", "proposal")
    return _proposal(row)


def proposals_of(
    connection: Connection, tenant: str, wanted: Mapping[str, str | None], after: UUID | None, limit: int
) -> list[Proposal]:
    """The tenant's proposals in the state that is wanted, behind the one with the id ``after``."""
    where, values = _where(tenant, wanted)
    if after is not None:
        where, values = f"{where} and id > %s", [*values, after]
    rows = connection.exec_driver_sql(
        f"select {_LIST} from account_proposal where {where} order by id limit %s",  # noqa: S608 - ours
        (*values, limit),
    )
    return [_proposal(row) for row in rows]


def proposal_total(connection: Connection, tenant: str, wanted: Mapping[str, str | None], most: int | None) -> int:
    """How many proposals :func:`proposals_of` lists in all; of the first ``most``, where that is given."""
    where, values = _where(tenant, wanted)
    count: int = connection.exec_driver_sql(
        f"select count(*) from (select 1 from account_proposal where {where} limit %s) found",  # noqa: S608 - ours
        (*values, most),
    ).scalar_one()
    return count


def _where(tenant: str, wanted: Mapping[str, str | None]) -> tuple[str, list[object]]:
    state = wanted.get("state")
    return ("tenant = %s", [tenant]) if state is None else ("tenant = %s and state = %s", [tenant, state])


def _new_account(work: Work, tenant: str, wish: Wish) -> Wish:
    if not LOGIN.fullmatch(wish.login):
        raise malformed_login()
    if find_by_login(work.connection, wish.login) is not None:
        raise taken_login()
    for name, text in (("person", wish.person), ("name", wish.display_name)):
        if not text or text == OPERATOR:
            said = Text("请填写实际的自然人。", "Name a natural person.")
            raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError(f"/{name}", "person.missing", said),))
    _require_roles(wish.roles)
    has_one = work.connection.exec_driver_sql(
        "select login from console_account where person = %s and tenants @> array[%s] and revoked_at is null limit 1",
        (wish.person, tenant),
    ).scalar_one_or_none()
    if has_one is not None:
        raise Conflict(
            "account.person_has_one",
            f"此人已有账号 {has_one}，请为它提出增加角色。",
            f"This person has the account {has_one}: propose further roles for it.",
        )
    return wish


def _existing(work: Work, actor: Actor, wish: Wish) -> Wish:
    account = _own_account(live_account(work, actor, wish.login))
    further = tuple(role for role in wish.roles if role not in account.roles)
    if wish.kind == "roles":
        _require_roles(wish.roles)
        if not further:
            said = Text("账号已有这些角色。", "The account has these roles already.")
            raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/roles", "roles.held", said),))
    roles = further if wish.kind == "roles" else ()
    return replace(wish, person=account.person, display_name=account.display_name, roles=roles)


def _own_account(account: Account) -> Account:
    if OPERATORS_ROLE in account.roles:
        raise Forbidden(
            "account.operators",
            "这是运维人员的账号，由运维人员在命令行办理。",
            "It is an operator's account: the operator acts on it at the command line.",
        )
    return account


def _require_roles(roles: Sequence[str]) -> None:
    if not roles or not set(roles) <= set(PROPOSED_ROLES):
        said = Text(
            "请选择至少一个角色；运维角色不由区域授予。",
            "Choose one role at least; the operator's is not given by a region.",
        )
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/roles", "roles.unknown", said),))


def _decided(
    work: Work, actor: Actor, tenant: str, proposal_id: UUID, state: str, reason: str | None, at: datetime
) -> Proposal:
    """Decide once; of two at once the later finds it decided."""
    work.connection.exec_driver_sql(
        "select 1 from account_proposal where tenant = %s and id = %s for no key update", (tenant, proposal_id)
    )
    proposal = view(work.connection, tenant, proposal_id)
    if actor.person == proposal.person:
        raise Forbidden(
            "account.own",
            "提议涉及您本人，须由另一人决定。",
            "The proposal concerns you: somebody else decides it.",
        )
    if state == "approved" and actor.person == proposal.proposed_by:
        raise Forbidden(
            "account_proposal.four_eyes",
            "提出人不能自行批准，须由另一位管理员或运维人员批准。",
            "Who proposed it may not approve it: another administrator or the operator does.",
        )
    if proposal.state != "proposed":
        raise Conflict(
            "account_proposal.decided",
            f"该提议已由 {proposal.decided_by} 决定。",
            f"The proposal was decided by {proposal.decided_by} already.",
        )
    decided = replace(proposal, state=state, decided_by=actor.person, decided_at=at, reason=reason)
    work.connection.exec_driver_sql(
        "update account_proposal set state = %s, decided_by = %s, decided_at = %s, reason = %s "
        "where tenant = %s and id = %s",
        (state, actor.person, at, reason, tenant, proposal_id),
    )
    _tell(work, decided, actor.person, "proposed")
    return decided


def _opened(work: Work, sealer: Sealer, proposal: Proposal, actor: Actor, at: datetime) -> Account:
    """The new account: nobody knows the proofs that it has until its person sets others."""
    new = NewAccount(
        proposal.login, proposal.person, proposal.display_name, (proposal.tenant,), proposal.roles, new_password()
    )
    return create_account(work, sealer, new, actor.person, at)[0]


def _tell(
    work: Work, proposal: Proposal, actor: str, from_state: str | None, more: Mapping[str, Json] | None = None
) -> None:
    action = f"account_proposal.{proposal.state}"
    reason = proposal.ground if from_state is None else proposal.reason
    change = Change(
        proposal.tenant,
        actor,
        action,
        proposal.id,
        from_state,
        proposal.state,
        reason,
        {"after": proposal.json(), **(more or {})},
    )
    record(work.connection, [change], work.at)


def _proposal(row: Sequence[Any]) -> Proposal:
    values = dict(zip(COLUMNS, row, strict=True))
    return Proposal(**values | {"roles": tuple(values["roles"])})
