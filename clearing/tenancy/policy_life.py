"""The life of a policy version (政策版本): draft → submitted → approved | rejected.

Whoever drafted or submitted it never approves it. What is approved never changes; what is wrong with it is corrected
by another version, which is numbered where it begins on the same day. The database refuses whatever else.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from clearing.tenancy.policies import read_version
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work, broken_constraint
from tenants.kernel.errors import Conflict, FieldError, Forbidden, Invalid, PreconditionFailed, Text, not_found
from tenants.policy import Policy
from tenants.policy_document import PolicyDocument, read_document, shipped_frames
from tenants.policy_lines import lines_of, with_line
from tenants.policy_store import approved_policies, policy_subject

ORDINARY: Final = "ordinary"
RETROACTIVE: Final = "retroactive"
KINDS: Final = (ORDINARY, RETROACTIVE)
WRITABLE: Final = frozenset({"draft", "rejected"})
SHIPPED: Final = frozenset({"shipped", "shipped review"})
"""Whom the shipped versions name; nobody else bears these names."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to become a version: its text (TOML), the day it says, whether it reaches back, and why it is made."""

    effective_on: date
    document: str
    kind: str = ORDINARY
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One row of ``policy_version`` as a change of it needs to know it, locked."""

    tenant: str
    scheme: str
    version: str
    effective_on: date
    document: str
    content_sha256: str
    kind: str
    state: str
    author: str
    submitter: str | None
    reason: str | None


_COLUMNS: Final = ", ".join(Version.__slots__)


@dataclass(frozen=True, slots=True)
class Place:
    """Which version: its whole name or what follows ``tenant/scheme/``, and the digest that its text must have."""

    tenant: str
    scheme: str
    version: str
    content_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """One act of a version's life."""

    action: str
    actor: str
    from_state: str | None
    to_state: str
    reason: str | None


def draft(work: Work, tenant: str, scheme: str, given: Draft, actor: str) -> dict[str, Json]:
    """Store the text as a draft, in place of an earlier draft or rejected version of the same name.

    Raises:
        Invalid: the document has faults, each named with its line; or it is another scheme's, or of another day.
        Conflict: the version is submitted or approved.
        Forbidden: the actor bears the name of the shipped policies.
    """
    _refuse_shipped_name(actor)
    document = read_draft(given.document)
    policy = document.policy
    _refuse_strangers(tenant, scheme, given, policy)
    before = _find(work, tenant, scheme, policy.version)
    if before is not None and before.state not in WRITABLE:
        raise _state_conflict(before.state, "draft")
    if before is not None and before.kind != given.kind:
        raise Conflict(
            "policy.kind",
            "同名版本已按另一种方式起草，请换一个更正序号。",
            "A version of that name is drafted as another kind; give it another correction number.",
        )
    if before is None:
        _insert(work, document, given, actor)
    else:
        _rewrite(work, document, given, actor)
    said: dict[str, Json] = {"content_sha256": document.digest, "kind": given.kind, "document": document.text}
    state = None if before is None else before.state
    return _recorded(work, policy, Act("policy.drafted", actor, state, "draft", given.reason), said)


def submit(work: Work, where: Place, actor: str) -> dict[str, Json]:
    """Hand the draft to an approver; from now on its text stands.

    Raises:
        NotFound: there is no such version.
        Conflict: it is no draft.
        Invalid: it cannot become a version of this scheme.
        PreconditionFailed: its text is not the one whose digest was named.
        Forbidden: the actor bears the name of the shipped policies.
    """
    _refuse_shipped_name(actor)
    row = find_version(work, where)
    if row.state != "draft":
        raise _state_conflict(row.state, "submitted")
    _refuse_other_group(work, row)
    work.connection.exec_driver_sql(
        "update policy_version set state = 'submitted', submitter = %s, submitted_at = %s "
        "where tenant = %s and scheme = %s and version = %s",
        (actor, work.at, row.tenant, row.scheme, row.version),
    )
    said: dict[str, Json] = {"content_sha256": row.content_sha256, "kind": row.kind}
    return _recorded(work, row, Act("policy.submitted", actor, "draft", "submitted", None), said)


