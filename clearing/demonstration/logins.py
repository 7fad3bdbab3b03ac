"""Who may sign in at the demonstration's console: one account a role, enrolled already, so that it begins at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clearing.embedded import addresses_of
from clearing.people import enrol
from clearing.service import open_service
from clearing.settings import Settings
from tenants.passwords import new_password

LOGINS: Final = (
    ("reviewer", "reviewer-zhang", "张审核", "center_reviewer"),
    ("approver", "approver-li", "李审批", "authority_approver"),
    ("maker", "maker-wang", "王经办", "finance_maker"),
    ("releaser", "releaser-zhao", "赵放行", "finance_releaser"),
    ("admin", "admin-gu", "顾管理", "tenant_admin"),
    ("policy", "policy-he", "何政策", "policy_approver"),
    ("operator", "operator-chen", "陈运维", "clearing_operator"),
    ("auditor", "auditor-sun", "孙审计", "auditor"),
)
"""Login, natural person, the name that the pages show, role."""


def open_accounts(folder: Path, tenants: Sequence[str]) -> tuple[str, list[tuple[str, str, str]]]:
    """Make the accounts; the password of all, and login, role and authenticator's secret of each."""
    addresses = addresses_of(folder)
    if addresses is None:
        raise RuntimeError(f"the servers of {folder} are not running")
    service = open_service(Settings(addresses.app_url, addresses.redis_url, folder / "secrets", demonstration=True))
    password = new_password()
    try:
        made = [
            (login, role, enrol(service, login, person, name, tenants, (role,), password))
            for login, person, name, role in LOGINS
        ]
    finally:
        service.engine.dispose()
    return password, made
