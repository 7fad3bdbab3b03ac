"""Figures over all claims: counted beside the pages, kept for a minute, and never waited for long."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from clearing.api.frame import current
from clearing.claims.queue import Counted, claims_by_state, refused_duplicates
from clearing.service import Service
from tenants.kernel.clock import Clock
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.money import Money

FIGURES_LIVE: Final = timedelta(minutes=1)
"""How old the figures may be: they read all claims, and nobody decides by them."""
PATIENCE_MILLISECONDS: Final = 100
"""How long a page waits for figures that nobody has counted yet."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Counts:
    """The figures of some tenants, and when they were counted."""

    at: datetime
    claims: Sequence[Counted]
    refused: int
    saved: Money


class Figures:
    """The figures of each set of tenants; counted by a thread, one at a time for each set."""

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self._kept: dict[tuple[str, ...], Counts] = {}
        self._counting: dict[tuple[str, ...], threading.Thread] = {}
        self._lock = threading.Lock()

    def of(self, tenants: tuple[str, ...]) -> Counts | None:
        """The figures, perhaps of the minute before; ``None`` while they are counted for the first time."""
        with self._lock:
            kept = self._kept.get(tenants)
            if kept is not None and self._machine.now() < kept.at + FIGURES_LIVE:
                return kept
            counting = self._counting.get(tenants)
            if counting is None or not counting.is_alive():
                counting = threading.Thread(target=self._count, args=(current(), tenants), name="figures", daemon=True)
                self._counting[tenants] = counting
                counting.start()
        counting.join(PATIENCE_MILLISECONDS / 1000)
        with self._lock:
            return self._kept.get(tenants)

    def _count(self, service: Service, tenants: tuple[str, ...]) -> None:
        at = self._machine.now()

        def use_case(work: Work) -> Counts:
            return Counts(at, claims_by_state(work.connection), *refused_duplicates(work.connection))

        try:
            counted = run(service.engine, Scope(tenants), service.machine, use_case)
        except Exception:  # noqa: BLE001 - the page goes on without its figures, and says so
            _log.exception("figures", tenants=tenants)
            return
        with self._lock:
            self._kept[tenants] = counted
