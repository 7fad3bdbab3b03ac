"""The life of a batch on the real database: cut, publicity, objection, cancel, close."""

from collections.abc import Callable
from datetime import date

import pytest

from settlement.batches.batch import find_batch
from settlement.batches.obligation import open_obligations, take_back
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.ids import new_id
from tests.settlement_service.bench import APPROVED, CUT, MAKER, OFFICE, OVER, PUBLISHED, SECOND_MAKER, Bench, shanghai


def test_a_cut_takes_every_open_claim_up_to_the_cut_off_and_fixes_the_totals(bench: Bench) -> None:
    bench.approve("100.00", "200.50")
    bench.approve("7.00", at=CUT)
    bench.approve("9.00", mode="cross_redemption")
    batch = bench.cut(cut_off_at=shanghai("2024-09-25"))
    assert (batch.state, batch.item_count, str(batch.total)) == ("cut", 2, "300.50")
    assert batch.batch_no.endswith("-2024-0001")
    assert bench.cut().total_fen == 700
    assert bench.cut(mode="cross_redemption").total_fen == 900


def test_a_cut_off_that_lies_ahead_is_the_present_moment(bench: Bench) -> None:
    batch = bench.cut(cut_off_at=shanghai("2024-12-31"))
    assert batch.cut_off_at == CUT
    assert bench.read(batch).cut_off_at == CUT


def test_a_claim_approved_after_the_cut_goes_into_the_next_batch(bench: Bench) -> None:
    bench.approve("1.00")
    first = bench.cut()
    bench.approve("2.00", at=shanghai("2024-09-26", 10))
    second = bench.cut(cut_off_at=PUBLISHED, at=PUBLISHED)
    assert (first.total_fen, second.total_fen) == (100, 200)
    assert second.batch_no.endswith("-0002")


def test_publicity_of_five_working_days_from_friday_before_the_holiday_ends_on_october_tenth(bench: Bench) -> None:
    bench.approve("100.00")
    bench.set_account()
    batch = bench.publish(bench.cut())
    assert (batch.published_on, batch.publicity_through_on) == (date(2024, 9, 27), date(2024, 10, 10))
    with pytest.raises(Conflict) as refused:
        bench.seal(batch, at=shanghai("2024-10-10", 23))
    assert refused.value.code == "publicity.running"
    assert bench.seal(batch, at=shanghai("2024-10-11", 0)).state == "sealed"


def test_a_provisional_calendar_blocks_the_seal_until_the_year_is_loaded(bench: Bench) -> None:
    published, over = shanghai("2030-03-01"), shanghai("2030-05-01")
    bench.approve("100.00")
    bench.set_account()
    batch = bench.publish(bench.cut(), at=published)
    assert batch.publicity_provisional
    with pytest.raises(Conflict) as refused:
        bench.seal(batch, at=over)
    assert refused.value.code == "publicity.provisional"
    bench.change(
        "insert into calendar_year (tenant, year, version, holidays, workdays, cite, set_by, set_at) "
        "values (%s, 2030, 'notice-2030', '{2030-03-04}', '{}', 'a notice', 'admin', %s)",
        bench.tenant,
        over,
    )
    sealed = bench.seal(batch, at=over)
    assert not sealed.publicity_provisional
    assert sealed.publicity_through_on == date(2030, 3, 11)
    assert sealed.calendar_version is not None
    assert "notice-2030" in sealed.calendar_version


def test_an_objection_takes_one_claim_out_and_restates_the_totals(bench: Bench) -> None:
    _, second, _ = bench.approve("100.00", "200.00", "300.00")
    batch = bench.publish(bench.cut())
    restated = bench.take_out(second)
    assert (restated.item_count, str(restated.total), restated.state) == (2, "400.00", "in_publicity")
    assert restated.version == batch.version + 1
    [entry] = bench.rows(
        "select body from audit_entry where tenant = %s and subject_id = %s and action = 'batch.objection'",
        bench.tenant,
        batch.id,
    )
    assert '"total_before":"600.00"' in entry.body
    bench.set_account()
    assert bench.seal(restated).item_count == 2


def test_a_claim_taken_out_can_be_approved_again_for_a_later_batch(bench: Bench) -> None:
    [claim_id] = bench.approve("100.00")
    bench.publish(bench.cut())
    bench.take_out(claim_id)
    assert bench.cut(at=PUBLISHED).item_count == 0
    again = bench.obligation(claim_id, 1, "80.00", 1)
    bench.do(lambda c: open_obligations(c, bench.tenant, [again], OFFICE.sealer, OVER), OVER)
    assert bench.cut(cut_off_at=OVER, at=OVER).total_fen == 8000


def test_a_claim_is_objected_to_only_once_and_only_in_publicity(bench: Bench) -> None:
    first, second = bench.approve("100.00", "200.00")
    batch = bench.cut()
    for claim_id in (first, new_id()):
        with pytest.raises(Conflict) as early:
            bench.take_out(claim_id)
        assert early.value.code == "claim.not_in_publicity"
    bench.publish(batch)
    bench.take_out(first)
    with pytest.raises(Conflict):
        bench.take_out(first)
    bench.set_account()
    bench.seal(batch)
    with pytest.raises(Conflict):
        bench.take_out(second, at=OVER)


