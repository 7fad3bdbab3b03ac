"""``/v1/audit``: searched by keyset, checked as a whole, and proved by public keys alone."""

import hashlib
import json
from base64 import urlsafe_b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clearing.auditing import search as searching
from clearing.auditing.proof import check_chain
from clearing.checkpoints import Checkpoints
from tenants.kernel.change import GENESIS, chained
from tests.console.world import World


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def every(world: World, query: str) -> list[int]:
    """The numbers of all entries that the query finds, by its pages."""
    found, cursor = [], ""
    while True:
        body = world.story.call("auditor", "GET", f"/v1/audit?tenant=jiangsu&{query}{cursor}").get_json()
        found += [item["seq"] for item in body["items"]]
        if body["next_cursor"] is None:
            return found
        cursor = f"&cursor={body['next_cursor']}"


@pytest.mark.parametrize("window", [7, 20_000])
def test_pages_find_every_entry_once_however_little_each_looks_through(
    world: World, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(searching, "WINDOW", window)
    numbers = every(world, "limit=5")
    assert numbers == list(range(numbers[0], 0, -1))
    budgets = every(world, "action=budget.set")
    assert len(budgets) == 1
    assert every(world, "action=budget.") == budgets
    assert every(world, "actor=administrator&action=budget.set") == budgets
    assert every(world, "actor=maker&action=budget.set") == []
    assert every(world, "on_from=2024-09-26&action=budget.set") == budgets
    assert every(world, "on_through=2024-09-25") == []
    assert every(world, "object=CL-JS-1900-1") == []


@pytest.mark.parametrize("query", ["cursor=!", "on_from=1", "subject=x", "actor=", "unheard=1"])
def test_a_query_that_is_nonsense_is_refused(world: World, query: str) -> None:
    assert (
        world.story.call("auditor", "GET", f"/v1/audit?tenant=jiangsu&{query}", ok=422).get_json()["code"]
        == "input.invalid"
    )


def test_another_tenants_chain_is_as_an_absent_one(world: World) -> None:
    for path in ("", "/verification", "/proof/1"):
        assert (
            world.story.call("auditor", "GET", f"/v1/audit{path}?tenant=atlantis", ok=404).get_json()["code"]
            == "not_found"
        )
    beyond = world.story.call("auditor", "GET", "/v1/audit/proof/99999999?tenant=jiangsu", ok=404)
    assert beyond.get_json()["code"] == "not_found"


def test_a_proof_leads_by_hashes_to_a_signed_checkpoint(world: World) -> None:
    world.one_in_review()
    Checkpoints.of(world.service.settings).write(world.service.engine)
    number = every(world, "limit=5")[2]
    proof = world.story.call("auditor", "GET", f"/v1/audit/proof/{number}?tenant=jiangsu").get_json()
    latest = bytes.fromhex(proof["previous_hash"])
    for step in proof["path"]:
        latest = hashlib.sha256(proof["prefix"].encode() + latest + step["body"].encode()).digest()
        assert latest.hex() == step["hash"]
    assert json.loads(proof["path"][0]["body"]) == proof["entry"]
    protected, payload, signature = proof["checkpoint"]["jws"].split(".")
    key = Ed25519PublicKey.from_public_bytes(decoded(proof["checkpoint_keys"]["keys"][0]["x"]))
    key.verify(decoded(signature), f"{protected}.{payload}".encode())
    said = json.loads(decoded(payload))
    assert (said["tenant"], said["seq"], said["hash"]) == ("jiangsu", proof["path"][-1]["seq"], latest.hex())


def test_a_chain_that_was_changed_by_hand_is_found_at_its_entry(world: World) -> None:
    rows, previous = [], GENESIS
    for number in range(1, 6):
        previous = chained(previous, b"%d" % number)
        rows.append((number, str(number), previous))
    head = (5, previous)

    def read(changed: list[tuple[int, str, bytes]]) -> int | None:
        parts = [changed, []]
        return check_chain(lambda _: parts.pop(0), head, {3: rows[2][2]}).wrong_at

    assert read(rows) is None
    assert read([*rows[:2], (3, "x", rows[2][2]), *rows[3:]]) == 3
    assert read([*rows[:1], *rows[2:]]) == 2
    assert read(rows[:4]) == 5
    assert check_chain(lambda _: rows, head, {3: GENESIS}).wrong_at == 3
    assert check_chain(lambda _: rows, head, {9: GENESIS}).wrong_at == 6
    assert check_chain(lambda _: rows, (5, GENESIS), {}).wrong_at == 6


def test_the_whole_chain_verifies_after_all_that_was_done(world: World) -> None:
    answer = world.story.call("auditor", "GET", "/v1/audit/verification?tenant=jiangsu").get_json()
    assert answer["sound"] is True
    assert answer["entries"] == answer["head"]["seq"] > 20