def approve(work: Work, where: Place, actor: str, impact: dict[str, Json] | None = None) -> dict[str, Json]:
    """Approve what was submitted: it is in force from its day on, and never changes again.

    ``impact`` is the report of what a retroactive version would have changed, which stays with the act.

    Raises:
        NotFound: there is no such version.
        Conflict: it was not submitted, its day has passed, or an approved version has its day and number.
        Forbidden: the same person drafted or submitted it.
        PreconditionFailed: its text is not the one whose digest was named.
    """
    row = _decidable(work, where, actor)
    today = shanghai_day(work.at)
    if row.kind == ORDINARY and row.effective_on < today:
        raise Conflict(
            "policy.effective_passed",
            f"施行日期 {row.effective_on} 早于批准日 {today}；请另定日期，或作为追溯更正另行起草。",
            f"{row.effective_on} lies before the day of approval, {today}; set another day, or draft it as a "
            "retroactive correction.",
        )
    _decide(work, row, "approved", actor, row.reason)
    said: dict[str, Json] = {"content_sha256": row.content_sha256, "approver": actor, "kind": row.kind}
    if impact is not None:
        said["impact"] = impact
    action = "policy.corrected" if row.kind == RETROACTIVE else "policy.approved"
    return _recorded(work, row, Act(action, actor, "submitted", "approved", row.reason), said)


def reject(work: Work, where: Place, actor: str, reason: str) -> dict[str, Json]:
    """Reject what was submitted; it may be drafted anew.

    Raises:
        NotFound: there is no such version.
        Conflict: it was not submitted.
        Forbidden: the same person drafted or submitted it.
        PreconditionFailed: its text is not the one whose digest was named.
    """
    row = _decidable(work, where, actor)
    _decide(work, row, "rejected", actor, reason)
    said: dict[str, Json] = {"content_sha256": row.content_sha256, "approver": actor}
    return _recorded(work, row, Act("policy.rejected", actor, "submitted", "rejected", reason), said)


def read_draft(text: str) -> PolicyDocument:
    """The document that the text spells, resolved over the shipped frames.

    Raises:
        Invalid: ``policy.document``; each fault stands under ``/document`` and names its line.
    """
    try:
        return read_document(text, shipped_frames())
    except Invalid as fault:
        lines = lines_of(text)
        placed = tuple(with_line(error, lines, "/document") for error in fault.errors)
        raise Invalid(fault.code, fault.text.zh, fault.text.en, errors=placed) from fault


def find_version(work: Work, where: Place) -> Version:
    """The version, locked.

    Raises:
        NotFound: there is no such version.
        PreconditionFailed: its text is not the one whose digest was named.
    """
    name = f"{where.tenant}/{where.scheme}/{where.version}"
    row = _find(work, where.tenant, where.scheme, where.version, name)
    if row is None:
        raise not_found("政策版本", "policy version")
    if where.content_sha256 not in {None, row.content_sha256}:
        raise PreconditionFailed(
            "policy.changed", "该版本已被改写，请重新阅读。", "The version has been rewritten; read it again."
        )
    return row


def _refuse_shipped_name(actor: str) -> None:
    if actor in SHIPPED:
        raise Forbidden("policy.person", "此名称为随附政策所用。", "This name is that of the shipped policies.")


def _refuse_strangers(tenant: str, scheme: str, given: Draft, policy: Policy) -> None:
    faults = []
    if (policy.tenant, policy.scheme) != (tenant, scheme):
        said = Text("文件不属于本区域的本券种。", "The document is not this tenant's scheme's.")
        faults.append(FieldError("/document/scheme", "policy.elsewhere", said))
    if policy.effective_on != given.effective_on:
        said = Text(
            f"文件中的施行日期为 {policy.effective_on}。", f"The document says that it begins on {policy.effective_on}."
        )
        faults.append(FieldError("/effective_on", "effective_on.differs", said))
    if policy.demonstration:
        said = Text("演示政策不能起草。", "A demonstration policy is not drafted.")
        faults.append(FieldError("/document/demonstration", "policy.demonstration", said))
    if given.kind == RETROACTIVE and not given.reason:
        said = Text("追溯更正须说明理由。", "A retroactive correction needs its reason.")
        faults.append(FieldError("/reason", "reason.missing", said))
    if faults:
        raise Invalid("policy.invalid", "政策版本有误。", "The version has faults.", errors=tuple(faults))


