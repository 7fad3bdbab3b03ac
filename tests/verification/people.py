"""Accounts of the console: one that is used, one whose password is changed, one that is revoked."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from clearing.service import Service
from tenants.accounts import NewAccount, create_account, revoke_account, set_password
from tenants.kernel.database import Work
from tenants.sessions import Method, end_session, find_session, start_session


class Told(Protocol):
    """What is needed of the story."""

    service: Service
    tenants: tuple[str, ...]

    def do(self, use_case: Callable[[Work], Any]) -> Any:
        """One use case in its own transaction."""


def open_accounts(story: Told) -> None:
    """Three people with their sessions."""
    for login in ("qian", "sun", "zhou"):
        story.do(partial(_person, story, login))


def _person(story: Told, login: str, work: Work) -> None:
    at = story.service.machine.now()
    new = NewAccount(login, login, login.title(), story.tenants, ("auditor",), "correct horse battery 9")
    account, _ = create_account(work, story.service.vault.sealer, new, "operator", at)
    token = start_session(work, account, at)
    start_session(work, account, at, Method("provider", "https://id.example", f"subject of {login}"))
    if login == "sun":
        account = set_password(work, account, "other horse battery 8", at)
        session = find_session(work.connection, token, at)
        assert session is not None
        end_session(work, session, at)
    if login == "zhou":
        revoke_account(work, account, "operator", at)
