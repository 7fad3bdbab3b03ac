"""Two signatures on the seal: the maker's and the releaser's, or both releasers'; found by either verifier."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from settlement.offline.verify_alone import differences
from settlement.signatures.key_custody import make_key
from settlement.signatures.signing import SEAL, Purpose, compact_signer
from tenants.kernel.canonical import canonical_bytes
from tests.settlement.making import CREATED_AT, KEK, MAKER, Made, Make, releaser, seal_record
from tests.settlement.tampering import codes, relist


def alone(made: Made) -> set[str]:
    return {code for code, *_ in differences(made.folder, made.jwks, None)}


def with_releases(made: Made, *tokens: str) -> None:
    """The folder with these releases in its manifest, signed by the tenant."""

    def change(content: dict[str, Any]) -> None:
        parts = [token.split(".") for token in tokens]
        content["releases"] = [
            {"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}
            for protected, payload, signature in parts
        ]

    relist(made, change)


def test_maker_and_releaser_both_signed(written: Made) -> None:
    assert (codes(written), alone(written)) == (set(), set())


def test_a_batch_that_only_its_maker_signed_is_named(written: Made) -> None:
    with_releases(written)
    assert codes(written) == {"release.missing"}
    assert alone(written) == {"release"}


def test_a_batch_that_only_its_releaser_signed_is_named(written: Made) -> None:
    relist(written, lambda content: content["seal"].update(signatures=[]))
    assert codes(written) >= {"signature.missing"}
    assert alone(written) >= {"malformed"}


def test_a_batch_that_one_person_made_and_released_is_named(make: Make) -> None:
    made = replace(make(3), releasers=(releaser(MAKER),))
    made.write()
    assert codes(made) == {"release.same_person"}
    assert alone(made) == {"people"}


def test_two_releasers_both_sign(make: Make) -> None:
    made = replace(make(3), releasers=(releaser("releaser-wang"), releaser("releaser-zhou")))
    made.write()
    assert (codes(made), alone(made)) == (set(), set())
    with_releases(made, made.releases[0])
    assert codes(made) == {"release.incomplete"}
    assert alone(made) == {"release"}
    with_releases(made, *reversed(made.releases))
    assert codes(made) == {"release.incomplete"}
    assert alone(made) == {"release"}


def test_one_person_who_released_twice_is_named(make: Make) -> None:
    made = replace(make(3), releasers=(releaser("releaser-wang"), releaser("releaser-wang")))
    made.write()
    assert codes(made) == {"release.same_person"}
    assert alone(made) == {"people"}


def test_a_release_with_another_persons_key_is_named(make: Make) -> None:
    made = make(3)
    made.write()
    [own] = made.releasers
    with_releases(made, own.sign(made.seal, released_by="releaser-zhou"))
    assert codes(made) == {"release.holder"}
    assert alone(made) == {"key"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"merkle_root": "0" * 64}, "differs"),
        ({"total": "1.00"}, "differs"),
        ({"count": 2}, "differs"),
        ({"previous_seal": "1" * 64}, "differs"),
        ({"seal_sha256": "0" * 64}, "differs"),
        ({"batch": "B-JS-2024-0002"}, "differs"),
        ({"released_at": CREATED_AT + timedelta(seconds=1)}, "release.time"),
        ({"released_at": CREATED_AT - timedelta(days=2)}, "release.time"),
        ({"number": 2, "needed": 2}, "release.incomplete"),
    ],
)
def test_a_release_of_something_else_is_named(make: Make, changes: dict[str, Any], code: str) -> None:
    made = make(3)
    made.write()
    with_releases(made, made.releasers[0].sign(made.seal, **changes))
    assert codes(made) == {code}
    assert alone(made) == {"release"}


def without_number(made: Made) -> str:
    return made.releasers[0].sign(made.seal, number="first")


def with_the_tenants_key(made: Made) -> str:
    """The tenant's payout key signs no release, even where its header says so."""
    return made.seal


def with_a_key_of_nobody(made: Made) -> str:
    return releaser("releaser-wang").sign(made.seal)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (without_number, "release.malformed"),
        (with_the_tenants_key, "signature.header"),
        (with_a_key_of_nobody, "key.unknown"),
    ],
)
def test_what_is_no_release_is_named(written: Made, token: Callable[[Made], str], code: str) -> None:
    with_releases(written, token(written))
    assert codes(written) == {code}
    assert alone(written)


def test_a_release_key_signs_no_seal(make: Make) -> None:
    made = make(3)
    own = made.releasers[0].new_key
    with pytest.raises(ValueError, match="does not sign"):
        replace(made, new_key=own).write()
    holder = own.public.holder
    key = make_key("jiangsu", Purpose.RELEASE, CREATED_AT - timedelta(days=30), KEK, holder=holder)
    with pytest.raises(ValueError, match="does not sign"):
        compact_signer(replace(made, new_key=key).key, SEAL)(canonical_bytes(seal_record(made.batch, "")))


def test_a_release_key_that_was_revoked_before_is_refused(written: Made) -> None:
    [own] = written.releasers
    public = replace(own.new_key.public, revoked_at=CREATED_AT - timedelta(hours=1))
    assert codes(written, jwks={"keys": [written.new_key.public.jwk(), public.jwk()]}) == {"key.revoked"}


@pytest.mark.parametrize("change", [{"purpose": "payout"}, {"holder": None}])
def test_a_release_key_without_its_holder_or_a_payout_key_with_one_is_no_key(
    written: Made, change: dict[str, Any]
) -> None:
    jwk = {**written.releasers[0].new_key.public.jwk(), **change}
    jwk = {name: value for name, value in jwk.items() if value is not None}
    assert codes(written, jwks={"keys": [written.new_key.public.jwk(), jwk]}) == {"key.unknown"}
