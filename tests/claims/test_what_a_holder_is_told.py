"""Of a key in very many hands a holder is told the oldest of each sort; the verdict is as if it were told of all."""

from uuid import UUID

import pytest

from clearing.claims.registry import USES_TOLD, Holder, Holding, Key, Locked
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money

DIGEST = bytes(16)
OWN, STRANGER = b"own", b"stranger"
KEY = Key("invoice", "/invoices/0", Money(100), Money(10), ((1, DIGEST),))


def holder(tenant: str, enterprise: bytes) -> Holder:
    return Holder(new_id(), "claim", tenant, "innovation-voucher", tenant, {1: enterprise}, "2024-08", "national")


def locked(*holders: Holder) -> Locked:
    found = Locked()
    found.holdings[DIGEST, "national"] += [
        Holding(DIGEST, one.enterprise[1], one, "contending", Money(10), Money(100)) for one in holders
    ]
    return found


def told(registry: Locked, seeker: Holder) -> list[UUID]:
    return [UUID(use.reference) for use in registry.state_of(KEY, seeker).uses]


@pytest.mark.parametrize("strangers", [1, USES_TOLD, USES_TOLD + 1, 500])
def test_of_any_number_of_strangers_the_oldest_few_are_told(strangers: int) -> None:
    seeker = holder("jiangsu", OWN)
    others = [holder("wujiang", STRANGER) for _ in range(strangers)]
    registry = locked(*reversed(others))
    assert told(registry, seeker) == [one.holder_id for one in others[:USES_TOLD]]
    assert registry.others([KEY], seeker) == {("wujiang", "invoice", one.holder_id) for one in others[:USES_TOLD]}


def test_masses_of_strangers_hide_neither_an_own_use_nor_another_programme() -> None:
    seeker = holder("jiangsu", OWN)
    masses = [holder("wujiang", STRANGER) for _ in range(100)]
    own, elsewhere, alike = holder("jiangsu", OWN), holder("wujiang", OWN), holder("jiangsu", STRANGER)
    heard = told(locked(*masses, own, elsewhere, alike), seeker)
    assert {own.holder_id, elsewhere.holder_id, alike.holder_id} <= set(heard)
    assert len(heard) == USES_TOLD + 3


def test_whoever_is_told_or_not_has_taken_his_fen() -> None:
    seeker = holder("jiangsu", OWN)
    registry = locked(*[holder("wujiang", STRANGER) for _ in range(100)])
    assert registry.state_of(KEY, seeker).taken == Money(1000)
