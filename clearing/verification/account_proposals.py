"""Proposed accounts, roles and resets, and invitations: each is what the chains tell, and nobody gave rights alone."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import plain

LONGEST_LIFE: Final = timedelta(days=3)
OPERATOR: Final = "operator"
_TOLD: Final = (
    "tenant", "id", "kind", "login", "person", "display_name", "roles", "ground", "state", "proposed_by", "proposed_at",
    "decided_by", "decided_at", "reason",
)  # fmt: skip
_PROPOSALS: Final = f"select {', '.join(_TOLD)}, code_sealed from account_proposal order by tenant, id"  # noqa: S608
_INVITATIONS: Final = (
    "select i.id, i.account_id, i.secret_sha256, i.totp_sealed, i.issued_by, i.issued_at, i.expires_at, "
    "i.proposal_tenant, i.proposal_id, a.login, a.person, a.tenants from account_invitation i "
    "left join console_account a on a.id = i.account_id order by i.id"
)
_ENROLMENTS: Final = (
    "select e.invitation_id, e.enrolled_at, a.login, a.tenants from account_enrolment e "
    "left join account_invitation i on i.id = e.invitation_id left join console_account a on a.id = i.account_id "
    "order by e.invitation_id"
)


def proposal_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Proposals that are not those of the chains, and rights that were gained without one."""
    approvals = [each[-1] for each in settings.values() if each[-1].action == "account_proposal.approved"]
    rows = {(row.tenant, row.id): row for row in snapshot.counted("account proposals", snapshot.stream(_PROPOSALS))}
    for (tenant, subject), entries in settings.items():
        if entries[0].action.startswith("account_proposal.") and (tenant, subject) not in rows:
            yield differs("proposal.witness", f"account_proposal/{tenant}/{subject}", "one row", None)
        if entries[0].action.startswith("account."):
            yield from _gained(tenant, entries, approvals)
    for key, row in rows.items():
        yield from _proposal(row, settings.get(key, []))


def invitation_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Invitations that are not those of the chains, and those that were taken up otherwise."""
    invitations: set[Any] = set()
    for row in snapshot.counted("invitations", snapshot.stream(_INVITATIONS)):
        invitations.add(row.id)
        yield from _invitation(row, settings)
    taken_up: set[Any] = set()
    for row in snapshot.rows(_ENROLMENTS):
        taken_up.add(row.invitation_id)
        yield from _enrolment(row, settings)
    for (tenant, subject), entries in settings.items():
        if entries[0].action.startswith("invitation.") and subject not in invitations:
            yield differs("invitation.witness", f"account_invitation/{tenant}/{subject}", "one row", None)
        if entries[-1].action == "invitation.taken_up" and subject not in taken_up:
            yield differs("invitation.witness", f"account_enrolment/{tenant}/{subject}", "one row", None)


def _proposal(row: Row, entries: list[Entry]) -> Iterator[Difference]:
    place = f"account_proposal/{row.tenant}/{row.id}"
    actions = [entry.action for entry in entries]
    expected = ["account_proposal.proposed", *([] if row.decided_by is None else [f"account_proposal.{row.state}"])]
    if actions != expected:
        yield differs("proposal.witness", f"{place}/state", expected, actions)
        return
    said = entries[-1].details["after"]
    for column in _TOLD:
        if plain(getattr(row, column)) != said[column]:
            yield differs("proposal.witness", f"{place}/{column}", said[column], getattr(row, column))
    code = None if row.code_sealed is None else hashlib.sha256(bytes(row.code_sealed)).hexdigest()
    if code != entries[0].details.get("code_sha256"):
        yield differs("proposal.witness", f"{place}/code_sealed", entries[0].details.get("code_sha256"), code)
    if [entry.actor for entry in entries] != [row.proposed_by, *([] if row.decided_by is None else [row.decided_by])]:
        yield differs("proposal.witness", f"{place}/proposed_by", [entry.actor for entry in entries], row.proposed_by)
    alone = row.state == "approved" and row.decided_by == row.proposed_by
    if alone or row.person in {row.proposed_by, row.decided_by}:
        yield differs("proposal.four_eyes", f"{place}/decided_by", "three different people", row.decided_by)


def _gained(tenant: str, entries: list[Entry], approvals: Sequence[Entry]) -> Iterator[Difference]:
    """Whatever an account gained by another than the operator was approved for it in the same act."""
    held: set[str] = set()
    for entry in (each for each in entries if each.action.startswith("account.")):
        said = entry.details
        gained, held = set(said["roles"]) - held, set(said["roles"])
        if gained and entry.actor != OPERATOR and not any(_approves(one, entry, gained) for one in approvals):
            place = f"console_account/{said['login']}/{tenant}/roles"
            yield differs("account.given", place, "an approved proposal", sorted(gained))


def _approves(approval: Entry, entry: Entry, gained: set[str]) -> bool:
    after, told = approval.details["after"], entry.details
    same = all(after[name] == told[name] for name in ("login", "person")) and after["tenant"] in told["tenants"]
    at_once = approval.actor == entry.actor and after["decided_at"] == told["changed_at"]
    return same and at_once and gained <= set(after["roles"])


def _invitation(row: Row, settings: Settings) -> Iterator[Difference]:
    place = f"account_invitation/{row.id}"
    if row.tenants is None:
        yield differs("invitation.witness", f"{place}/account_id", "one row of console_account", row.account_id)
        return
    if row.issued_by == row.person or not row.issued_at < row.expires_at <= row.issued_at + LONGEST_LIFE:
        yield differs("invitation.form", place, "of another person, for a few days", row.issued_by)
    for tenant in row.tenants:
        issued = [one for one in settings.get((tenant, row.id), []) if one.action == "invitation.issued"]
        if len(issued) != 1:
            yield differs("invitation.witness", place, "one entry that issued it", len(issued))
            continue
        said = issued[0].details
        stored = {
            "account_id": (said.get("account"), str(row.account_id)),
            "secret_sha256": (said.get("secret_sha256"), bytes(row.secret_sha256).hex()),
            "totp_sealed": (said.get("totp_sha256"), hashlib.sha256(bytes(row.totp_sealed)).hexdigest()),
            "issued_by": (issued[0].actor, row.issued_by),
            "issued_at": (_instant(said.get("issued_at")), row.issued_at),
            "expires_at": (_instant(said.get("expires_at")), row.expires_at),
            "proposal_id": (said.get("proposal"), plain(row.proposal_id)),
            "proposal_tenant": (said.get("proposal_tenant"), row.proposal_tenant),
        }
        for column, (expected, found) in stored.items():
            if expected != found:
                yield differs("invitation.witness", f"{place}/{column}", expected, found)


def _enrolment(row: Row, settings: Settings) -> Iterator[Difference]:
    place = f"account_enrolment/{row.invitation_id}"
    if row.tenants is None:
        yield differs("invitation.witness", place, "one row of account_invitation", None)
        return
    for tenant in row.tenants:
        told = [one for one in settings.get((tenant, row.invitation_id), []) if one.action == "invitation.taken_up"]
        said = [_instant(one.details.get("enrolled_at")) for one in told]
        if said != [row.enrolled_at]:
            yield differs("invitation.witness", f"{place}/enrolled_at", said, row.enrolled_at)


def _instant(text: Any) -> datetime | None:  # noqa: ANN401 - what an entry holds
    return None if text is None else datetime.fromisoformat(text)
