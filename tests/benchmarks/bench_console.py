"""The console's pages on the embedded server, with a few claims and with 100,000, measured in one run.

    ./run bench console

The goal is the first page in under 300 ms; on a machine that does other work too, the ratio of each page to the same
page over a few claims is what counts. The claims are made by SQL, so that they can be listed and counted, not opened.
"""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from clearing.console.home_figures import Figures
from clearing.embedded import Addresses, EmbeddedServers
from tenants.kernel.database import open_engine
from tests.benchmarks.baselines import asked
from tests.console.world import Visitor, World, world_of

CLAIMS: Final = 100_000
ROUNDS: Final = 7
GOAL_MILLISECONDS: Final = 300
TENANT: Final = "jiangsu"
PAGES: Final = (
    "/console/", "/console/claims", "/console/claims?state=in_review", "/console/claims?quota_year=2024",
    "/console/queue", "/console/policies", "/console/registers/qualifications/jiangsu", "/console/settings/jiangsu",
    "/console/account", "/console/claims?provider=P7", "/console/claims?state=paid", "/console/claims?totals=all",
)  # fmt: skip
CLAIM: Final = (
    "insert into claim (tenant, id, claim_no, platform, external_id, scheme, mode, state, next_stage, revision, "
    "content_mac, quota_year, enterprise_uscc, enterprise_name, provider_uscc, provider_name, division, base_fen, "
    "computed_fen, award_fen, matching_fen, submitted_at, received_at, changed_at) "
    "select %(t)s, ('ffffffff-ffff-4fff-8fff-' || lpad(to_hex(n), 12, '0'))::uuid, 'B' || n, 'jssic', "
    "'bench-' || n, 'provincial', 'common_use', "
    "case when n %% 50 = 0 then 'in_review' when n %% 20 = 1 then 'rejected' else 'withdrawn' end, "
    "case when n %% 50 = 0 then 'center' end, 1, '\\x00', 2024, 'U' || n %% 5000, 'e', 'P' || n %% 100, 'p', '320100', "
    "500000, 500000, 100000, 0, '2024-01-02'::timestamptz + n * interval '3 minutes', now(), now() "
    "from generate_series(1, %(n)s) n"
)
ASSESSMENT: Final = (
    "insert into assessment (tenant, claim_id, seq, revision, policy_version, facts, result, result_sha256, reason, "
    "at) select tenant, id, 1, 1, 'x', '{}', '{\"trace\":[' || repeat('\"a rule that passed, with its clause\",', 60) "
    '|| \'{"rule":"duplicate.invoice","verdict":"reject"}]}\', sha256(\'x\'), \'submitted\', now() '
    "from claim where tenant = %(t)s and claim_no like 'B%%' and state = 'rejected'"
)


def milliseconds(visitor: Visitor, path: str) -> int:
    """The median time of one page."""
    taken = []
    for _round in range(ROUNDS):
        began = time.perf_counter()
        visitor.see(path)
        taken.append(time.perf_counter() - began)
    return round(statistics.median(taken) * 1000)


def first_page(world: World, visitor: Visitor) -> int:
    """Home when nobody has counted anything yet: the page after signing in."""
    world.app.extensions["console-figures"] = Figures(world.clock)
    began = time.perf_counter()
    visitor.see("/console/")
    return round((time.perf_counter() - began) * 1000)


def fill(addresses: Addresses, count: int) -> None:
    """The claims, and the assessments of the refused ones."""
    owner = open_engine(addresses.owner_url)
    try:
        with owner.begin() as connection:
            connection.exec_driver_sql("select * from bind_scope(%s, null)", (TENANT,))
            for statement in (CLAIM, ASSESSMENT):
                connection.exec_driver_sql(statement, {"t": TENANT, "n": count})
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("vacuum analyze claim")
    finally:
        owner.dispose()


def main() -> int:
    """Print each page's time over few claims and over many, and their ratio."""
    count, folder = asked(CLAIMS), Path(tempfile.mkdtemp(prefix="bench-console-"))
    try:
        with EmbeddedServers(folder) as addresses, world_of(addresses, folder.resolve()) as world:
            visitor = world.visitor(world.invite("bench", "center_reviewer", "tenant_admin", "auditor"))
            few = {path: milliseconds(visitor, path) for path in PAGES}
            fill(addresses, count)
            first = first_page(world, visitor)
            many = {path: milliseconds(visitor, path) for path in PAGES}
    finally:
        shutil.rmtree(folder)
    told = [f"{'page':48} {'few':>8} {count:>8} {'ratio':>6}"]
    told += [f"{path:48} {few[path]:>5} ms {many[path]:>5} ms {many[path] / max(few[path], 1):>6.1f}" for path in PAGES]
    told.append(f"first page after signing in, nothing counted yet: {first} ms (goal {GOAL_MILLISECONDS} ms)")
    sys.stdout.write("\n".join(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
