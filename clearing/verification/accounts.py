"""Accounts and sessions of people: each is what the audit chain of every tenant that it serves tells of it."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot

ROLES: Final = frozenset(
    {
        "center_reviewer", "authority_approver", "tenant_admin", "policy_approver", "finance_maker",
        "finance_releaser", "clearing_operator", "auditor",
    }
)  # fmt: skip
_ACCOUNTS: Final = (
    "select id, login, person, display_name, tenants, roles, password_hash, totp_sealed, created_at, changed_at, "
    "credentials_at, revoked_at from console_account order by login"
)
_ATTEMPTS: Final = (
    "select coalesce(a.id, t.account_id) as account_id, a.id is null as stray, t.account_id is null as absent "
    "from console_attempt t full join console_account a on a.id = t.account_id "
    "where a.id is null or t.account_id is null"
)
_SESSIONS: Final = (
    "select s.id, s.token_sha256, s.account_id, s.started_at, s.seen_at, s.expires_at, s.ended_at, s.method, s.issuer, "
    "s.subject, a.login, a.tenants from console_session s left join console_account a on a.id = s.account_id "
    "order by s.id"
)


def account_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """What is otherwise than the chains say, and what they tell of that is not there."""
    accounts: set[Any] = set()
    for row in snapshot.rows(_ACCOUNTS):
        snapshot.tally["accounts"] += 1
        accounts.add(row.id)
        yield from _account(row, settings)
    for row in snapshot.rows(_ATTEMPTS):
        missing = "console_account" if row.stray else "console_attempt"
        yield differs("account.absent", f"console_attempt/{row.account_id}", f"one row of {missing}", None)
    sessions: set[Any] = set()
    for row in snapshot.stream(_SESSIONS):
        snapshot.tally["sessions"] += 1
        sessions.add(row.id)
        yield from _session(row, settings)
    for (tenant, subject), entries in settings.items():
        action = entries[0].action
        if action.startswith("account.") and subject not in accounts:
            yield differs("account.absent", f"console_account/{tenant}/{subject}", "one row", None)
        if action.startswith("session.") and subject not in sessions:
            yield differs("session.absent", f"console_session/{tenant}/{subject}", "one row", None)


def _account(row: Row, settings: Settings) -> Iterator[Difference]:
    place = f"console_account/{row.login}"
    if not set(row.roles) <= ROLES:
        yield differs("account.form", f"{place}/roles", ROLES, row.roles)
    secrets = hashlib.sha256(row.password_hash.encode() + b"\n" + bytes(row.totp_sealed)).hexdigest()
    for tenant in row.tenants:
        entries = [one for one in settings.get((tenant, row.id), []) if one.action.startswith("account.")]
        if not entries:
            yield differs("account.unwitnessed", f"{place}/{tenant}", "an entry of the audit chain", None)
            continue
        said = entries[-1].details
        expected = {
            **{name: said.get(name) for name in ("login", "person", "display_name", "tenants", "roles")},
            **{name: _instant(said.get(name)) for name in ("created_at", "changed_at", "revoked_at")},
            "credentials_at": _instant(
                said.get("credentials_at", said.get("changed_at"))
            ),  # once there was one instant
        }
        yield from compared("account.witness", place, expected, row)
        if said.get("credentials_sha256") != secrets:
            yield differs("account.credentials", f"{place}/password_hash", "what was last set", "another")
        if [one.action for one in entries].count("account.created") != 1:
            yield differs("account.unwitnessed", f"{place}/{tenant}", "one entry that made it", None)


def _session(row: Row, settings: Settings) -> Iterator[Difference]:
    place = f"console_session/{row.login or ''}/{row.id}"
    if row.tenants is None:
        yield differs("account.absent", place, "one row of console_account", row.account_id)
        return
    if not row.started_at <= row.seen_at <= row.expires_at:
        yield differs("session.witness", f"{place}/seen_at", f"from {row.started_at} on", row.seen_at)
    for tenant in row.tenants:
        entries = settings.get((tenant, row.id), [])
        begun = [one for one in entries if one.action == "session.started"]
        if len(begun) != 1:
            yield differs("session.unwitnessed", place, "one entry that began it", len(begun))
            continue
        yield from _times(place, row, begun[0], [one for one in entries if one.action == "session.ended"])


def _times(place: str, row: Row, begun: Entry, ended: list[Entry]) -> Iterator[Difference]:
    said = begun.details
    stored = {
        "account_id": (said.get("account"), str(row.account_id)),
        "token_sha256": (said.get("token_sha256"), bytes(row.token_sha256).hex()),
        "started_at": (_instant(said.get("started_at")), row.started_at),
        "expires_at": (_instant(said.get("expires_at")), row.expires_at),
        **{name: (said.get(name), getattr(row, name)) for name in ("issuer", "subject")},
        "method": (said.get("method", "password"), row.method),  # once there was no other
        "ended_at": (_instant(ended[-1].details.get("ended_at")) if ended else None, row.ended_at),
    }
    for column, (expected, found) in stored.items():
        if expected != found:
            yield differs("session.witness", f"{place}/{column}", expected, found)


def _instant(text: Any) -> datetime | None:  # noqa: ANN401 - what an entry holds
    return None if text is None else datetime.fromisoformat(text)
