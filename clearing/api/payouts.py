"""``/v1/payouts/verification``: who holds a payout instruction learns whether it is genuine, without a token."""

from dataclasses import dataclass
from typing import Any, Final

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, current, respond
from clearing.api.noun import Noun, json_body, load
from settlement.offline.evidence import read_keys
from settlement.offline.payouts import Payout, checked_instruction
from settlement.signatures.keys import jwks
from tenants.kernel.canonical import Json
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Text

blueprint = Noun("payouts", __name__, url_prefix="/v1/payouts", description="拨付指令 / payout instructions")

MAX_BYTES: Final = 128 * 1024
MAX_INSTRUCTIONS: Final = 50
SHOWN: Final = (
    "instruction_id",
    "tenant",
    "batch",
    "payee",
    "amount",
    "amount_in_words",
    "claims",
    "created_at",
    "kid",
)


class InstructionsSchema(Schema):
    """Instructions as they were handed on: lines of ``payouts.jsonl``, or compact JWS."""

    instructions = fields.List(
        fields.String(validate=validate.Length(1, MAX_BYTES)),
        required=True,
        validate=validate.Length(1, MAX_INSTRUCTIONS),
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one instruction is: its payload as far as it is signed, and what is wrong with it or with where it is from.

    ``sealed``: whether this service sealed a batch with the root and number that it names; ``None`` where it cannot
    be asked.
    """

    payout: Payout
    sealed: bool | None

    @property
    def genuine(self) -> bool:
        """Whether it is signed, whole, and of a batch that was sealed here."""
        return not self.payout.faults and self.sealed is True

    def json(self) -> dict[str, Json]:
        """In the form of the interface."""
        payload = self.payout.payload or {}
        return {
            "genuine": self.genuine,
            "sealed_here": self.sealed,
            "instruction": {name: payload[name] for name in SHOWN if name in payload} or None,
            "faults": [{"code": code, "zh": zh, "en": en} for code, zh, en in self.payout.faults],
        }


@blueprint.post("/verification")
@blueprint.doc(
    security=[],
    requestBody={"required": True, "content": {"application/json": {"schema": InstructionsSchema}}},
)
def verify_instructions() -> Response:
    """Verify payout instructions by the published keys; the account numbers in them are not repeated."""
    given = load(InstructionsSchema(), json_body(MAX_BYTES))["instructions"]
    return respond(Answer({"items": [verdict.json() for verdict in verdicts(given)]}))


def verdicts(instructions: list[str]) -> list[Verdict]:
    """What each of the instructions is."""
    service = current()

    def read(work: Work) -> dict[str, Any]:
        return jwks(work.connection)

    keys = read_keys(run(service.engine, Scope(()), service.machine, read))
    payouts = [checked_instruction(text, keys) for text in instructions]
    return [Verdict(payout, _sealed(payout)) for payout in payouts]


def _sealed(payout: Payout) -> bool | None:
    payload = payout.payload
    if payload is None:
        return None
    service, tenant = current(), payload["tenant"]

    def read(work: Work) -> bool:
        row = work.connection.exec_driver_sql(
            "select 1 from batch where tenant = %s and batch_no = %s and merkle_root = %s and released_at is not null",
            (tenant, str(payload["batch"]), str(payload["batch_root"])),
        ).one_or_none()
        return row is not None

    return run(service.engine, Scope((tenant,)), service.machine, read)


NOT_SEALED: Final = Text(
    "本服务没有封存并放行过这样的批次。", "No batch with this number and root was sealed and released here."
)
