"""Progress: while a transaction cuts, seals or releases, others see how far it is; afterwards no more.

The test holds the tenant's audit chain, which every step locks last.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from settlement.batches.batch import Batch
from settlement.batches.progress import DOING, Progress, cut_progress, progress_of
from settlement.signatures.keys import ensure_payout_key
from tests.settlement_service.bench import CUT, OFFICE, Bench
from tests.settlement_service.test_killed_worker import PATIENCE_SECONDS, held_chain, wait_until_somebody_waits


def seen_during(bench: Bench, step: Callable[[], Batch], look: Callable[[], Progress | None]) -> Progress | None:
    """What others see while the step waits for its commit."""
    with ThreadPoolExecutor(1) as threads:
        with held_chain(bench) as connection:
            doing = threads.submit(step)
            wait_until_somebody_waits(connection)
            seen = look()
        doing.result(PATIENCE_SECONDS)
    return seen


def test_a_cut_is_seen_while_it_is_made(bench: Bench) -> None:
    bench.approve("100.00", "200.00")

    def look() -> Progress | None:
        return bench.do(lambda c: cut_progress(c, bench.tenant))

    assert look() is None
    assert seen_during(bench, bench.cut, look) == Progress("cut", 0)
    assert look() is None


def test_a_seal_and_a_release_are_seen_while_they_are_made(bench: Bench) -> None:
    bench.approve("100.00", "200.00")
    bench.set_account()
    batch = bench.publish(bench.cut())
    bench.do(lambda c: ensure_payout_key(c, bench.tenant, OFFICE, CUT))  # else the seal waits with it, at its start

    def look() -> Progress | None:
        return bench.do(lambda c: progress_of(c, batch.id))

    assert look() is None
    assert seen_during(bench, lambda: bench.seal(batch), look) == Progress("seal", 2)
    assert seen_during(bench, lambda: bench.release(batch), look) == Progress("ledger", 2)
    assert look() is None


def test_a_seal_is_seen_before_its_first_items_are_looked_at(bench: Bench) -> None:
    bench.approve("100.00", "200.00")
    bench.set_account()
    batch = bench.publish(bench.cut())
    # the tenant's first seal makes its key, and waits with it for the chain
    assert seen_during(
        bench, lambda: bench.seal(batch), lambda: bench.do(lambda c: progress_of(c, batch.id))
    ) == Progress("seal", 0)


def test_another_tenants_cut_is_not_taken_for_ones_own(bench: Bench) -> None:
    bench.approve("100.00")
    shorter = bench.tenant[:-1]
    seen = seen_during(bench, bench.cut, lambda: bench.do(lambda c: cut_progress(c, shorter)))
    assert seen is None


@pytest.mark.parametrize("doing", DOING)
def test_what_is_told_fits_into_the_name_of_a_connection(doing: str) -> None:
    longest_tenant = "t" * 36
    assert len(f"{longest_tenant} {doing} {10**9}") <= 63
