"""Invitations: with one, and once, a person sets the password of an account and proves its authenticator.

Whoever makes or approves an account hands on a link instead of a password. Its secret is kept as a digest only, lives
for a short while, and only the latest of an account opens. Instants are the machine's, as with accounts.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.accounts import SEALED_FOR, Account, find_account, set_proofs
from tenants.instance import is_sandbox, marked
from tenants.kernel.canonical import Json, plain, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound, Text
from tenants.kernel.ids import new_id
from tenants.kernel.sealing import Place, Sealer
from tenants.opening_codes import is_code, place_of
from tenants.passwords import new_totp_secret, require_good_password, step_of_code

INVITATION_LIFE: Final = timedelta(days=2)
"""How long a link opens: the person may be away for a day."""
SECRET_BYTES: Final = 32
MAX_SECRET_CHARACTERS: Final = 100
PATH: Final = "/console/invitation"
"""Where a link leads, below the address of the service; behind it stands the secret."""


@dataclass(frozen=True, slots=True)
class Issued:
    """An invitation as who made it sees it, once: ``secret`` is stored nowhere."""

    id: UUID
    login: str
    secret: str
    expires_at: datetime

    def link(self, base: str | None) -> str:
        """Where the person goes; without the service's own address, the path below it."""
        return f"{base or ''}{PATH}/{self.secret}"


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation that is open, as its bearer sees it."""

    id: UUID
    account: Account
    totp_secret: str
    expires_at: datetime
    opening_code: str | None
    """What its bearer has to type as well; ``None`` where the operator invited."""


def invite(
    work: Work, sealer: Sealer, account: Account, actor: str, at: datetime, proposal: tuple[str, UUID] | None = None
) -> Issued:
    """Make the account's next invitation; every earlier one opens nothing any more.

    ``proposal``: tenant and id of the one whose code opens it.
    """
    invitation_id = new_id()
    secret = marked(secrets.token_urlsafe(SECRET_BYTES), sandbox=is_sandbox(work.connection))
    digest, sealed = sha256(secret.encode()), sealer.seal(new_totp_secret(), _place(invitation_id))
    expires_at = at + INVITATION_LIFE
    work.connection.exec_driver_sql(
        "insert into account_invitation (id, account_id, secret_sha256, totp_sealed, issued_by, issued_at, expires_at, "
        "proposal_tenant, proposal_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (invitation_id, account.id, digest, sealed, actor, at, expires_at, *(proposal or (None, None))),
    )
    details: dict[str, Json] = {
        "login": account.login,
        "account": str(account.id),
        "secret_sha256": digest.hex(),
        "totp_sha256": sha256(sealed).hex(),
        "issued_at": plain(at),
        "expires_at": plain(expires_at),
        **({} if proposal is None else {"proposal": str(proposal[1]), "proposal_tenant": proposal[0]}),
    }
    _tell(work, account, actor, "invitation.issued", invitation_id, details)
    return Issued(invitation_id, account.login, secret, expires_at)


def find_invited(connection: Connection, sealer: Sealer, secret: str, at: datetime) -> Invited:
    """The invitation of this secret, if it opens.

    Raises:
        NotFound: there is none, or its account is revoked.
        Conflict: ``invitation.used``, ``invitation.replaced`` or ``invitation.expired``.
    """
    row = None
    if secret.isascii() and len(secret) <= MAX_SECRET_CHARACTERS:
        row = connection.exec_driver_sql(
            "select i.id, i.account_id, i.totp_sealed, i.expires_at, e.enrolled_at, "
            "p.tenant as proposal_tenant, p.id as proposal_id, p.code_sealed, "
            "(select n.id from account_invitation n where n.account_id = i.account_id order by n.id desc limit 1) "
            "as latest from account_invitation i left join account_enrolment e on e.invitation_id = i.id "
            "left join account_proposal p on p.tenant = i.proposal_tenant and p.id = i.proposal_id "
            "where i.secret_sha256 = %s",
            (sha256(secret.encode()),),
        ).one_or_none()
    account = None if row is None else find_account(connection, row.account_id)
    if row is None or account is None or account.revoked_at is not None:
        raise NotFound(
            "invitation.unknown",
            "没有这份邀请，请核对链接是否完整。",
            "There is no such invitation: check that the link is complete.",
        )
    if row.enrolled_at is not None:
        raise Conflict(
            "invitation.used",
            "这份邀请已经用过，请直接登录；若不是您本人所用，请立即联系管理员。",
            "This invitation has been used: sign in. If it was not you who used it, tell your administrator at once.",
        )
    if row.latest != row.id:
        raise Conflict(
            "invitation.replaced",
            "这份邀请已被更新的邀请取代，请使用最新的链接。",
            "A later invitation has taken this one's place: use the latest link.",
        )
    if row.expires_at <= at:
        raise Conflict(
            "invitation.expired",
            "这份邀请已过期，请联系贵区域的管理员重新发出。",
            "This invitation has expired: ask your region's administrator for another.",
        )
    totp = sealer.unseal(bytes(row.totp_sealed), _place(row.id))
    sealed, code = row.code_sealed, None
    if sealed is not None:
        code = sealer.unseal(bytes(sealed), place_of(row.proposal_tenant, row.proposal_id))
    return Invited(row.id, account, totp, row.expires_at, code)


@dataclass(frozen=True, slots=True)
class Taking:
    """What a person gives to take an invitation up: a new password, the authenticator's code, the opening code."""

    password: str
    code: str
    opening_code: str = ""


