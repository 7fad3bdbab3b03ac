"""Whom a provider's word opens the door to: an account that is here already, and is the same person's as before."""

from datetime import datetime
from uuid import UUID

from clearing.oidc.id_token import Vouched
from clearing.oidc.refusal import another_person, no_account, wrong_code
from clearing.oidc.settings import ProviderSettings
from tenants.accounts import Account, find_account, find_by_login, opens_vouched
from tenants.kernel.canonical import plain
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem
from tenants.kernel.sealing import Sealer
from tenants.sessions import Method, start_session, subject_of

BY_PROVIDER = "provider"
BY_PROVIDER_AND_CODE = "provider_and_code"
REFUSED = "sign_in.refused"


def account_vouched(work: Work, settings: ProviderSettings, vouched: Vouched, at: datetime) -> Account | Problem:
    """The account of the name that the provider gives; a refusal of one that is here is told to its chains.

    The caller commits whatever the answer is.
    """
    account = find_by_login(work.connection, vouched.login)
    if account is None:
        return no_account(vouched.login)
    reason = _why_not(work, settings, account, vouched.subject)
    return account if reason is None else _refused(work, settings, account, reason, at)


def open_vouched(
    work: Work,
    sealer: Sealer,
    settings: ProviderSettings,
    account_id: UUID,
    subject: str,
    code: str | None,
    at: datetime,
) -> str | Problem:
    """The token of a new session; ``code`` is ``None`` where the provider's proof stands for it.

    The caller commits whatever the answer is: the try is counted, and a refusal is told to the account's chains.
    """
    account = find_account(work.connection, account_id)
    if account is None:
        return no_account("")
    if not opens_vouched(work, sealer, account, code, at):
        return _refused(work, settings, account, "code", at)
    reason = _why_not(work, settings, account, subject)  # again, now that no other try of this account runs beside
    if reason is not None:
        return _refused(work, settings, account, reason, at)
    name = BY_PROVIDER if code is None else BY_PROVIDER_AND_CODE
    return start_session(work, account, at, Method(name, settings.issuer, subject))


def _why_not(work: Work, settings: ProviderSettings, account: Account, subject: str) -> str | None:
    if account.revoked_at is not None:
        return "revoked"
    if not settings.vouches_for(account.tenants):
        return "tenant"
    bound = subject_of(work.connection, account, settings.issuer)
    return None if bound in {None, subject} else "subject"


def _refused(work: Work, settings: ProviderSettings, account: Account, reason: str, at: datetime) -> Problem:
    details = {"login": account.login, "issuer": settings.issuer, "reason": reason, "at": plain(at)}
    changes = [Change(tenant, account.person, REFUSED, account.id, details=details) for tenant in account.tenants]
    record(work.connection, changes, work.at)
    if reason == "code":
        return wrong_code()
    return another_person() if reason == "subject" else no_account(account.login)
