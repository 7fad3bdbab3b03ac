"""The statement of a batch (结算单) verified on its own: genuine, adding up, and what its lines come to."""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from settlement.offline.difference import Difference, Findings, Place
from settlement.offline.evidence import RefusedError, checked, read_keys
from tenants.kernel.money import Money, MoneyError

SETTLEMENT: Final = "clearing-settlement+jws"
_BECAME: Final = ("paid", "returned", "rejected", "open")
_UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_STATEMENT: Final = Place("settlement.jws")
MAX_LINE_BYTES: Final = 4096


def verify_settlement(
    token: str, jwks: Mapping[str, Any], lines: Path | None = None, *, manifest_sha256: str | None = None
) -> list[Difference]:
    """Everything that is wrong with a statement; empty when it is genuine and adds up.

    ``lines``: the downloaded lines, held against what the statement signs; ``manifest_sha256``: of the batch's manifest
    where the caller has its files. Nothing in either makes it raise.

    Raises:
        OSError: the lines cannot be read.
    """
    findings = Findings()
    try:
        payload, key = checked(token.strip(), SETTLEMENT, read_keys(jwks))
        said = json.loads(payload)
        key.require(str(said["tenant"]), datetime.fromisoformat(said["made_at"]))
        findings.expect(_STATEMENT, "kid", key.kid, said["kid"])
        _add_up(said, findings)
    except RefusedError as refused:
        findings.add(_STATEMENT, refused.code, refused.zh, refused.en)
        return findings.closed()
    except (MoneyError, *_UNREADABLE):
        findings.add(_STATEMENT, "settlement.malformed", "结算单格式不正确。", "The statement is malformed.")
        return findings.closed()
    if manifest_sha256 is not None:
        findings.expect(_STATEMENT, "manifest_sha256", manifest_sha256, said["manifest_sha256"])
    if lines is not None:
        _lines(lines, said, findings)
    return findings.closed()


def _add_up(said: Mapping[str, Any], findings: Findings) -> None:
    """Paid, returned, rejected and open are the sealed total, and no more is issued again than came back."""
    fen = {name: Money.parse(said[name]["amount"]).fen for name in (*_BECAME, "reissued")}
    found = Money(sum(fen[name] for name in _BECAME))
    findings.expect(_STATEMENT, "total", said["total"], str(found))
    if fen["reissued"] > fen["returned"] + fen["rejected"]:
        findings.add(_STATEMENT, "settlement.reissued", "重新拨付多于退回。", "More is issued again than came back.")


def _lines(path: Path, said: Mapping[str, Any], findings: Findings) -> None:
    """The lines are those that were signed; where they are not, the first one that cannot be is named."""
    digest, sums, seen, number = sha256(), {name: [0, 0] for name in _BECAME}, set[str](), 0
    with path.open("rb") as source:
        while line := source.readline(MAX_LINE_BYTES):
            number += 1
            place = Place(path.name, number)
            digest.update(line)
            try:
                one = json.loads(line)
                sums[one["outcome"]][0] += 1
                sums[one["outcome"]][1] += Money.parse(one["amount"]).fen
                place = Place(path.name, number, str(one["instruction_id"]))
                findings.expect(place, "line", number, one["line"])
                if one["instruction_id"] in seen:
                    findings.add(place, "line.repeated", "指令重复。", "The instruction is there twice.")
                seen.add(one["instruction_id"])
            except (MoneyError, *_UNREADABLE):
                findings.add(place, "line.malformed", "该行无法读取。", "The line cannot be read.")
    for name in _BECAME:
        found = {"count": sums[name][0], "amount": str(Money(sums[name][1]))}
        findings.expect(Place(path.name), name, said[name], found)
    findings.expect(Place(path.name), "sha256", said["lines_sha256"], digest.hexdigest())
