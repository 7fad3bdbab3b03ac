"""Accounts of the console: one that is given new proofs, one whose password is changed, one that is revoked."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

from clearing.service import Service
from tenants.account_acts import Actor
from tenants.account_proposals import Wish, approve, propose, reject
from tenants.accounts import NewAccount, create_account, new_credentials, revoke_account, set_password
from tenants.invitations import Taking, find_invited, take_up
from tenants.kernel.database import Work
from tenants.passwords import code_at
from tenants.sessions import Method, end_session, find_session, start_session


class Told(Protocol):
    """What is needed of the story."""

    service: Service
    tenants: tuple[str, ...]

    def do(self, use_case: Callable[[Work], Any]) -> Any:
        """One use case in its own transaction."""


ADMINISTRATOR: Final = Actor("wei", None, "jiangsu")
OTHER_ADMINISTRATOR: Final = Actor("feng", None, "jiangsu")


def open_accounts(story: Told) -> None:
    """Three people with their sessions, and two that other people proposed, of whom one has enrolled."""
    for login in ("qian", "sun", "zhou"):
        story.do(partial(_person, story, login))
    for login in ("chen", "chu", "jiang"):
        story.do(partial(_proposed, story, Wish("account", login, "到岗", ("auditor",), f"p-{login}", login.title())))
    for kind, roles in (("roles", ("center_reviewer",)), ("reset", ())):
        story.do(partial(_proposed, story, Wish(kind, "chen", "兼任", roles)))
    waiting, sealer = Wish("reset", "chu", "换手机"), story.service.vault.sealer
    story.do(partial(propose, sealer=sealer, actor=ADMINISTRATOR, tenant="jiangsu", wish=waiting, at=now(story)))


def now(story: Told) -> datetime:
    """The machine's time."""
    return story.service.machine.now()


def _proposed(story: Told, wish: Wish, work: Work) -> None:
    """Proposed by one and decided by another; ``jiang`` is rejected, the others enrol."""
    at, sealer = now(story), story.service.vault.sealer
    proposal, _ = propose(work, sealer, ADMINISTRATOR, "jiangsu", wish, at)
    if wish.login == "jiang":
        reject(work, OTHER_ADMINISTRATOR, "jiangsu", proposal.id, "未到岗", at)
        return
    _, issued = approve(work, sealer, OTHER_ADMINISTRATOR, "jiangsu", proposal.id, at)
    if issued is not None:
        invited = find_invited(work.connection, sealer, issued.secret, at)
        given = Taking("fourth horse battery 6", code_at(invited.totp_secret, at), invited.opening_code or "")
        take_up(work, sealer, issued.secret, given, at)


def _person(story: Told, login: str, work: Work) -> None:
    at = story.service.machine.now()
    new = NewAccount(login, login, login.title(), story.tenants, ("auditor",), "correct horse battery 9")
    account, _ = create_account(work, story.service.vault.sealer, new, "operator", at)
    token = start_session(work, account, at)
    start_session(work, account, at, Method("provider", "https://id.example", f"subject of {login}"))
    if login == "qian":
        new_credentials(work, story.service.vault.sealer, account, "third horse battery 7", "operator", at)
    if login == "sun":
        account = set_password(work, account, "other horse battery 8", at)
        session = find_session(work.connection, token, at)
        assert session is not None
        end_session(work, session, at)
    if login == "zhou":
        revoke_account(work, account, "operator", at)
