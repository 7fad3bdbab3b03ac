"""What the service answers, typed; ``body`` keeps the whole of it, also what a later version adds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One fault of the input; ``pointer`` is of RFC 6901, ``message`` in the language asked for."""

    pointer: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ProblemAnswer:
    """A problem (RFC 9457)."""

    status: int
    code: str
    detail: str
    errors: tuple[FieldFault, ...] = ()

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The problem in this JSON."""
        faults = (FieldFault(one["pointer"], one["code"], one["message"]) for one in body.get("errors", ()))
        return cls(body.get("status", 0), body["code"], body.get("detail", ""), tuple(faults))


@dataclass(frozen=True, slots=True)
class FindingAnswer:
    """One rule that did not simply pass, with the clause behind it."""

    rule: str
    verdict: str
    cite: str
    message: str


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """A claim as the service has it."""

    id: UUID
    claim_no: str
    external_id: str
    tenant: str
    revision: int
    state: str
    award: Money
    next_stage: str | None
    findings: tuple[FindingAnswer, ...]
    body: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The claim in this JSON."""
        assessment = body["assessment"]
        return cls(
            id=UUID(body["id"]),
            claim_no=body["claim_no"],
            external_id=body["external_id"],
            tenant=body["tenant"],
            revision=body["revision"],
            state=body["state"],
            award=Money.parse(assessment["award"]),
            next_stage=body["next_stage"],
            findings=tuple(
                FindingAnswer(one["rule"], one["verdict"], one["cite"], one["message"])
                for one in assessment["findings"]
            ),
            body=body,
        )


@dataclass(frozen=True, slots=True)
class SupportAnswer:
    """A support record as registered; ``collisions`` tell of keys that others hold."""

    id: UUID
    keys: int
    collisions: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The record in this JSON."""
        return cls(UUID(body["id"]), body["keys"], tuple(body["collisions"]))


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """The answer to one line of a bulk call, counted from one over all that was given to the call."""

    line: int
    status: int
    problem: ProblemAnswer | None
    body: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, line: int, body: Mapping[str, Any]) -> Self:
        """The answer in this JSON, whose own ``line`` counts from the beginning of one request."""
        problem = ProblemAnswer.of(body["problem"]) if "problem" in body else None
        return cls(line, body["status"], problem, body)

    @property
    def is_taken(self) -> bool:
        """Whether the line is stored, now or before."""
        return self.problem is None

    @property
    def claim(self) -> ClaimAnswer:
        """The claim that the line became.

        Raises:
            KeyError: it was refused, or was no claim.
        """
        return ClaimAnswer.of(self.body["claim"])

    @property
    def support_record(self) -> SupportAnswer:
        """The support record that the line became.

        Raises:
            KeyError: it was refused, or was no support record.
        """
        return SupportAnswer.of(self.body["support_record"])


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the platform's feed; ``seq`` is its place, without gaps."""

    seq: int
    id: UUID
    type: str
    tenant: str
    subject_id: UUID
    occurred_at: datetime
    data: Mapping[str, Any]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The event in this JSON."""
        return cls(
            body["seq"],
            UUID(body["id"]),
            body["type"],
            body["tenant"],
            UUID(body["subject_id"]),
            datetime.fromisoformat(body["occurred_at"]),
            body["data"],
        )