def test_a_cancelled_batch_frees_its_claims_for_the_next_one(bench: Bench) -> None:
    bench.approve("100.00", "200.00")
    batch = bench.publish(bench.cut())
    assert bench.cancel(batch).state == "cancelled"
    assert bench.cut().total_fen == 30000


def test_a_sealed_batch_can_no_longer_be_cancelled(bench: Bench) -> None:
    batch = bench.sealed("100.00")
    with pytest.raises(Conflict) as refused:
        bench.cancel(batch, at=OVER)
    assert refused.value.code == "batch.state"


def test_an_empty_batch_closes_from_every_state_before_its_release(bench: Bench) -> None:
    just_cut = bench.cut()
    published = bench.publish(bench.cut())
    sealed = bench.seal(bench.publish(bench.cut()))
    released = bench.release(bench.seal(bench.publish(bench.cut())))
    assert released.state == "closed"
    assert {bench.close(batch).state for batch in (just_cut, published, sealed)} == {"closed"}
    assert sealed.merkle_root == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_batch_that_holds_claims_is_never_closed_unpaid(bench: Bench) -> None:
    bench.approve("100.00")
    with pytest.raises(Conflict) as refused:
        bench.close(bench.cut())
    assert refused.value.code == "batch.not_empty"


def test_the_same_step_again_by_the_same_person_changes_nothing(bench: Bench) -> None:
    bench.approve("100.00")
    bench.set_account()
    batch = bench.publish(bench.cut())
    assert bench.publish(batch) == batch
    sealed = bench.seal(batch)
    assert bench.seal(batch) == sealed
    released = bench.release(batch)
    assert bench.release(batch) == released
    [entries] = bench.rows(
        "select count(*) as n from audit_entry where tenant = %s and subject_id = %s", bench.tenant, batch.id
    )
    assert entries.n == 4


def test_the_same_step_again_by_somebody_else_is_a_conflict(bench: Bench) -> None:
    bench.approve("100.00")
    batch = bench.publish(bench.cut())
    with pytest.raises(Conflict) as refused:
        bench.publish(batch, actor=SECOND_MAKER)
    assert refused.value.code == "batch.state"
    assert "公示中" in refused.value.text.zh
    assert "seal" in refused.value.text.en


def test_every_step_out_of_its_order_is_refused_with_the_state_named(bench: Bench) -> None:
    bench.approve("100.00")
    bench.set_account()
    batch = bench.cut()
    steps: dict[str, Callable[[], object]] = {
        "publish": lambda: bench.publish(batch, actor=SECOND_MAKER),
        "seal": lambda: bench.seal(batch, actor=SECOND_MAKER),
        "release": lambda: bench.release(batch, actor="another-releaser"),
        "instruct": lambda: bench.instruct(batch),
        "cancel": lambda: bench.cancel(batch, actor=SECOND_MAKER, at=OVER),
    }
    possible = {
        "cut": {"publish", "cancel"},
        "in_publicity": {"seal", "cancel"},
        "sealed": {"release"},
        "released": {"instruct"},
    }
    advance: dict[str, Callable[[], object]] = {
        "cut": lambda: bench.publish(batch),
        "in_publicity": lambda: bench.seal(batch),
        "sealed": lambda: bench.release(batch),
    }
    for state, allowed in possible.items():
        assert bench.read(batch).state == state
        for step, attempt in steps.items():
            if step not in allowed:
                with pytest.raises(Conflict) as refused:
                    attempt()
                assert refused.value.code == "batch.state"
        if state in advance:
            advance[state]()


def test_a_claim_in_a_batch_cannot_be_taken_back_but_an_open_one_can(bench: Bench) -> None:
    in_batch, other = bench.approve("100.00")[0], new_id()
    bench.cut()
    with pytest.raises(Conflict) as refused:
        bench.do(lambda c: take_back(c, bench.tenant, in_batch, CUT))
    assert refused.value.code == "claim.batched"
    bench.do(lambda c: take_back(c, bench.tenant, other, CUT))
    [open_claim] = bench.approve("5.00")
    bench.do(lambda c: take_back(c, bench.tenant, open_claim, CUT))
    assert bench.cut().item_count == 0


def test_a_claim_has_one_obligation_at_a_time(bench: Bench) -> None:
    [claim_id] = bench.approve("100.00")
    again = bench.obligation(claim_id, 1, "100.00", 1)
    with pytest.raises(Conflict) as refused:
        bench.do(lambda c: open_obligations(c, bench.tenant, [again], OFFICE.sealer, APPROVED))
    assert refused.value.code == "obligation.open"


def test_a_batch_of_another_tenant_does_not_exist(bench: Bench) -> None:
    batch = bench.cut()
    stranger = Bench(bench.app, "t-stranger")
    with pytest.raises(NotFound):
        stranger.do(lambda c: find_batch(c, bench.tenant, batch.id))


def test_each_change_of_state_is_one_entry_of_the_audit_chain(bench: Bench) -> None:
    batch = bench.released("100.00")
    entries = bench.rows(
        "select action, body from audit_entry where tenant = %s and subject_id = %s order by seq",
        bench.tenant,
        batch.id,
    )
    assert [entry.action for entry in entries] == ["batch.cut", "batch.published", "batch.sealed", "batch.released"]
    assert f'"actor":"{MAKER}"' in entries[0].body
