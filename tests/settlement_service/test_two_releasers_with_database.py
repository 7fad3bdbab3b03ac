"""Above the tenant's limit a batch takes two releasers, whoever presses when."""

import json
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from settlement.batches.batch import Batch
from settlement.batches.batch_files import list_files, read_part
from settlement.batches.two_releasers import set_release_limit
from settlement.offline import verify_batch
from settlement.offline.verify_alone import differences
from settlement.signatures.keys import jwks, public_keys, revoke_key, rotate_key
from settlement.signatures.signing import RELEASE, Purpose, verify_compact
from tenants.kernel.errors import Conflict, Forbidden
from tenants.kernel.money import Money
from tests.settlement_service.bench import CUT, MAKER, OFFICE, OVER, RELEASER, Bench

SECOND = "releaser-zhou"


def limited(bench: Bench, limit: str) -> None:
    bench.do(lambda c: set_release_limit(c, bench.tenant, Money.parse(limit), "admin", CUT))


def test_up_to_the_limit_one_releaser_is_enough(bench: Bench) -> None:
    limited(bench, "100.00")
    assert bench.released("100.00").state == "released"


def test_above_the_limit_the_first_release_waits_for_another_person(bench: Bench) -> None:
    limited(bench, "100.00")
    batch = bench.sealed("60.00", "40.01")
    first = bench.release(batch)
    assert (first.state, first.released_by, first.version) == ("sealed", None, batch.version + 1)
    assert bench.release(batch) == first
    with pytest.raises(Forbidden):
        bench.release(batch, actor=MAKER)
    assert bench.rows("select 1 from instruction where batch_id = %s", batch.id) == []
    second = bench.release(batch, actor=SECOND)
    assert (second.state, second.released_by) == ("released", SECOND)
    assert bench.release(batch, actor=SECOND) == second
    actions = bench.rows(
        "select action, body::json ->> 'actor' from audit_entry where tenant = %s and subject_id = %s order by seq",
        bench.tenant,
        batch.id,
    )
    assert [tuple(row) for row in actions[-2:]] == [("batch.first_release", RELEASER), ("batch.released", SECOND)]


def test_a_limit_that_is_raised_meanwhile_does_not_undo_the_first_release(bench: Bench) -> None:
    limited(bench, "1.00")
    batch = bench.release(bench.sealed("60.00"))
    limited(bench, "1000.00")
    assert bench.release(batch).state == "sealed"
    assert bench.release(batch, actor=SECOND).state == "released"


@pytest.mark.parametrize("first", [None, RELEASER, MAKER])
def test_the_database_refuses_a_release_without_two_different_people(bench: Bench, first: str | None) -> None:
    limited(bench, "1.00")
    batch = bench.sealed("60.00")
    if first is not None:
        bench.change(
            "insert into first_release (tenant, batch_id, released_by, released_at) values (%s, %s, %s, %s)",
            bench.tenant, batch.id, first, OVER,
        )  # fmt: skip
    with pytest.raises(DBAPIError, match=r"two people|another person"):
        bench.change(
            "update batch set state = 'released', released_by = %s, released_at = %s where tenant = %s and id = %s",
            RELEASER, OVER, bench.tenant, batch.id,
        )  # fmt: skip


