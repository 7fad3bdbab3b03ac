"""P10: a draft rehearsed over 100,000 past claims, beside reading the same rows.

    python -m tests.benchmarks.bench_rehearsal [--count CLAIMS]

Some claims are taken in as ever; the rest are copies of them, each with an id, number and enterprise of its own. The
rehearsal is proven first: the version that assessed them changes none. Beside the wall clock stand the seconds that
the processor worked for it, here and in the database's process, which say the same on a machine that others use too.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from clearing.claims.case import Desk
from clearing.claims.intake import submit
from clearing.claims.past_claims import ROWS_AT_ONCE, Key, Span, past_keys, past_rows
from clearing.claims.vault import open_vault
from clearing.demonstration.claims import generate
from clearing.embedded import EmbeddedServers
from clearing.migrations import migrate
from clearing.seed import seed
from clearing.tenancy.rehearsing import read_only
from clearing.tenancy.simulation import Simulated, simulate
from connectors.reading import read_submission
from settlement.office import Office
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, open_engine, run, transaction
from tenants.kernel.secrets import load_secrets
from tenants.policy import Policy
from tenants.policy_document import load_shipped, read_policy
from tests.benchmarks.baselines import asked, machine, no_figure

CLAIMS: Final = 100_000
SUBMITTED: Final = 2_000
TENANT: Final = "jiangsu"
SPAN: Final = Span(TENANT, "provincial")
NOW: Final = datetime.fromisoformat("2024-08-31T09:00:00+08:00")
GOAL_RATIO: Final = 5
GOAL_SECONDS: Final = 30
SEED: Final = 20_241_126

_COPIES: Final = """
create temporary table copy on commit drop as
    select c.id as old_id, uuidv7() as id, n from claim c, generate_series(1, %s) n where c.tenant = 'jiangsu';
insert into claim select (jsonb_populate_record(c, jsonb_build_object('id', k.id, 'claim_no', c.claim_no || '-' || k.n,
           'external_id', c.external_id || '-' || k.n, 'enterprise_uscc', c.enterprise_uscc || k.n))).*
    from copy k join claim c on c.tenant = 'jiangsu' and c.id = k.old_id;
insert into claim_revision select r.tenant, k.id, r.revision,
           replace(r.submission, c.enterprise_uscc, c.enterprise_uscc || k.n), r.sealed, r.client_id, r.received_at
    from copy k join claim_revision r on r.tenant = 'jiangsu' and r.claim_id = k.old_id
    join claim c on c.tenant = 'jiangsu' and c.id = k.old_id;
insert into assessment select a.tenant, k.id, a.seq, a.revision, a.policy_version, a.facts, a.result, a.result_sha256,
           a.reason, a.at
    from copy k join assessment a on a.tenant = 'jiangsu' and a.claim_id = k.old_id;
"""
"""Every copy is of another enterprise, so that quotas carry on within each set of copies as in the first."""


def take_in(engine: Engine, secrets: Path) -> None:
    """Some claims, as their platform submits them."""
    vault = open_vault(load_secrets(secrets))
    desk = Desk(TENANT, "jssic", "bench", "bench", may_import=True, demonstration=True)
    drawn = (given.body for given in generate(SEED, 4 * SUBMITTED) if given.platform == "jssic")
    bodies = [body for body in drawn if body["tenant"] == TENANT][:SUBMITTED]
    for first in range(0, len(bodies), 500):
        claims = [read_submission(body) for body in bodies[first : first + 500]]
        clock = FixedClock(NOW + timedelta(seconds=first))
        run(engine, Scope((TENANT,), "jssic"), clock, lambda work, claims=claims: submit(work, vault, desk, claims))  # type: ignore[misc]


@contextmanager
def filled(count: int) -> Iterator[Engine]:
    """The application's engine on a database of its own with so many claims."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, EmbeddedServers(Path(folder)) as addresses:
        owner, app = open_engine(addresses.owner_url), open_engine(addresses.app_url)
        migrate(owner)
        secrets = Path(folder) / "secrets"
        seed(app, FixedClock(NOW), Office(load_secrets(secrets), demonstration=True))
        take_in(app, secrets)
        with owner.begin() as connection:
            connection.exec_driver_sql("select * from bind_scope(%s, null)", (TENANT,))
            stored = connection.exec_driver_sql("select count(*) from claim").scalar_one()
            for statement in _COPIES.split(";\n")[:-1]:
                connection.exec_driver_sql(statement.replace("%s", str(-(-count // stored) - 1)))
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("vacuum analyze claim, claim_revision, assessment")
        yield app
        owner.dispose()
        app.dispose()


def read_all_rows(connection: Connection, keys: list[Key]) -> int:
    """Read the rows of a rehearsal and do nothing with them."""
    return sum(
        len(past_rows(connection, TENANT, keys[first : first + ROWS_AT_ONCE]))
        for first in range(0, len(keys), ROWS_AT_ONCE)
    )


class Clocks:
    """The wall's and the processors' clock, the latter of this process and of one of the database's."""

    def __init__(self, server: int) -> None:
        self._server = Path(f"/proc/{server}/stat")
        self._seen = self._now()

    def since(self) -> tuple[float, float]:
        """Seconds by either since this was asked last."""
        before, self._seen = self._seen, self._now()
        return self._seen[0] - before[0], self._seen[1] - before[1]

    def _now(self) -> tuple[float, float]:
        worked = sum(map(int, self._server.read_text().rpartition(")")[2].split()[11:13]))
        return time.perf_counter(), time.process_time() + worked / os.sysconf("SC_CLK_TCK")


def peak_mib() -> int:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measured(engine: Engine, own: Policy, draft: Policy) -> None:
    """Prove, measure, print."""
    with transaction(read_only(engine), Scope((TENANT,)), FixedClock(NOW)) as work:
        keys = past_keys(work.connection, SPAN)
        proof = simulate(work.connection, own, SPAN, kept=5)
        if proof.report["changed"] != 0 or proof.report["claims"] != len(keys):
            no_figure(f"the version that assessed them changes {proof.report['changed']}: {proof.changed[:1]}")
        stand = Clocks(work.connection.exec_driver_sql("select pg_backend_pid()").scalar_one())
        rows = read_all_rows(work.connection, past_keys(work.connection, SPAN))
        read, read_cpu = stand.since()
        memory = peak_mib()
        found: Simulated = simulate(work.connection, draft, SPAN, kept=0)
        rehearsed, rehearsed_cpu = stand.since()
    if rows != len(keys):
        no_figure(f"{rows} rows of {len(keys)} were read")
    sys.stdout.write(
        f"P10 a draft over {rows} past claims, {found.report['changed']} of them changed ({machine()})\n"
        f"    reading the rows  {read:6.2f} s, processors {read_cpu:6.2f} s\n"
        f"    rehearsal         {rehearsed:6.2f} s, processors {rehearsed_cpu:6.2f} s (goal: under {GOAL_SECONDS})\n"
        f"    ratio             {rehearsed / read:6.2f}  , processors {rehearsed_cpu / read_cpu:6.2f}   "
        f"(goal: {GOAL_RATIO} at most)\n"
        f"    memory at most    {peak_mib():6d} MiB, {peak_mib() - memory} of them by the rehearsal\n"
    )


def main() -> None:
    """Run on a database of its own."""
    count = asked(CLAIMS)
    text = next(each.text for each in load_shipped() if each.policy.tenant == TENANT)
    draft = read_policy(text.replace('"0.25"', '"0.30"').replace("2024-01-01", "2025-01-01"))
    with filled(count) as engine:
        measured(engine, read_policy(text), draft)


if __name__ == "__main__":
    main()