def _refuse_other_group(work: Work, row: Version) -> None:
    """Every version of a scheme is of one exclusion group: spending known in one would be unknown in another."""
    policies = approved_policies(work.connection, row.tenant, [row.scheme], demonstration=False)
    groups = {policy.exclusion_group for policy in policies.of_scheme(row.scheme)}
    group = read_draft(row.document).policy.exclusion_group
    if groups and group not in groups:
        said = Text("同一券种各版本的互斥组须相同。", "All versions of a scheme have the same exclusion group.")
        error = FieldError("/document/duplicates/exclusion_group/value", "policy.exclusion_group", said)
        raise Invalid("policy.invalid", said.zh, said.en, errors=(error,))


def _insert(work: Work, document: PolicyDocument, given: Draft, actor: str) -> None:
    policy = document.policy
    try:
        with work.connection.begin_nested():
            work.connection.exec_driver_sql(
                "insert into policy_version (tenant, scheme, version, effective_on, document, content_sha256, "
                "demonstration, kind, correction, state, author, recorded_at, reason) "
                "values (%s, %s, %s, %s, %s, %s, false, %s, %s, 'draft', %s, %s, %s)",
                (
                    policy.tenant, policy.scheme, policy.version, policy.effective_on, document.text, document.digest,
                    given.kind, policy.correction, actor, work.at, given.reason,
                ),
            )  # fmt: skip
    except IntegrityError as error:
        if broken_constraint(error) == "policy_version_pkey":
            raise _state_conflict("draft", "draft") from error
        raise


def _rewrite(work: Work, document: PolicyDocument, given: Draft, actor: str) -> None:
    policy = document.policy
    work.connection.exec_driver_sql(
        "update policy_version set state = 'draft', document = %s, content_sha256 = %s, author = %s, "
        "recorded_at = %s, reason = %s, approver = null, submitter = null, submitted_at = null "
        "where tenant = %s and scheme = %s and version = %s",
        (
            document.text, document.digest, actor, work.at, given.reason, policy.tenant, policy.scheme, policy.version,
        ),
    )  # fmt: skip


def _decidable(work: Work, where: Place, actor: str) -> Version:
    _refuse_shipped_name(actor)
    row = find_version(work, where)
    if row.state != "submitted":
        raise _state_conflict(row.state, "decided")
    if actor in {row.author, row.submitter}:
        raise Forbidden(
            "policy.four_eyes",
            "起草人和提交人不能批准或退回自己的政策版本。",
            "Whoever drafted or submitted a version does not decide it.",
        )
    return row


def _decide(work: Work, row: Version, state: str, actor: str, reason: str | None) -> None:
    try:
        with work.connection.begin_nested():
            work.connection.exec_driver_sql(
                "update policy_version set state = %s, approver = %s, approved_at = %s, reason = %s "
                "where tenant = %s and scheme = %s and version = %s",
                (
                    state, actor, work.at if state == "approved" else None, reason, row.tenant, row.scheme, row.version,
                ),
            )  # fmt: skip
    except IntegrityError as error:
        if broken_constraint(error) == "policy_version_in_force":
            raise Conflict(
                "policy.day_taken",
                "该日已有同序号的已批准版本。",
                "An approved version of that day and number exists.",
            ) from error
        raise


def _find(work: Work, tenant: str, scheme: str, *names: str) -> Version | None:
    row: Any = work.connection.exec_driver_sql(
        f"select {_COLUMNS} from policy_version where tenant = %s and scheme = %s "  # noqa: S608 - our own columns
        "and version = any(%s) for update",
        (tenant, scheme, list(names)),
    ).one_or_none()
    return None if row is None else Version(*row)


def _state_conflict(state: str, wanted: str) -> Conflict:
    return Conflict(
        "policy.state",
        f"该版本当前状态为 {state}，不能变为 {wanted}。",
        f"The version is {state}; it cannot be {wanted} now.",
    )


def _recorded(work: Work, of: Version | Policy, act: Act, said: dict[str, Json]) -> dict[str, Json]:
    """Write the act into the audit chain, and answer the version as it now is."""
    details = {"version": of.version, **said}
    subject = policy_subject(of.version)
    change = Change(of.tenant, act.actor, act.action, subject, act.from_state, act.to_state, act.reason, details)
    record(work.connection, [change], work.at)
    return read_version(work.connection, of.tenant, of.scheme, of.version)
