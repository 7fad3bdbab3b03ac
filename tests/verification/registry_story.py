"""Parts of the story: the registry's key is rotated, and spending is typed again with slips."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from secrets import token_bytes
from typing import Any

from clearing.claims.key_rotation import Rotation
from clearing.demonstration.claims import GeneratedClaim, generate
from clearing.likeness.engine import DuckEngine
from clearing.likeness.model import shipped_model
from clearing.likeness.sweep import sweep
from clearing.likeness.trained import keep_model
from clearing.service import Service
from tenants.kernel.database import Scope, run
from tenants.kernel.secrets import KEY_BYTES, registry_key_path

Body = dict[str, Any]


def rotate_registry_key(service: Service) -> None:
    """From here on every holding stands under two versions of the registry's key."""
    registry_key_path(service.settings.secrets_folder, 2).write_bytes(token_bytes(KEY_BYTES))
    rotation = Rotation(service.engine, service.machine, service.vault.keyring, "operator")
    for progress in rotation.fill(rotation.begin()):
        assert progress.heads >= 0


IN_BULK = 25
"""As many as are taken by the chunk, in columns."""


def support_in_bulk(send: Callable[[str], str]) -> None:
    """A local platform states what it has paid; of one invoice it says that it was cancelled (红字)."""
    lines = []
    for number in range(IN_BULK):
        key = {"kind": "invoice" if number else "red_letter", "value": f"2441200000{number:010d}", "amount": "120.50"}
        record = {
            "platform": "wujiang-local", "external_id": f'支持"{number}"', "tenant": "wujiang",
            "enterprise_uscc": "91320115MA1LYJ6P8N", "keys": [key], "supported_on": f"2024-06-{number + 1:02d}",
        }  # fmt: skip
        lines.append(json.dumps(record, ensure_ascii=False))
    answers = [json.loads(line) for line in send("\n".join(lines)).splitlines()]
    assert [answer["status"] for answer in answers] == [201] * IN_BULK, answers[:1]


def retype(service: Service, tenants: tuple[str, ...], submit: Callable[[GeneratedClaim], Body], seed: int) -> None:
    """Two claims sent again with a slip in the invoice number, found by the sweep; and a model counted anew."""
    honest = [given for given in generate(seed, 60) if given.planted is None and given.platform == "jssic"]
    retyped = 0
    for given in honest:
        given.body["external_id"] += "-typed"
        if retyped < 2 and submit(given)["state"] == "in_review":
            retyped += submit(replace(given, body=_retyped(given.body)))["state"] == "in_review"
    assert retyped == 2
    swept = sweep(service.engine, service.machine, DuckEngine())
    assert swept.held >= 2, swept
    run(
        service.engine,
        Scope(tenants),
        service.machine,
        lambda work: keep_model(work, tenants, shipped_model(), 40, "operator"),
    )


def _retyped(body: Body) -> Body:
    other = deepcopy(body) | {"external_id": body["external_id"] + "-again"}
    for invoice in other["invoices"]:
        invoice["number"] = invoice["number"][:-1] + ("3" if invoice["number"][-1] != "3" else "8")
    for document in other["documents"]:
        document["sha256"] = document["sha256"][::-1]
    for receipt in other["receipts"]:
        receipt["serial"] = receipt["serial"][:-1] + "X"
    other["contract"]["number"] += "-1"
    return other
