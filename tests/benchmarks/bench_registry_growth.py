"""P5: intake with ten million keys in the registry, beside the same with ten thousand; and what a key weighs.

    python -m tests.benchmarks.bench_registry_growth [--count KEYS]

Chunks of ten claims, each its own transaction, without HTTP. The registry is filled by the schema's owner with keys
whose sums are right; that they are there, and that every claim was stored, is proven before a figure is given.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psycopg

from clearing.claims.vault import open_vault
from clearing.embedded import EmbeddedServers
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tests.benchmarks.baselines import Server, asked, machine, no_figure
from tests.intake.bodies import claim
from tests.intake.counter import Counter
from tests.intake.prepared import prepared

FEW: Final = 10_000
MANY: Final = 10_000_000
CHUNK: Final = 10
CHUNKS: Final = 60
WARM_UP: Final = 20
GOAL: Final = 1.3
PORTION: Final = 1_000_000

_DIGEST: Final = "substr(sha256(int8send(n)), 1, 16)"
_HEADS: Final = f"""
insert into registry_key (digest, exclusion_group, kind, key_version, total_fen, taken_fen)
select {_DIGEST}, 'national', 'invoice', 1, 1000000, 400000 from generate_series(%s::bigint, %s::bigint) n order by 1
"""  # noqa: S608 - our own text
_HOLDINGS: Final = f"""
insert into registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform,
                              enterprise_digest, month, status, claimed_fen, stated_fen)
select {_DIGEST}, 'national', gen_random_uuid(), 'support', 'jiangsu', 'local', 'jssic', {_DIGEST}, '2024-01', 'taken',
       400000, 1000000 from generate_series(%s::bigint, %s::bigint) n order by 1
"""  # noqa: S608 - our own text


def fill(connection: "psycopg.Connection[tuple[int, ...]]", have: int, want: int) -> None:
    """Bring the registry's foreign keys from so many to so many, past the triggers, with right sums."""
    connection.execute("alter table registry_holding disable trigger user")
    for begun in range(have, want, PORTION):
        bounds = (begun + 1, min(begun + PORTION, want))
        connection.execute(_HEADS, bounds)
        connection.execute(_HOLDINGS, bounds)
    connection.execute("alter table registry_holding enable trigger user")
    connection.execute("vacuum analyze registry_key, registry_holding")
    counted = connection.execute("select count(*) from registry_key where taken_fen = 400000").fetchone()
    if counted is None or counted[0] < want:
        no_figure(f"the registry holds {counted}, not {want}")


def per_claim_ms(counter: Counter, chunks: int) -> float:
    """The median time of a claim, over so many chunks."""
    times = []
    for _ in range(chunks):
        bodies = [claim() for _ in range(CHUNK)]
        begun = time.perf_counter()
        outcomes = counter.submit_all(bodies)
        times.append((time.perf_counter() - begun) / CHUNK * 1000)
        if any(one.view is None or one.view.row.state != "in_review" for one in outcomes):
            no_figure("a claim was not stored in review")
    return statistics.median(times)


def measured(counter: Counter, connection: "psycopg.Connection[tuple[int, ...]]", many: int) -> None:
    """Measure, prove, print."""
    fill(connection, 0, FEW)
    per_claim_ms(counter, WARM_UP)
    before = per_claim_ms(counter, CHUNKS)
    begun = time.perf_counter()
    fill(connection, FEW, many)
    filled = time.perf_counter() - begun
    per_claim_ms(counter, WARM_UP)
    after = per_claim_ms(counter, CHUNKS)
    weights = []
    for table in ("registry_key", "registry_holding"):
        size = connection.execute("select pg_total_relation_size(%s::regclass)", (table,)).fetchone()
        weights.append(f"{table} {0 if size is None else size[0] / many:.0f}")
    lines = [
        f"P5  intake with {many} keys in the registry, {CHUNKS} chunks of {CHUNK} claims ({machine()})",
        f"    {FEW:>12} keys   {before:8.2f} ms a claim (median)",
        f"    {many:>12} keys   {after:8.2f} ms a claim (median); filled in {filled:.0f} s",
        f"    {after / before:.2f} × the time (goal {GOAL} ×)",
        f"    bytes a key: {', '.join(weights)}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Run on servers of its own."""
    many = asked(MANY)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, EmbeddedServers(Path(folder, "data")) as addresses:
        secrets_folder = Path(folder, "data", "secrets")
        prepared(addresses, secrets_folder)
        engine = open_engine(addresses.app_url)
        with Server.of(addresses.owner_url).connect() as connection:
            measured(Counter(engine, open_vault(load_secrets(secrets_folder))), connection, many)
        engine.dispose()


if __name__ == "__main__":
    os.umask(0o077)
    main()
