"""The registry's key is rotated while claims come in: nothing is paid twice, and both versions always agree (I24)."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from secrets import token_bytes
from typing import Final
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from clearing.claims.keyring import RACED, Keyring
from clearing.claims.vault import open_vault
from clearing.verification.examination import verify_database
from tenants.kernel.database import broken_constraint
from tenants.kernel.errors import Conflict, Unavailable
from tenants.kernel.secrets import KEY_BYTES, load_secrets, registry_key_path
from tests.blindness.conftest import House
from tests.intake.bodies import JIANGSU, WUJIANG, Body, again, buyer, claim, like, papers, part, seller
from tests.intake.counter import codes
from tests.races import calls
from tests.races.calls import Seen
from tests.races.crowd import Call, Crowd

THREADS = 16


def new_key(house: House, version: int) -> None:
    registry_key_path(house.secrets, version).write_bytes(token_bytes(KEY_BYTES))


def spending() -> Body:
    """A claim that both programmes would take."""
    return claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))


def support(body: Body) -> Body:
    return {
        "platform": "delta", "external_id": f"S-{uuid4()}", "tenant": "wujiang",
        "enterprise_uscc": body["enterprise"]["uscc"], "supported_on": "2024-08-01",
        "keys": [{"kind": "invoice", "value": body["invoices"][0]["number"], "amount": body["invoices"][0]["amount"]}],
    }  # fmt: skip


def states(house: House) -> dict[int, str]:
    return {
        row.version: row.state
        for row in house.counter.rows("select version, state from registry_key_version order by 1")
    }


def holdings(house: House) -> dict[int, int]:
    joined = "registry_holding join registry_key using (digest, exclusion_group)"
    rows = house.counter.rows(f"select key_version, count(*) from {joined} group by 1")  # noqa: S608 - our own
    return {version: count for version, count in rows}  # noqa: C416 - rows are typed so


SEEN_TO: Final = ("registry.", "probe.", "support.keys", "secrets.", "chain.", "row.")
"""What the auditor is asked about here; the counter's client, for one, is in no table."""


def found(house: House) -> list[str]:
    """What the independent auditor finds."""
    all_of_it = verify_database(house.addresses.auditor_url, house.secrets, None)
    return [f"{each.subject} {each.place}" for each in all_of_it if each.subject.startswith(SEEN_TO)]


@pytest.fixture(scope="module")
def before(house: House) -> list[Body]:
    """Spendings that were claimed, or supported elsewhere, before any rotation."""
    bodies = [spending() for _ in range(30)]
    for body in bodies:
        assert house.counter.submit(body).row.state == "in_review"
    records = [spending() for _ in range(5)]
    for body in records:
        house.counter.support(support(body))
    return bodies + records


def latest(house: House) -> int:
    return max(states(house))


