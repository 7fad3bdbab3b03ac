"""The compiled reader against marshmallow, and the whole door against anything at all."""

import json
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from clearing.claims.fingerprint import identities
from clearing.demonstration.claims import generate
from connectors import reading
from connectors.faults import Fault
from connectors.reading import ClaimSchema, canonical_content, read_submission, submission_json
from tenants.kernel.errors import Malformed, Problem
from tenants.kernel.strict_json import decode

BODIES = [claim.body for claim in generate(11, 60)]
SCHEMA = ClaimSchema()
REFUSED = object()

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2**52,
    "",
    " ",
    "0",
    "1",
    "x",
    "0.00",
    "-1",
    "1.005",
    "１",
    "1e3",
    "2024-02-30",
    "2024-08-29",
    "20240829",
    "1989-12-31",
    "2024-08-29T00:00:00Z",
    "2024-08-29T00:00:00",
    "91320312M49W4QLE12",
    "91320312M49W4QLE13",
    "９１３２０３１２Ｍ４９Ｗ４ＱＬＥ１２",
    "320312",
    "102100099996",
    "true",
    "common_use",
    "university",
    "contract",
    "a\u200bb",
    "a\u202eb",
    "a\nb",
    "\ud800",
    "\uffff",
    "a" * 65,
    "a" * 3_000,
    "4e" * 32,
    "01920000-0000-7000-8000-000000000001",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"_schema": 1},
    {"a/b": {}},
    {"tech_sme": None},
    {"tech_sme": {"number": 1}},
    [1] * 501,
    "408000.00",
    "9" * 16,
    "application/pdf",
    "=1+1",
    "\u3000",
    "㍿",
)
NAMES = (
    "_schema",
    "surprise",
    "claimed_amount",
    "amount",
    "claimed",
    "size_bytes",
    "bytes",
    "type_proofs",
    "",
    "\u200b",
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with every key in it."""
    if isinstance(value, dict):
        return [(value, key) for key in value] + [place for inner in value.values() for place in _places(inner)]
    if isinstance(value, list):
        indexes = [(value, index) for index in range(len(value))]
        return indexes + [place for inner in value for place in _places(inner)]
    return []


def mutated(seed: int) -> Any:
    """A generated claim with a few things changed, exchanged with another claim, taken away, doubled or added."""
    rng = Random(seed)
    body = deepcopy(rng.choice(BODIES))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        container, key = rng.choice(_places(body))
        change = rng.randrange(6)
        if change == 0:
            del container[key]
        elif change == 1 and isinstance(container, dict):
            container[rng.choice(NAMES)] = deepcopy(rng.choice(ODD))
        elif change == 2 and isinstance(container, list):
            container.append(deepcopy(container[key]))
        elif change == 3 and container is body:
            container[key] = deepcopy(rng.choice(BODIES).get(key))
        elif change == 4:
            other, name = rng.choice(_places(body))
            container[key] = deepcopy(other[name])
        else:
            container[key] = deepcopy(rng.choice(ODD))
        if not _places(body):
            return body
    return body


def _compiled(data: Any) -> Any:
    try:
        return reading._READ(data)
    except (Fault, TypeError):
        return REFUSED


def _marshmallow(data: Any) -> Any:
    try:
        return SCHEMA.load(data)
    except ValidationError:
        return REFUSED


def _check_equal(data: Any) -> bool:
    """Both readers agree, and what is read can be printed, compared and identified; whether it was taken."""
    quick, slow = _compiled(data), _marshmallow(data)
    assert (quick is REFUSED) == (slow is REFUSED), json.dumps(data)
    if quick is REFUSED:
        return False
    assert quick == slow
    assert read_submission(submission_json(quick, mask=False)) == quick
    assert canonical_content(quick) == canonical_content(slow)
    assert all(identity.text for identity in identities(quick))
    return True


def test_generated_claims_are_read_alike_by_both_readers() -> None:
    assert all(_check_equal(body) for body in BODIES)


def test_mutated_claims_are_taken_or_refused_alike_by_both_readers() -> None:
    taken = [_check_equal(mutated(seed)) for seed in range(1_500)]
    assert 100 < sum(taken) < 1_400


@pytest.mark.long
def test_a_hundred_thousand_mutated_claims_are_read_alike() -> None:
    taken = [_check_equal(mutated(seed)) for seed in range(10_000, 110_000)]
    assert 5_000 < sum(taken) < 95_000


def _refusal(data: bytes) -> Problem | None:
    try:
        read_submission(decode(data, 2**18))
    except Problem as problem:
        return problem
    return None


def _check_door(data: bytes) -> None:
    problem = _refusal(data)
    if problem is None:
        return
    assert 400 <= problem.status < 500
    assert isinstance(problem, Malformed) or problem.errors
    for text in (problem.text, *(error.message for error in problem.errors)):
        assert text.zh
        assert text.en
    assert all(error.pointer == "" or error.pointer.startswith("/") for error in problem.errors)


@given(st.integers(min_value=0), st.binary(max_size=6), st.integers(0, 4_000), st.integers(0, 6))
def test_a_body_with_changed_bytes_is_taken_or_refused_by_name(seed: int, noise: bytes, at: int, cut: int) -> None:
    data = json.dumps(BODIES[seed % len(BODIES)], ensure_ascii=bool(seed % 2)).encode()
    _check_door(data[:at] + noise + data[at + cut :])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(NAMES), inner),
        max_leaves=20,
    )
)
def test_any_json_value_is_taken_or_refused_by_name(value: object) -> None:
    _check_door(json.dumps(value).encode())


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_refused_by_name(data: bytes) -> None:
    _check_door(data)


def test_a_refusal_repeats_no_account_number() -> None:
    body = deepcopy(BODIES[0])
    body["payee"]["account_number"] = "6222 0200 1234 5678 999"
    body["payee"]["cnaps"] = 6222020012345678999
    with pytest.raises(Problem) as refused:
        read_submission(body)
    told = " ".join([refused.value.text.zh, refused.value.text.en, *(str(error) for error in refused.value.errors)])
    assert "6222" not in told