def take_up(work: Work, sealer: Sealer, secret: str, given: Taking, at: datetime) -> Account:
    """Give the invitation's account this password and authenticator, once its code of the moment proves it.

    Raises:
        NotFound: as at :func:`find_invited`.
        Conflict: as at :func:`find_invited`; the later of two at once finds it used.
        Invalid: ``opening_code.wrong``, ``password.weak`` or ``code.wrong``.
    """
    found = find_invited(work.connection, sealer, secret, at)
    work.connection.exec_driver_sql(
        "select 1 from console_account where id = %s for no key update", (found.account.id,)
    )  # nobody revokes it, invites anew or takes this up meanwhile
    found = find_invited(work.connection, sealer, secret, at)
    _require_opened(found, given.opening_code)
    require_good_password(given.password, found.account.login)
    step = step_of_code(found.totp_secret, given.code, at, 0)
    if step is None:
        said = Text(
            "动态码不正确：请扫描二维码后输入验证器此刻显示的六位数字，并检查手机时间。",
            "The code is wrong: scan the picture, type the six digits that the authenticator shows now, and check the "
            "phone's clock.",
        )
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/code", "code.wrong", said),))
    work.connection.exec_driver_sql(
        "insert into account_enrolment (invitation_id, enrolled_at) values (%s, %s)", (found.id, at)
    )
    account = set_proofs(work, sealer, found.account, given.password, found.totp_secret, at)
    work.connection.exec_driver_sql(
        "update console_attempt set failures = 0, sign_in_step = %s where account_id = %s", (step, account.id)
    )
    details: dict[str, Json] = {"login": account.login, "account": str(account.id), "enrolled_at": plain(at)}
    _tell(work, account, account.person, "invitation.taken_up", found.id, details)
    return account


def _require_opened(found: Invited, typed: str) -> None:
    if found.opening_code is None or is_code(typed, found.opening_code):
        return
    said = Text(
        "开户口令不正确：请向提出该申请的管理员索取，不是批准并交给您链接的那一位。",
        "The opening code is wrong: ask the administrator who proposed it, not the one who gave you the link.",
    )
    raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/opening_code", "opening_code.wrong", said),))


def _tell(work: Work, account: Account, actor: str, action: str, invitation_id: UUID, details: dict[str, Json]) -> None:
    changes = [Change(tenant, actor, action, invitation_id, details=details) for tenant in account.tenants]
    record(work.connection, changes, work.at)


def _place(invitation_id: UUID) -> Place:
    return Place("account_invitation", "totp_sealed", SEALED_FOR, str(invitation_id))
