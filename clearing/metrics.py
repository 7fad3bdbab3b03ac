"""Figures for Prometheus: requests counted by every process, queues and stuck work asked of the database.

No tenant, platform or enterprise is named: whoever may read the figures learns nothing of a tenant's business.
"""

import os
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from clearing.claims.probes import alarming
from clearing.pulling.standing import standing
from clearing.relay import STUCK_ATTEMPTS
from tenants.kernel.clock import Clock
from tenants.kernel.database import Scope, transaction
from tenants.kernel.errors import Unavailable

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_SECONDS: Final = Histogram(
    "clearing_http_request_seconds", "Time to answer a request", ["method", "route", "status"], buckets=_BUCKETS
)
_JOBS: Final = Counter("clearing_jobs", "Jobs tried by the workers, by kind and how they ended", ["kind", "ended"])


_SERIES: Final[dict[tuple[str, str, int], Histogram]] = {}
"""Found here faster than in the library, whose look-up takes a lock."""


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request; ``route`` is the rule, never the path, so that ids make no new series."""
    series = _SERIES.get((method, route, status))
    if series is None:
        known = method if method in _METHODS else "other"
        series = _SERIES[known, route, status] = _SECONDS.labels(known, route, str(status))
    series.observe(seconds)


def observe_job(kind: str, ended: str, count: int = 1) -> None:
    """Count jobs that a worker tried; ``ended`` is ``done`` or ``failed``."""
    _JOBS.labels(kind, ended).inc(count)


class _Backlog(Collector):
    """What waits in the outbox, and who looks around in the registry."""

    def __init__(self, engine: Engine, machine: Clock, looks_per_hour: int) -> None:
        self._engine = engine
        self._machine = machine
        self._looks_per_hour = looks_per_hour

    def collect(self) -> Iterator[Metric]:
        """The gauges, asked of the database now."""
        waiting = GaugeMetricFamily("clearing_outbox_open", "Outbox rows not yet done", labels=["kind"])
        stuck = GaugeMetricFamily("clearing_outbox_stuck", f"Open after {STUCK_ATTEMPTS} attempts", labels=["kind"])
        oldest = GaugeMetricFamily("clearing_outbox_oldest_seconds", "Age of the oldest open row", labels=["kind"])
        probing = GaugeMetricFamily(
            "clearing_registry_probing_clients", "Clients that met suspiciously many keys of other tenants this hour"
        )
        sources = GaugeMetricFamily("clearing_pull_sources", "Live pull sources by how they stand", labels=["state"])
        letters = GaugeMetricFamily("clearing_dead_letters_open", "Pulled records that wait for a correction")
        reached = GaugeMetricFamily("clearing_database_up", "Whether the database could be asked")
        try:
            with transaction(self._engine, Scope(()), self._machine) as work:
                rows = work.connection.exec_driver_sql(_OPEN, (work.at, STUCK_ATTEMPTS)).all()
                suspicious = len(alarming(work.connection, work.at, self._looks_per_hour))
                every = tuple(work.connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
            with transaction(self._engine, Scope(every), self._machine) as work:
                pulled = standing(work.connection)
        except Unavailable:
            reached.add_metric([], 0)
            yield reached
            return
        reached.add_metric([], 1)
        for kind, count, age, stuck_count in rows:
            waiting.add_metric([kind], count)
            oldest.add_metric([kind], age)
            stuck.add_metric([kind], stuck_count)
        probing.add_metric([], suspicious)
        for state, count in pulled.by_state.items():
            sources.add_metric([state], count)
        letters.add_metric([], pulled.letters_open)
        yield from (reached, waiting, stuck, oldest, probing, sources, letters)


_OPEN: Final = (
    "select kind, count(*), greatest(extract(epoch from %s - min(created_at)), 0)::int, "
    "count(*) filter (where attempts >= %s) from outbox where done_at is null group by kind order by kind"
)


def exposition(engine: Engine, machine: Clock, looks_per_hour: int) -> bytes:
    """All figures in Prometheus' text form, of all processes that share the folder which ``MULTIPROCESS`` names."""
    registry = CollectorRegistry()
    if MULTIPROCESS in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types there
    else:
        for collector in (_SECONDS, _JOBS):
            registry.register(collector)
    registry.register(_Backlog(engine, machine, looks_per_hour))
    return generate_latest(registry)
