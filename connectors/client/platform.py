"""What a platform does with the service: submit, reserve, withdraw, register support, learn what became of it all."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Self
from urllib.parse import quote
from uuid import UUID

from joserfc.jwk import ECKey

from connectors.client.answers import ClaimAnswer, Event, LineAnswer, SupportAnswer
from connectors.client.bulk import json_line, send_lines
from connectors.client.calling import Caller
from connectors.client.credentials import Credentials
from connectors.client.patience import Patience
from connectors.printing import request_json, submission_json, support_record_json
from connectors.submission import ReservationRequest, Submission, SupportRecord

CLAIMS: Final = "/v1/claims"
FORMS: Final = "/v1/forms"
SUPPORT_RECORDS: Final = "/v1/support-records"
EVENTS_AT_ONCE: Final = 200

Form = Mapping[str, Any]
"""A claim as JSON data, for who has it so already; it is sent as it is."""


class Platform:
    """A platform's client."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    @classmethod
    def at(
        cls,
        address: str,
        credentials: Credentials,
        patience: Patience | None = None,
        *,
        packs: bool = False,
        signs_with: ECKey | None = None,
        signs_messages: bool = False,
    ) -> Self:
        """The platform's client of the service at ``address``, such as ``https://clearing.example``.

        ``packs``: bulk lines go, and their answers come, as gzip. ``signs_with``: the client's registered key, with
        which every write is signed; ``signs_messages``: by HTTP message signatures (RFC 9421).
        """
        return cls(
            Caller(address, credentials, patience, packs=packs, signs_with=signs_with, signs_messages=signs_messages)
        )

    def submit(self, claim: Submission | Form) -> ClaimAnswer:
        """Submit one claim, or a new revision of one that needs correction.

        Raises:
            CallError: 422 with ``problem.errors`` naming each fault, 409 where it came before with other content.
            UnansweredError: no answer came; submitting again is safe.
        """
        return ClaimAnswer.of(self.caller.post(CLAIMS, _claim(claim)))

    def submit_all(self, claims: Iterable[Submission | Form]) -> Iterator[LineAnswer]:
        """Submit any number of claims; one answer each, in order, as they come.

        Raises:
            CallError: the service refused a whole request.
            UnansweredError: no answer came; the claims without an answer may be submitted again, or all.
        """
        return send_lines(self.caller, f"{CLAIMS}/bulk", (json_line(_claim(claim)) for claim in claims))

    def submit_form(self, form: Form) -> ClaimAnswer:
        """Submit one claim as this platform's own form.

        Raises:
            CallError: as for :meth:`submit`; the faults' pointers name places in the form.
            UnansweredError: no answer came; submitting again is safe.
        """
        return ClaimAnswer.of(self.caller.post(f"{FORMS}/claims", dict(form)))

    def submit_all_forms(self, forms: Iterable[Form]) -> Iterator[LineAnswer]:
        """Submit any number of claims as this platform's own forms, as :meth:`submit_all` does.

        Raises:
            CallError: the service refused a whole request.
            UnansweredError: no answer came; all may be submitted again.
        """
        return send_lines(self.caller, f"{FORMS}/claims/bulk", map(json_line, forms))

    def claim(self, claim_id: UUID) -> ClaimAnswer:
        """The claim as it is now.

        Raises:
            CallError: 404 where there is none, or it is another platform's.
        """
        return ClaimAnswer.of(self.caller.get(f"{CLAIMS}/{claim_id}"))

    def find(self, external_id: str) -> ClaimAnswer | None:
        """The claim with this platform's own number, or ``None``."""
        found = self.caller.get(f"{CLAIMS}?external_id={quote(external_id, safe='')}&limit=1")["items"]
        return ClaimAnswer.of(found[0]) if found else None

    def claims(self, **filters: str) -> Iterator[ClaimAnswer]:
        """The platform's claims, the oldest first, by the filters of ``GET /v1/claims``."""
        wanted = "&".join(f"{name}={quote(value, safe='')}" for name, value in filters.items())
        return map(ClaimAnswer.of, self.caller.pages(f"{CLAIMS}?{wanted}" if wanted else CLAIMS))

    def withdraw(self, claim_id: UUID, reason: str | None = None) -> ClaimAnswer:
        """Withdraw the claim, any time before it is in a batch.

        Raises:
            CallError: 409 where it is too late.
        """
        body = None if reason is None else {"reason": reason}
        return ClaimAnswer.of(self.caller.post(f"{CLAIMS}/{claim_id}/withdraw", body))

    def reserve(self, request: ReservationRequest | Form) -> dict[str, Any]:
        """Ask for quota for an intended contract (额度确认); the reservation as JSON.

        Raises:
            CallError: 422 or 409 as for a claim.
        """
        body = request_json(request) if isinstance(request, ReservationRequest) else dict(request)
        answer: dict[str, Any] = self.caller.post("/v1/reservations", body)
        return answer

    def register_support(self, record: SupportRecord | Form) -> SupportAnswer:
        """State that some spending was subsidised elsewhere.

        Raises:
            CallError: 422 or 409 as for a claim.
        """
        return SupportAnswer.of(self.caller.post(SUPPORT_RECORDS, _record(record)))

    def reserve_by_form(self, form: Form) -> dict[str, Any]:
        """Ask for quota with this platform's own form of an intended contract; the reservation as JSON.

        Raises:
            CallError: as for :meth:`submit_form`.
        """
        answer: dict[str, Any] = self.caller.post(f"{FORMS}/reservations", dict(form))
        return answer

    def register_support_form(self, form: Form) -> SupportAnswer:
        """State with this platform's own form what it paid itself.

        Raises:
            CallError: as for :meth:`submit_form`.
        """
        return SupportAnswer.of(self.caller.post(f"{FORMS}/support-records", dict(form)))

    def register_all_support(self, records: Iterable[SupportRecord | Form]) -> Iterator[LineAnswer]:
        """State any number of supports; one answer each, in order, as they come.

        Raises:
            CallError: the service refused a whole request.
            UnansweredError: no answer came; all may be sent again.
        """
        return send_lines(self.caller, f"{SUPPORT_RECORDS}/bulk", (json_line(_record(one)) for one in records))

    def events(self, after: int = 0) -> Iterator[Event]:
        """What happened since the event with this number, up to now; keep the last ``seq`` and go on there."""
        while True:
            items = self.caller.get(f"/v1/events?after={after}&limit={EVENTS_AT_ONCE}")["items"]
            for item in items:
                yield Event.of(item)
            if len(items) < EVENTS_AT_ONCE:
                return
            after = items[-1]["seq"]


def _claim(claim: Submission | Form) -> dict[str, Any]:
    return submission_json(claim, mask=False) if isinstance(claim, Submission) else dict(claim)


def _record(record: SupportRecord | Form) -> dict[str, Any]:
    return support_record_json(record) if isinstance(record, SupportRecord) else dict(record)
