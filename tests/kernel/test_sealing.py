import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.kernel.sealing import KeyEncryptionKey, Place, Sealer, SealError, mask_account

OLD = KeyEncryptionKey(1, b"o" * 32)
NEW = KeyEncryptionKey(2, b"n" * 32)
PLACE = Place("claim_revision", "sealed", "jiangsu", "0192/1")
ACCOUNT = "1106014019000000000"


def test_a_value_opens_where_it_was_sealed() -> None:
    sealer = Sealer([NEW])
    assert sealer.unseal(sealer.seal(ACCOUNT, PLACE), PLACE) == ACCOUNT


@given(st.text(max_size=200))
def test_any_text_comes_back_as_it_went_in(text: str) -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal(text, PLACE)
    assert sealer.unseal(sealed, PLACE) == text


def test_a_sealed_value_shows_nothing_and_differs_each_time() -> None:
    sealer = Sealer([NEW])
    first, second = sealer.seal(ACCOUNT, PLACE), sealer.seal(ACCOUNT, PLACE)
    assert first != second
    assert ACCOUNT.encode() not in first


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place("claim", "sealed", "jiangsu", "0192/1"),
        Place("claim_revision", "account", "jiangsu", "0192/1"),
        Place("claim_revision", "sealed", "wujiang", "0192/1"),
        Place("claim_revision", "sealed", "jiangsu", "0192/2"),
        Place("claim_revisions", "ealed", "jiangsu", "0192/1"),
        Place("claim_revision", "sealed", "jiangsu0", "192/1"),
    ],
)
def test_a_value_moved_to_another_place_does_not_open(elsewhere: Place) -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal(ACCOUNT, PLACE)
    with pytest.raises(SealError, match="changed, moved or sealed under another key"):
        sealer.unseal(sealed, elsewhere)


def test_many_values_of_a_column_open_each_where_it_was_sealed_and_nowhere_else() -> None:
    sealer, older = Sealer([OLD, NEW]), Sealer([OLD])
    opened = sealer.opener("claim_revision", "sealed", "jiangsu")
    for row, by in (("0192/1", sealer), ("0192/2", older), ("0192/3", sealer)):
        sealed = by.seal(row, Place("claim_revision", "sealed", "jiangsu", row))
        assert opened(row, sealed) == row
        elsewhere = by.seal(row, Place("claim_revision", "sealed", "wujiang", row))
        broken = [sealed[:length] for length in range(len(sealed))]
        broken += [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
        for wrong in (*broken, elsewhere):
            with pytest.raises(SealError):
                opened(row, wrong)
        with pytest.raises(SealError, match="changed, moved or sealed under another key"):
            opened("0192/4", sealed)


def test_no_byte_of_a_sealed_value_can_be_changed() -> None:
    sealer = Sealer([OLD, NEW])
    sealed = sealer.seal(ACCOUNT, PLACE)
    for position in range(len(sealed)):
        changed = sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
        with pytest.raises(SealError):
            sealer.unseal(changed, PLACE)


def test_a_sealed_value_cannot_be_cut() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal(ACCOUNT, PLACE)
    for length in range(len(sealed)):
        with pytest.raises(SealError):
            sealer.unseal(sealed[:length], PLACE)


def test_values_of_an_older_key_still_open_and_new_ones_use_the_newest() -> None:
    sealed_before = Sealer([OLD]).seal(ACCOUNT, PLACE)
    both = Sealer([OLD, NEW])
    assert both.unseal(sealed_before, PLACE) == ACCOUNT
    assert Sealer([NEW]).unseal(both.seal(ACCOUNT, PLACE), PLACE) == ACCOUNT


def test_without_its_key_a_value_stays_shut() -> None:
    sealed = Sealer([OLD]).seal(ACCOUNT, PLACE)
    with pytest.raises(SealError, match="version 1 is not loaded"):
        Sealer([NEW]).unseal(sealed, PLACE)
    with pytest.raises(SealError, match="another key"):
        Sealer([KeyEncryptionKey(1, b"x" * 32)]).unseal(sealed, PLACE)


@pytest.mark.parametrize(("version", "secret"), [(0, b"k" * 32), (256, b"k" * 32), (1, b"k" * 31), (1, b"")])
def test_an_unfit_key_is_refused_at_once(version: int, secret: bytes) -> None:
    with pytest.raises(SealError):
        KeyEncryptionKey(version, secret)


def test_a_sealer_without_keys_cannot_be_made() -> None:
    with pytest.raises(SealError, match="no key"):
        Sealer([])


def test_a_key_does_not_print_its_secret() -> None:
    assert "nnn" not in repr(NEW)


def test_an_error_does_not_repeat_the_value() -> None:
    with pytest.raises(SealError) as refused:
        Sealer([NEW]).unseal(ACCOUNT.encode() * 3, PLACE)
    assert ACCOUNT not in str(refused.value)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (ACCOUNT, "****0000"),
        ("6222 0012 3456 789", "****6789"),
        ("６２２２００１２３４５６７８９", "****6789"),
        ("32050161-8636-0000-1234", "****1234"),
        ("12345678", "****5678"),
        ("1234567", "****"),
        ("1234", "****"),
        ("****1234", "****"),
        ("", "****"),
    ],
)
def test_a_masked_account_shows_four_characters_at_most(number: str, shown: str) -> None:
    assert mask_account(number) == shown