def test_of_many_releasers_at_once_two_release_and_it_is_released_once(bench: Bench) -> None:
    limited(bench, "1.00")
    batch = bench.sealed("60.00", "5.00")
    answers: list[Batch | Conflict] = []
    ready = threading.Barrier(8)

    def press(number: int) -> None:
        ready.wait(30)
        try:
            answers.append(bench.release(batch, actor=f"releaser {number}"))
        except Conflict as refused:
            answers.append(refused)

    threads = [threading.Thread(target=press, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    states = sorted(answer.state if isinstance(answer, Batch) else answer.code for answer in answers)
    assert states == ["batch.state"] * 6 + ["released", "sealed"]
    [row] = bench.rows(
        "select b.released_by, f.released_by as first from batch b join first_release f on f.batch_id = b.id "
        "where b.id = %s", batch.id,
    )  # fmt: skip
    assert row.released_by != row.first
    assert len(bench.rows("select 1 from instruction where batch_id = %s", batch.id)) == 2


def signed(bench: Bench, batch: Batch) -> list[tuple[int, int, str]]:
    """Who signed, as what of how many, as their signatures themselves say."""
    keys = bench.do(lambda c: public_keys(c, bench.tenant))
    tokens = bench.rows("select jws from release_signature where batch_id = %s order by number", batch.id)
    said = [json.loads(verify_compact(row.jws, RELEASE, keys)[0]) for row in tokens]
    assert all(each["seal_sha256"] == batch.seal_sha256 for each in said)
    return [(each["number"], each["needed"], each["released_by"]) for each in said]


def test_each_releaser_signs_the_seal_with_a_key_of_their_own(bench: Bench) -> None:
    assert signed(bench, bench.released("5.00")) == [(1, 1, RELEASER)]
    limited(bench, "1.00")
    batch = bench.release(bench.sealed("60.00"))
    assert signed(bench, batch) == [(1, 2, RELEASER)]
    assert signed(bench, bench.release(batch, actor=SECOND)) == [(1, 2, RELEASER), (2, 2, SECOND)]
    holders = bench.rows("select holder from signing_key where tenant = %s and purpose = 'release'", bench.tenant)
    assert sorted(row.holder for row in holders) == [RELEASER, SECOND]


def test_the_database_releases_nothing_that_its_releaser_did_not_sign(bench: Bench) -> None:
    batch = bench.sealed("60.00")
    with pytest.raises(DBAPIError, match="each releaser signs"):
        bench.change(
            "update batch set state = 'released', released_by = %s, released_at = %s where tenant = %s and id = %s",
            RELEASER, OVER, bench.tenant, batch.id,
        )  # fmt: skip


@pytest.mark.parametrize("column", ["cut_by", "published_by", "sealed_by"])
def test_the_database_takes_no_release_signature_of_a_maker(bench: Bench, column: str) -> None:
    batch = bench.sealed("60.00")
    with pytest.raises(DBAPIError, match="who did not make it"):
        bench.change(
            "insert into release_signature (tenant, batch_id, number, needed, released_by, released_at, jws) "
            "select tenant, id, 1, 1, %s, %s, 'x' from batch where id = %s", getattr(batch, column), OVER, batch.id,
        )  # fmt: skip


def test_a_release_key_that_was_revoked_releases_nothing_until_it_is_replaced(bench: Bench) -> None:
    bench.released("5.00")
    [row] = bench.rows("select kid from signing_key where tenant = %s and purpose = 'release'", bench.tenant)
    bench.do(lambda c: revoke_key(c, bench.tenant, row.kid, "operator", "遗失", OVER))
    batch = bench.sealed("6.00")
    with pytest.raises(Conflict) as refused:
        bench.release(batch)
    assert refused.value.code == "key.revoked"
    assert bench.read(batch).state == "sealed"
    bench.do(lambda c: rotate_key(c, bench.tenant, Purpose.RELEASE, OFFICE, "operator", OVER, RELEASER))
    assert bench.release(batch).state == "released"


def test_the_signatures_travel_with_the_files(bench: Bench, tmp_path: Path) -> None:
    limited(bench, "1.00")
    batch = bench.instruct(bench.release(bench.release(bench.sealed("60.00")), actor=SECOND))
    for file in bench.do(lambda c: list_files(c, bench.tenant, batch.id)):
        (tmp_path / file.name).write_bytes(
            bench.do(lambda c, name=file.name: read_part(c, batch, name, 1, OFFICE.sealer))  # type: ignore[misc]
        )
    assert len(json.loads((tmp_path / "manifest.json").read_bytes())["releases"]) == 2
    keys = bench.do(lambda c: jwks(c, bench.tenant))
    assert verify_batch(tmp_path, keys) == []
    assert list(differences(tmp_path, keys, None)) == []
