"""``/v1/audit``: searched by keyset, checked as a whole, and proved by public keys alone."""

import csv
import hashlib
import io
import json
import re
from base64 import urlsafe_b64decode
from html import unescape

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clearing.auditing import search as searching
from clearing.auditing.proof import check_chain
from clearing.checkpoints import Checkpoints
from clearing.console import lists
from tenants.kernel.change import GENESIS, chained
from tests.console.world import Visitor, World, plain


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


def exported(visitor: Visitor, query: str) -> list[list[str]]:
    """The file's rows, without its heading and its count, which it must hold."""
    answer = visitor.browser.get(f"/console/audit/jiangsu/export.csv?{query}")
    assert answer.status_code == 200
    _heading, *rows = list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    ends = next(number for number, row in enumerate(rows) if row and row[0] == "条数")
    assert int(rows[ends][1]) == ends
    return rows[:ends]


FILTERS = (
    "", "action=budget.set", "action=claim.", "action=claim.submitted", "actor=administrator", "actor=nobody",
    "on_from=2024-09-26", "on_through=2024-09-25", "on_from=2024-09-26&on_through=2024-09-26&action=session.",
    "on_from=2100-01-01", "object=CL-JS-1900-1",
)  # fmt: skip


@pytest.mark.parametrize("query", FILTERS)
def test_the_page_counts_what_its_filter_finds_and_the_file_holds_just_that(world: World, query: str) -> None:
    auditor = world.visitor("auditor")
    auditor.see("/console/audit/jiangsu")
    numbers = every(world, query)
    page = plain(auditor.see(f"/console/audit/jiangsu?{query}"))
    assert f"共 {len(numbers):,} 条" in page, page
    assert [int(row[0]) for row in exported(auditor, query)] == numbers


def test_one_objects_entries_are_counted(world: World) -> None:
    claim = world.one_in_review()
    numbers = every(world, f"object={claim['claim_no']}")
    assert numbers
    assert numbers == every(world, f"subject={claim['id']}")
    page = plain(world.visitor("auditor").see(f"/console/audit/jiangsu?object={claim['claim_no']}"))
    assert f"共 {len(numbers)} 条" in page


def test_unasked_a_count_looks_through_the_newest_only_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = world.visitor("auditor")
    monkeypatch.setattr(searching, "WINDOW", 7)
    numbers = every(world, "action=claim.submitted")
    page = auditor.see("/console/audit/jiangsu?action=claim.submitted")
    assert "最近 7 条记录中有" in plain(page)
    asked = re.search(r'data-tally>.*?href="([^"]+)"', page)
    assert asked is not None
    assert f"共 {len(numbers)} 条" in plain(auditor.see(unescape(asked[1])))
    assert len(exported(auditor, "action=claim.submitted")) == len(numbers)
    monkeypatch.setattr(searching, "WINDOW", 20_000)
    monkeypatch.setattr(lists, "COUNTED", 3)
    assert "超过 3 条" in plain(auditor.see("/console/audit/jiangsu?action=claim.submitted"))
    monkeypatch.setattr(lists, "MOST_EXPORTED", 3)
    assert auditor.browser.get("/console/audit/jiangsu/export.csv").status_code == 409, "a file is never cut short"


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
