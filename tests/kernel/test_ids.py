"""Identifiers: UUIDv7 in order, also when the machine's clock goes back."""

import os
import threading
import time
from uuid import RFC_4122, UUID

import pytest

from tenants.kernel.ids import claim_number, new_id, new_ids


def _milliseconds(value: UUID) -> int:
    return value.int >> 80


def test_an_identifier_is_a_uuid_of_version_seven_made_now() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= _milliseconds(made) <= time.time_ns() // 1_000_000 + 1


def test_identifiers_of_one_process_rise_under_threads_and_none_comes_twice() -> None:
    made: list[list[UUID]] = []

    def make() -> None:
        made.append([new_id() for _ in range(2_000)])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one == sorted(one) for one in made)
    assert len({value for one in made for value in one}) == 16_000


def test_a_clock_that_goes_back_does_not_bring_smaller_identifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000_000_000_000)
    after = [new_id() for _ in range(100)]
    assert [before, *after] == sorted([before, *after])
    assert all((one.version, one.variant) == (7, RFC_4122) for one in after)


def test_a_process_that_is_forked_counts_up_from_random_bits_of_its_own() -> None:
    reading, writing = os.pipe()
    before = new_id()
    child = os.fork()
    if not child:
        os.write(writing, new_id().bytes)
        os._exit(0)
    own, its = new_id(), UUID(bytes=os.read(reading, 16))
    os.waitpid(child, 0)
    assert its != own
    assert its.int - before.int not in range(1_000)


def test_text_and_bytes_of_identifiers_sort_as_they_were_made() -> None:
    made = [new_id() for _ in range(1_000)]
    assert sorted(str(one) for one in made) == [str(one) for one in made]
    assert sorted(one.bytes for one in made) == [one.bytes for one in made]


@pytest.mark.parametrize(("sequence", "number"), [(1, "CL-JS-2024-000001"), (1_234_567, "CL-JS-2024-1234567")])
def test_a_claim_number_has_at_least_six_digits(sequence: int, number: str) -> None:
    assert claim_number("JS", 2024, sequence) == number


def test_identifiers_made_together_follow_one_another_and_nothing_comes_between() -> None:
    before, block, after = new_id(), new_ids(1_000), new_id()
    made = [UUID(int=number) for number in block]
    assert len(block) == 1_000
    assert block[-1] == block[0] + 999
    assert before < made[0] < made[-1] < after
    assert {(one.version, one.variant, _milliseconds(one)) for one in made} == {(7, RFC_4122, _milliseconds(made[0]))}


def test_identifiers_made_together_never_carry_into_the_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"\xff" * count)
    block = new_ids(10)
    assert block[-1] == block[0] + 9
    assert all(UUID(int=number).variant == RFC_4122 for number in block)
    assert UUID(int=block[-1]) < new_id()
