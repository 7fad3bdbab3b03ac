"""The blind registry: its size per key, how fast its key is rotated, and the time of an answer whatever it says.

    python -m tests.benchmarks.bench_registry [--count KEYS]

Keys arrive in chunks of a thousand in random order, as digests do, one holding each. A rotation copies and then drops
all of them. The answers are of claims over free spending, over spending used at home and over spending used by another
tenant, one after the other in turns. Counts are proven first; where they are off there is no figure.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
from sqlalchemy.engine import make_url

from clearing.claims.key_rotation import Rotation
from clearing.claims.vault import open_vault
from clearing.embedded import Addresses, EmbeddedServers
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import KEY_BYTES, load_secrets, registry_key_path
from tests.benchmarks.baselines import asked, machine, no_figure
from tests.intake.bodies import JIANGSU, WUJIANG, Body, again, buyer, claim, like, seller
from tests.intake.counter import Counter
from tests.intake.prepared import prepared

KEYS: Final = 1_000_000
STEPS: Final = (10_000, 100_000, KEYS)
CHUNK: Final = 1000
ANSWERS: Final = 40
ENTERPRISES: Final = [os.urandom(16) for _ in range(1000)]


def main() -> None:
    """Fill, measure, rotate, answer."""
    wanted = asked(KEYS)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, EmbeddedServers(Path(folder)) as addresses:
        secrets = Path(folder, "secrets")
        prepared(addresses, secrets)
        app = open_engine(addresses.app_url)
        counter = Counter(app, open_vault(load_secrets(secrets)))
        sys.stdout.write(f"Registry ({machine()})\n")
        filled = 0
        for step in sorted({min(step, wanted) for step in (*STEPS, wanted)}):
            sizes(addresses, filled, step)
            filled = step
        rotation(addresses, counter, secrets, filled)
        answers(counter)
        app.dispose()


def owner(addresses: Addresses) -> "psycopg.Connection[Any]":
    """The owner's connection, which may copy."""
    url = make_url(addresses.owner_url)
    given: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    return psycopg.connect(**given)


def sizes(addresses: Addresses, before: int, keys: int) -> None:
    """Add keys until there are so many, and print what each takes on disk."""
    begun = time.perf_counter()
    with owner(addresses) as connection:
        for _ in range(before, keys, CHUNK):
            _chunk(connection)
            connection.commit()
        seconds = time.perf_counter() - begun
        connection.execute("analyze registry_key, registry_holding")
        counted = connection.execute(
            "select (select count(*) from registry_key), (select count(*) from registry_holding)"
        ).fetchone()
        if counted != (keys, keys):
            no_figure(f"{keys} keys wanted, {counted} found")
        found = connection.execute(
            "select pg_relation_size('registry_key'), pg_indexes_size('registry_key'), "
            "pg_relation_size('registry_holding'), pg_indexes_size('registry_holding')"
        ).fetchone()
    heads, head_index, holdings, holding_index = (size / keys for size in found or (0,) * 4)
    sys.stdout.write(
        f"    {keys:9,} keys: {sum((heads, head_index, holdings, holding_index)):4.0f} bytes a key "
        f"(head {heads:.0f} + index {head_index:.0f}, holding {holdings:.0f} + indexes {holding_index:.0f}); "
        f"{(keys - before) / seconds:,.0f} keys/s in chunks of {CHUNK}\n"
    )


def _chunk(connection: "psycopg.Connection[Any]") -> None:
    digests = sorted(os.urandom(16) for _ in range(CHUNK))
    connection.execute(
        "insert into registry_key (digest, exclusion_group, kind, key_version) "
        "select d, 'national', 'invoice', 1 from unnest(%s::bytea[]) d",
        (digests,),
    )
    connection.execute(
        "insert into registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform, "
        "enterprise_digest, month, status, claimed_fen, stated_fen) select d, 'national', h, 'support', 'wujiang', "
        "'local', 'wujiang-local', e, '2024-08', 'taken', 100, 100 from unnest(%s::bytea[], %s::uuid[], %s::bytea[]) "
        "w(d, h, e)",
        (digests, [UUID(bytes=os.urandom(16)) for _ in digests], [ENTERPRISES[one[0]] for one in digests]),
    )


def rotation(addresses: Addresses, counter: Counter, secrets: Path, keys: int) -> None:
    """Copy everything to a second version, and drop the first."""
    registry_key_path(secrets, 2).write_bytes(os.urandom(KEY_BYTES))
    turning = Rotation(counter.app, SystemClock(), counter.vault.keyring, "bench")
    version = turning.begin()
    begun = time.perf_counter()
    copied = sum(progress.holdings for progress in turning.fill(version))
    filled = time.perf_counter() - begun
    if copied != keys:
        no_figure(f"{keys} holdings to copy, {copied} copied")
    begun = time.perf_counter()
    for _ in turning.retire(1):
        pass
    dropped = time.perf_counter() - begun
    with owner(addresses) as connection:
        left = connection.execute("select count(*), min(key_version) from registry_key").fetchone()
    if left != (keys, 2):
        no_figure(f"{left} is left of {keys} keys")
    copy, drop = f"copied {keys / filled:,.0f}/s ({filled:.1f} s)", f"dropped {keys / dropped:,.0f}/s ({dropped:.1f} s)"
    sys.stdout.write(f"    rotation of {keys:,} keys: {copy}, {drop}\n")


def answers(counter: Counter) -> None:
    """The median time of an answer over free spending, over spending used at home and used elsewhere."""
    kinds: dict[str, Callable[[], Body]] = {
        "free": lambda: claim(WUJIANG),
        "used at home": lambda: again(_stored(counter, claim(WUJIANG))),
        "used elsewhere": lambda: like(
            _stored(counter, claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))), WUJIANG
        ),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(ANSWERS):
        for kind, made in kinds.items():
            body = made()
            begun = time.perf_counter()
            view = counter.submit(body)
            times[kind].append(time.perf_counter() - begun)
            if (view.row.state == "in_review") != (kind == "free"):
                no_figure(f"{kind}: {view.row.state}")
    said = ", ".join(f"{kind} {statistics.median(seen) * 1000:.2f} ms" for kind, seen in times.items())
    sys.stdout.write(f"    an answer at the median of {ANSWERS}: {said}\n")


def _stored(counter: Counter, body: Body) -> Body:
    counter.submit(body)
    return body


if __name__ == "__main__":
    main()
