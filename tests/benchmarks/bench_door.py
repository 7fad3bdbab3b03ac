"""What one claim costs at the door, stage by stage, beside a bare ``json.loads`` of the same bytes in the same run.

    python -m tests.benchmarks.bench_door

Every stage is first proven to take every claim and to agree with the slow way; a difference ends the run without a
figure.
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from clearing.claims.fingerprint import RegistryKey, digest, identities
from clearing.demonstration.claims import generate
from connectors.reading import ClaimSchema, canonical_content, read_submission, submission_json
from connectors.submission import Submission
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.strict_json import _decode_exactly, decode
from tests.benchmarks.baselines import asked

CLAIMS: Final = 1_000
ROUNDS: Final = 15
SLOW_CLAIMS: Final = 50
LIMIT_BYTES: Final = 2**18
KEY: Final = RegistryKey(1, b"k" * 32)

Stage = tuple[str, Callable[[Any], object], list[Any]]
"""Name, what is done to each item, items."""


def digests(submission: Submission) -> list[bytes]:
    """The registry's keys of the submission."""
    return [digest(KEY, identity.kind, identity.text) for identity in identities(submission)]


def door(body: bytes) -> list[bytes]:
    """All that the brief of the door asks: decode, validate, canonicalise, hash."""
    return digests(read_submission(decode(body, LIMIT_BYTES)))


def microseconds(work: Callable[[Any], object], items: list[Any]) -> float:
    """The mean time for one item in one round over all of them."""
    begun = time.perf_counter_ns()
    for item in items:
        work(item)
    return (time.perf_counter_ns() - begun) / len(items) / 1_000


def medians(stages: list[Stage]) -> list[float]:
    """The median over rounds, the stages taking turns, so that a busy machine slows all alike."""
    rounds: list[list[float]] = [[] for _ in stages]
    for _ in range(ROUNDS):
        for times, (_, work, items) in zip(rounds, stages, strict=True):
            times.append(microseconds(work, items))
    return [statistics.median(times) for times in rounds]


def prove(bodies: list[bytes], values: list[Any], submissions: list[Submission]) -> None:
    """End the run where the quick ways and the slow ones differ."""
    slow = ClaimSchema()
    for body, value, submission in zip(bodies, values, submissions, strict=True):
        same = value == _decode_exactly(body) == json.loads(body) and slow.load(value) == submission
        if not same or canonical_bytes(json.loads(canonical_content(submission))) != canonical_content(submission):
            sys.exit(f"the quick and the slow way differ: {body[:80]!r}")
    keys = {key for submission in submissions for key in digests(submission)}
    sys.stdout.write(f"{len(submissions)} claims agree; {len(keys)} distinct keys\n")


def main() -> None:
    """Print each stage's microseconds a claim and its ratio to ``json.loads``."""
    claims = generate(1, asked(CLAIMS))
    bodies = [json.dumps(claim.body, ensure_ascii=False).encode() for claim in claims]
    escaped = [json.dumps(claim.body).encode() for claim in claims]
    values = [decode(body, LIMIT_BYTES) for body in bodies]
    submissions = [read_submission(value) for value in values]
    prove(bodies, values, submissions)
    stages: list[Stage] = [
        ("json.loads (baseline)", json.loads, bodies),
        ("decode: strict JSON, UTF-8", lambda body: decode(body, LIMIT_BYTES), bodies),
        ("decode: strict JSON, \\u escapes", lambda body: decode(body, LIMIT_BYTES), escaped),
        ("decode: the exact reader alone", _decode_exactly, bodies[:SLOW_CLAIMS]),
        ("validate: compiled", read_submission, values),
        ("validate: marshmallow", ClaimSchema().load, values[:SLOW_CLAIMS]),
        ("identities", identities, submissions),
        ("identities and digests", digests, submissions),
        ("the door: decode, validate, canonicalise, hash", door, bodies),
        ("canonical content (idempotency)", canonical_content, submissions),
        ("answer form, masked", submission_json, submissions),
    ]
    sys.stdout.write(f"{statistics.mean(map(len, bodies)):.0f} bytes a claim on average\n")
    gc.collect()
    gc.freeze()  # the samples are not the door's: no collection shall walk them
    taken = medians(stages)
    for (name, _, _), each in zip(stages, taken, strict=True):
        sys.stdout.write(f"{name:<48} {each:8.1f} µs {each / taken[0]:6.1f} ×\n")


if __name__ == "__main__":
    main()