def rotate_under_load(house: House, crowd: Crowd, rounds: int) -> list[Body]:
    """Go to the next version and retire the one before, while each of many spendings is claimed twice at once."""
    once = [[spending() for _ in range(THREADS // 2)] for _ in range(rounds)]
    asked = [[call for body in bodies for call in twice(body)] for bodies in once]
    rotation, old = house.rotation, latest(house)
    with ThreadPoolExecutor(1) as other:
        crowd.meet(asked[0])
        running = other.submit(crowd.meet, *asked[1:])
        new_key(house, old + 1)
        version = rotation.begin()
        assert sum(progress.holdings for progress in rotation.fill(version)) > 0
        assert [states(house)[each] for each in (old, version)] == ["current", "current"]
        for _ in rotation.retire(old):
            assert not running.done(), "the crowd was gone before the old version was retired: nothing is shown"
        for round_ in running.result():
            for first, second in zip(round_[::2], round_[1::2], strict=True):
                one_winner(first, second)
    return [body for bodies in once for body in bodies]


def twice(body: Body) -> tuple[Call, Call]:
    return Call(calls.submit, (again(body), "jssic")), Call(calls.submit, (like(body, WUJIANG), "delta"))


def one_winner(first: Seen, second: Seen) -> None:
    assert {first.status, second.status} == {201}, (first, second)
    assert sorted([first.takes_money, second.takes_money]) == [False, True], (first, second)
    loser = second if first.takes_money else first
    assert loser.codes & {"duplicate.cross_scheme", "duplicate.invoice_exhausted"}


@pytest.fixture(scope="module")
def rotated(house: House, crowd: Crowd, before: list[Body]) -> list[Body]:
    """What was claimed while the key went from version 1 to 2 and version 1 was retired."""
    assert before
    return rotate_under_load(house, crowd, 14)


def test_no_spending_of_any_moment_is_taken_twice(house: House, before: list[Body], rotated: list[Body]) -> None:
    assert states(house) == {1: "retired", 2: "current"}
    assert set(holdings(house)) == {2}
    for body in before + rotated[::5]:
        refused = house.counter.submit(like(body, WUJIANG))
        assert refused.row.state != "in_review"
        assert any(code.startswith("duplicate.") for code in codes(refused))


def test_the_auditor_finds_nothing_after_a_rotation_under_load(house: House, rotated: list[Body]) -> None:
    assert rotated
    assert found(house) == []


def test_the_same_enterprise_is_known_again_under_the_new_key(house: House, rotated: list[Body]) -> None:
    """Another enterprise with the invoice is held, the same one refused: the enterprise's digest went along."""
    foreign = deepcopy(rotated[0])
    other = claim(WUJIANG)
    for member in ("external_id", "tenant", "scheme", "enterprise", "contract", "receipts", "payee", "documents"):
        foreign[member] = other[member]
    foreign["services"][0]["item"] = WUJIANG.item
    assert codes(house.counter.submit(foreign)) == {"duplicate.foreign_invoice"}


def test_a_claim_sent_again_is_the_same_claim_under_any_key(
    house: House, before: list[Body], rotated: list[Body]
) -> None:
    assert rotated
    assert house.counter.outcome(before[0]).status == 200


def test_split_parts_of_one_invoice_stay_within_it_over_a_rotation(house: House, rotated: list[Body]) -> None:
    assert rotated
    counter = house.counter
    first = spending()
    first["duplicate_explanation"] = "分次兑付"
    halves = [part(again(first), "4000.00") for _ in range(3)]
    for body in halves:
        body["contract"]["amount"] = "20000.00"
    assert counter.submit(halves[0]).row.state == "in_review"
    new_key(house, 3)
    rotation = house.rotation
    version = rotation.begin()
    assert counter.submit(halves[1]).row.state == "on_hold"
    assert found(house) == []
    for _ in rotation.fill(version):
        pass
    assert "duplicate.invoice_exhausted" in codes(counter.submit(halves[2]))
    counts = holdings(house)
    assert counts[2] == counts[3]
    for _ in rotation.retire(2):
        assert "duplicate.invoice_exhausted" in codes(counter.submit(again(halves[2])))
    assert found(house) == []


def test_a_hold_is_cleared_and_a_claim_withdrawn_while_two_versions_stand(house: House, rotated: list[Body]) -> None:
    assert rotated
    counter, rotation = house.counter, house.rotation
    report = papers("geteilt", ("service_report",))[0]["sha256"]
    one, two = spending(), spending()
    for body in (one, two):
        next(paper for paper in body["documents"] if paper["kind"] == "service_report")["sha256"] = report
    first, held = counter.submit(one), counter.submit(two)
    assert held.row.state == "on_hold"
    new_key(house, 4)
    version = rotation.begin()
    counter.withdraw(first)
    assert counter.resolve(held, "duplicate.document_reuse").row.state == "in_review"
    for _ in rotation.fill(version):
        pass
    assert counter.submit(again(one)).row.state == "in_review"
    assert found(house) == []


def blind(house: House, versions: tuple[int, ...]) -> str | None:
    """Write one claim's holding under these versions alone, past the application: which constraint refuses it."""
    digests = [token_bytes(16) for _ in versions]
    try:
        with house.counter.app.begin() as connection:
            for digest, version in zip(digests, versions, strict=True):
                connection.exec_driver_sql(
                    "insert into registry_key (digest, exclusion_group, kind, key_version) "
                    "values (%s, 'national', 'invoice', %s)",
                    (digest, version),
                )
            connection.exec_driver_sql(
                "insert into registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, "
                "platform, enterprise_digest, month, status, claimed_fen, stated_fen) "
                "select d, 'national', %s, 'claim', 'jiangsu', "
                "'provincial', 'jssic', '\\x00', '2024-08', 'taken', 1, 10 from unnest(%s::bytea[]) d",
                (uuid4(), digests),
            )
            connection.rollback()
    except DBAPIError as error:
        return broken_constraint(error)
    return None


def test_the_database_alone_refuses_who_does_not_write_every_version(house: House, rotated: list[Body]) -> None:
    assert rotated
    new = latest(house)
    assert [state for state in states(house).values() if state == "current"] == ["current", "current"]
    assert blind(house, (new - 1, new)) is None
    for versions in ((new - 1,), (new,), (1,), (1, new - 1, new), (new + 1,)):
        assert blind(house, versions) == RACED, versions


def test_a_process_without_the_new_key_stores_nothing(house: House, rotated: list[Body]) -> None:
    assert rotated
    known = load_secrets(house.secrets)
    stale = replace(known, registry=((1, dict(known.registry)[1]),), folder=None)
    body = spending()
    with pytest.raises(Unavailable) as refused:
        replace(house.counter, vault=open_vault(stale)).submit(body)
    assert refused.value.code == "registry.key_missing"
    assert house.counter.rows("select 1 from claim where external_id = %s", body["external_id"]) == []
    assert house.counter.submit(body).row.state == "in_review"


def test_a_wrong_key_file_is_noticed_before_it_writes_anything(house: House, rotated: list[Body]) -> None:
    assert rotated
    path = registry_key_path(house.secrets, latest(house))
    right = path.read_bytes()
    try:
        path.write_bytes(token_bytes(KEY_BYTES))
        wrong = Keyring(dict(load_secrets(house.secrets).registry), house.secrets)
        with pytest.raises(Conflict) as refused:
            require(house, wrong)
        assert refused.value.code == "registry.key_wrong"
    finally:
        path.write_bytes(right)
    require(house, Keyring(dict(load_secrets(house.secrets).registry), house.secrets))


def require(house: House, keyring: Keyring) -> None:
    from clearing.claims.key_rotation import require_right_keys

    house.counter.do(lambda work: require_right_keys(work.connection, keyring), "jiangsu")


def test_steps_out_of_order_are_refused(house: House, rotated: list[Body]) -> None:
    assert rotated
    rotation, new = house.rotation, latest(house)
    new_key(house, new + 1)
    for step, code in (
        (rotation.begin, "registry.rotating"),
        (lambda: list(rotation.retire(new)), "registry.not_replaced"),
        (lambda: list(rotation.fill(new)), "registry.not_filling"),
    ):
        with pytest.raises(Conflict) as refused:
            step()
        assert refused.value.code == code


ADDED = (
    "insert into registry_key_version (version, id, state, check_value, begun_at) "
    "values (99, gen_random_uuid(), 'filling', '\\x00000000000000000000000000000000', now())"
)


@pytest.mark.parametrize(
    "change",
    [
        "update registry_key_version set state = 'filling' where state = 'current'",
        "update registry_key_version set state = 'retired' where state = 'current'",
        "update registry_key_version set check_value = '\\x00000000000000000000000000000000' where version = 2",
        ADDED,
        "delete from registry_key_version",
        "select fill_registry(1::smallint, '{}', '{}', '{}', '{}', '{}')",
        "select drop_registry_version(4::smallint, '', 10)",
    ],
)
def test_the_database_lets_no_version_go_backwards(house: House, rotated: list[Body], change: str) -> None:
    assert rotated
    with pytest.raises(DBAPIError) as refused, house.counter.app.begin() as connection:
        connection.exec_driver_sql(change)
    assert getattr(refused.value.orig, "sqlstate", "") in {"42501", "23514"}


def test_nothing_in_the_registry_can_be_computed_with_an_older_key_alone(house: House, rotated: list[Body]) -> None:
    """Who stole the first key and the table still finds none of the numbers."""
    number = rotated[0]["invoices"][0]["number"]
    keyring = house.counter.vault.keyring
    known = {version: dict(keyring.under((version,)).digests("invoice", number)) for version in states(house)}
    kept = {bytes(row[0]) for row in house.counter.rows("select digest from registry_key")}
    assert {version: known[version][version] in kept for version in known} == {1: False, 2: False, 3: True, 4: True}


@pytest.mark.long
def test_a_long_rotation_under_load(house: House, crowd: Crowd, rotated: list[Body]) -> None:
    assert rotated
    current = [version for version, state in states(house).items() if state == "current"]
    for version in current[:-1]:
        for _ in house.rotation.retire(version):
            pass
    claimed = rotate_under_load(house, crowd, 250)
    assert len(claimed) == 2000
    assert found(house) == []
