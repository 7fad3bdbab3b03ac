"""``payouts.jsonl`` as it is kept: each line is signed, and orders exactly what the batch's items say."""

from base64 import b32encode
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta, timezone
from typing import Any, Final
from uuid import UUID

import orjson

from clearing.verification.context import Context
from clearing.verification.difference import Difference, differs
from clearing.verification.numerals import in_capitals
from clearing.verification.payouts import payments
from clearing.verification.signatures import INSTRUCTION, BadSignatureError, opened
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import plain
from tenants.kernel.money import Money

THREADS: Final = 2
"""Verification of signatures leaves the interpreter free."""
_CHUNK: Final = 200
_AHEAD: Final = 4
_SHANGHAI: Final = timezone(timedelta(hours=8))
_FREE: Final = frozenset({"purpose", "valid_through", "debtor"})
"""Members that the items do not determine: the debtor is the manifest's, the others are checked by themselves."""

Line = tuple[int, bytes]
Payment = list[Row]


class PayoutLines:
    """Takes the file's bytes as they come and compares line by line with the payments of the batch."""

    def __init__(self, snapshot: Snapshot, batch: Row, manifest: Mapping[str, Any], context: Context) -> None:
        self.count = 0
        self.fen = 0
        self._snapshot = snapshot
        self._batch = batch
        self._manifest = manifest
        self._context = context
        self._payments = payments(snapshot, batch)
        self._rest = b""
        self._chunk: list[Line] = []
        self._threads = ThreadPoolExecutor(THREADS)
        self._waiting: deque[tuple[list[Line], Future[list[tuple[bytes | None, str]]]]] = deque()

    def feed(self, part: bytes) -> Iterator[Difference]:
        """Take in the next bytes; what is wrong with the lines that were looked at by now."""
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            self.count += 1
            self._chunk.append((self.count, line))
            if len(self._chunk) >= _CHUNK:
                self._submit()
                if len(self._waiting) > _AHEAD:
                    yield from self._finished()

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    def finish(self, place: str) -> Iterator[Difference]:
        """The end of the file: every line was looked at, and no payment is without its line."""
        self._submit()
        while self._waiting:
            yield from self._finished()
        if self._rest:
            yield differs("payout.line", place, "a whole last line", self._rest)
        missing = sum(1 for _ in self._payments)
        if missing:
            yield differs("payout.line", place, f"{self.count + missing} lines", self.count)

    def _submit(self) -> None:
        if self._chunk:
            self._waiting.append((self._chunk, self._threads.submit(self._verify, self._chunk)))
            self._chunk = []

    def _verify(self, chunk: list[Line]) -> list[tuple[bytes | None, str]]:
        """The signed payload of each line, or why there is none; runs beside the comparison."""
        return [self._payload(line) for _, line in chunk]

    def _payload(self, line: bytes) -> tuple[bytes | None, str]:
        try:
            said = orjson.loads(line)
            payload, key = opened(said["jws"], INSTRUCTION, self._context.keys)
        except (BadSignatureError, ValueError, KeyError, TypeError) as fault:
            return None, str(fault)
        refusal = key.refusal(self._batch.tenant, self._batch.instructed_at)
        return (payload, str(said.get("instruction_id"))) if refusal is None else (None, refusal)

    def _finished(self) -> Iterator[Difference]:
        chunk, future = self._waiting.popleft()
        for (number, _), (payload, remark) in zip(chunk, future.result(), strict=True):
            place = f"batch_file/{self._batch.tenant}/{self._batch.batch_no}/payouts.jsonl/{number}"
            self._snapshot.tally["signed instructions"] += 1
            payment = next(self._payments, None)
            if payload is None:
                yield differs("payout.signature", place, "an instruction signed by the tenant's payout key", remark)
            elif payment is None:
                yield differs("payout.line", place, "no further line", remark)
            else:
                yield from self._compared(place, orjson.loads(payload), payment, remark)

    def _compared(self, place: str, said: dict[str, Any], payment: Payment, remark: str) -> Iterator[Difference]:
        self.fen += sum(item.amount_fen for item in payment)
        if remark != said.get("instruction_id"):
            yield differs("payout.signature", place, said.get("instruction_id"), remark)
        expected = self._expected(payment)
        if said.keys() != expected.keys() | _FREE:
            yield differs("payout.content", place, expected.keys() | _FREE, set(said))
            return
        for name, value in expected.items():
            if said[name] != value:
                hidden = name == "account_number"
                shown = ("the account of the obligation", "another") if hidden else (value, said[name])
                yield differs("payout.content", f"{place}/{name}", *shown)
        if said["debtor"] != self._manifest["debtor"]:
            yield differs("payout.content", f"{place}/debtor", "the account of the manifest", "another")
        if said["valid_through"] <= self._batch.instructed_at.astimezone(_SHANGHAI).date().isoformat():
            yield differs("payout.content", f"{place}/valid_through", "a later day", said["valid_through"])

    def _expected(self, payment: Payment) -> dict[str, Any]:
        batch, first = self._batch, payment[0]
        fen = sum(item.amount_fen for item in payment)
        secrets = self._context.secrets
        sealed = bytes(first.account_sealed)
        number = None if secrets is None else secrets.field_value(
            sealed, "obligation", "account_sealed", batch.tenant, str(first.claim_id)
        )  # fmt: skip
        return {
            "account_name": first.account_name,
            "account_number": None if number is None else number.decode(),
            "bank_name": first.bank_name,
            "cnaps": first.cnaps,
            "payee": first.account_name,
            "instruction_id": str(first.instruction_id),
            "end_to_end_id": _reference(first.instruction_id),
            "tenant": batch.tenant,
            "batch": batch.batch_no,
            "batch_id": str(batch.id),
            "batch_root": batch.merkle_root,
            "amount": str(Money(fen)),
            "amount_in_words": in_capitals(fen),
            "currency": "CNY",
            "claims": [item.claim_no for item in payment],
            "items": [
                {"position": item.position, "claim": item.claim_no, "amount": str(Money(item.amount_fen))}
                for item in payment
            ],
            "created_at": plain(batch.instructed_at),
            "kid": self._manifest["kid"],
        }


def _reference(instruction_id: UUID | None) -> str | None:
    """The reference that travels to the bank: the id in base32, without padding."""
    return None if instruction_id is None else b32encode(instruction_id.bytes).rstrip(b"=").decode()
