"""The scheduler: the relay, and what has to be done again every so often. Several may run; they do no harm."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from clearing.checkpoints import Checkpoints
from clearing.claims.activation import assess_by_passes, waiting_schemes
from clearing.claims.corrections import release_overdue
from clearing.claims.probes import alarming
from clearing.claims.reservations import release_expired
from clearing.claims.sampling import settle_due
from clearing.claims.vault import Vault
from clearing.claims.waitlist import promote, waiting_budgets
from clearing.pulling.puller import Puller
from clearing.receipts import issue_receipts
from clearing.relay import POLL_SECONDS, Relay
from clearing.service import Service
from clearing.stopping import until_told
from clearing.webhooks.courier import Courier
from clearing.workers import JOB_KINDS, queue_of
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Conflict

if TYPE_CHECKING:
    from settlement.bank.automatic import Due

CHECKPOINT_SECONDS: Final = 60
SEAL_LOOK_SECONDS: Final = 2
OVERDUE_SECONDS: Final = 60
WAITLIST_SECONDS: Final = 10
WAITING_SECONDS: Final = 60
CLEANUP_SECONDS: Final = 3600
MATCHING_SECONDS: Final = 86_400
WEBHOOK_SECONDS: Final = 1
PULL_SECONDS: Final = 1
RECEIPT_SECONDS: Final = 10
PROBING_LOOK_SECONDS: Final = 30
NEAR_DUPLICATES_SECONDS: Final = 30
SAMPLES_SECONDS: Final = 60
SENDING_SECONDS: Final = 10
STOP_SECONDS: Final = 2

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Task:
    """Something that is done every ``seconds``."""

    name: str
    seconds: float
    do: Callable[[], object]


class Scheduler:
    """Runs each task in a thread of its own; a task that fails is logged and tried again at its next time."""

    def __init__(self, tasks: tuple[Task, ...]) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._loop, args=(task,), name=task.name, daemon=True) for task in tasks
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """End, waiting so long for what is being done."""
        self._stop.set()
        for thread in self._threads:
            thread.join(seconds / len(self._threads))

    def _loop(self, task: Task) -> None:
        failing = False
        while not self._stop.is_set():
            try:
                task.do()
                failing = False
            except Exception as error:  # noqa: BLE001 - the scheduler outlives a database or queue that is away
                if not failing:
                    _log.warning("task_failed", task=task.name, exc_info=error)
                failing = True
            self._stop.wait(task.seconds)


def scheduler_of(service: Service) -> Scheduler:
    """The scheduler with all tasks of the service."""
    queue = queue_of(service)
    relay = Relay(JOB_KINDS, queue.wake, queue.wake_for_notices)
    checkpoints = Checkpoints.of(service.settings)
    seals = _SealWatch(service, checkpoints)
    courier = Courier(service)
    probing = ProbingWatch(service)

    def poll() -> int:
        return run(service.engine, Scope(()), service.machine, relay.poll)

    return Scheduler(
        (
            Task("relay", POLL_SECONDS, poll),
            Task("checkpoints", CHECKPOINT_SECONDS, lambda: checkpoints.write(service.engine)),
            Task("seals", SEAL_LOOK_SECONDS, seals.look),
            Task("overdue", OVERDUE_SECONDS, lambda: _repeat(service, release_overdue)),
            Task("expired reservations", OVERDUE_SECONDS, lambda: _repeat(service, release_expired)),
            Task("webhooks", min(WEBHOOK_SECONDS, service.settings.webhook_wait_ms / 1000), courier.rounds),
            Task("pulling", PULL_SECONDS, Puller(service).round),
            Task("waiting", WAITING_SECONDS, lambda: assess_waiting(service)),
            Task("matching", MATCHING_SECONDS, lambda: _catch_up_matching(service)),
            Task("receipts", RECEIPT_SECONDS, lambda: _issue_receipts(service)),
            Task("probing", PROBING_LOOK_SECONDS, probing.look),
            Task("near_duplicates", NEAR_DUPLICATES_SECONDS, NearDuplicateSearch(service).look),
            Task("sending", SENDING_SECONDS, lambda: send_what_is_due(service)),
            Task("waitlist", WAITLIST_SECONDS, lambda: _promote(service)),
            Task("samples", SAMPLES_SECONDS, lambda: _settle_samples(service)),
            Task("tokens", CLEANUP_SECONDS, lambda: _drop_tokens(service)),
        )
    )


def run_scheduler(service: Service) -> None:
    """Schedule until SIGTERM or SIGINT."""
    ended = until_told()
    scheduler = scheduler_of(service)
    scheduler.start()
    ended.wait()
    scheduler.stop(STOP_SECONDS)


class _SealWatch:
    """Writes checkpoints soon after a batch is sealed."""

    def __init__(self, service: Service, checkpoints: Checkpoints) -> None:
        self._service = service
        self._checkpoints = checkpoints
        self._known: list[tuple[str, int]] = []

    def look(self) -> None:
        found = run(self._service.engine, Scope(_tenants(self._service)), self._service.machine, self._seals)
        if found != self._known:
            self._checkpoints.write(self._service.engine)
            self._known = found

    def _seals(self, work: Work) -> list[tuple[str, int]]:
        rows = work.connection.exec_driver_sql(
            "select tenant, max(seal_no) from batch where seal_no is not null group by tenant order by tenant"
        )
        return [(tenant, number) for tenant, number in rows]


class ProbingWatch:
    """Raises the alarm where a client meets many keys of other tenants: an error in the log, again when it doubles."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._told: dict[str, int] = {}

    def look(self) -> None:
        """Look once; the figure for dashboards is ``clearing_registry_probing_clients``."""
        per_hour = self._service.settings.looks_per_hour
        found = run(
            self._service.engine,
            Scope(()),
            self._service.machine,
            lambda work: alarming(work.connection, work.at, per_hour),
        )
        self._told = {client: told for client, told in self._told.items() if client in dict(found)}
        for client, probes in found:
            if probes >= 2 * self._told.get(client, 0):
                _log.error("registry_probing", client=client, probes=probes, limit=per_hour)
                self._told[client] = probes


class NearDuplicateSearch:
    """Sweeps for near duplicates where what compares is installed; where it is not, the log says so once."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._told = False

    def look(self) -> None:
        """Sweep until nothing new is left."""
        # what compares is the scheduler's alone, and large: a start does not wait for it
        from clearing.likeness.engine import EngineMissingError, engine_from  # noqa: PLC0415 - see above
        from clearing.likeness.sweep import sweep  # noqa: PLC0415 - see above

        comparer = engine_from(os.environ)
        try:
            while sweep(self._service.engine, self._service.machine, comparer).came:
                continue
        except EngineMissingError as error:
            if not self._told:
                _log.warning("near_duplicates_not_searched", zh=error.text.zh, en=error.text.en)
            self._told = True


def _repeat(service: Service, use_case: Callable[[Work], int]) -> None:
    """Do it for all tenants, some at a time, until nothing is left to do."""
    while run(service.engine, Scope(_tenants(service)), service.machine, use_case):
        continue


def assess_waiting(service: Service) -> None:
    """A version that was approved for a later day begins on it: what waited for it is assessed."""
    scope = Scope(_tenants(service))
    for tenant, scheme in run(service.engine, scope, service.machine, waiting_schemes):
        transact = partial(run, service.engine, Scope((tenant,)), service.machine)
        assess_by_passes(service.vault, tenant, scheme, transact, demonstration=service.settings.demonstration)


def send_what_is_due(service: Service) -> int:
    """Order the sending of what goes to its bank by itself, each in a transaction of its own; how many there were."""
    # the formats of payment files are the workers' alone: a start waits for none of them
    from settlement.bank.automatic import find_due, send_due  # noqa: PLC0415 - see above

    def look(work: Work) -> "list[Due]":
        found = find_due(work.connection, service.office)
        return [each for each in found if each.bank.stays_here or not service.demonstrates(work.connection)]

    def one(due: "Due", work: Work) -> None:
        send_due(work.connection, due, service.office, work.at)

    sent = 0
    for due in run(service.engine, Scope(_tenants(service)), service.machine, look):
        try:
            run(service.engine, Scope((due.tenant,)), service.machine, partial(one, due))
            sent += 1
        except Conflict as refusal:
            _log.warning("not_sent", tenant=due.tenant, order=str(due.order_id or due.batch_id), code=refusal.code)
    return sent


def _settle_samples(service: Service) -> None:
    """Ask back what a sample found unsound in a sealed batch, once it is paid."""
    demonstration = service.settings.demonstration
    _repeat(service, lambda work: settle_due(work, service.vault, demonstration=demonstration))


def _promote(service: Service) -> None:
    """Money that came back goes to the claims that wait for it, each budget in a transaction of its own."""
    demonstration = service.settings.demonstration
    for budget in run(service.engine, Scope(_tenants(service)), service.machine, waiting_budgets):
        use_case = partial(_promote_some, service.vault, budget, demonstration=demonstration)
        while run(service.engine, Scope((budget[0],)), service.machine, use_case):
            continue


def _promote_some(vault: Vault, budget: tuple[str, str, int], work: Work, *, demonstration: bool) -> int:
    return promote(work, vault, budget, demonstration=demonstration)


def _catch_up_matching(service: Service) -> None:
    """What was paid before matching was followed here falls due too, from the day on which it was paid."""
    # the formats of payment files are the workers' alone: a start waits for none of them
    from settlement.matching import make_overlooked_due  # noqa: PLC0415 - see above

    def one_batch(work: Work) -> bool:
        return make_overlooked_due(work.connection, service.office)

    _repeat(service, one_batch)


def _issue_receipts(service: Service) -> int:
    return run(service.engine, Scope(_tenants(service)), service.machine, issue_receipts)


def _drop_tokens(service: Service) -> None:
    with service.engine.begin() as connection:
        connection.exec_driver_sql("delete from access_token where expires_at < %s", (service.machine.now(),))
        connection.exec_driver_sql("delete from client_assertion where expires_at < %s", (service.machine.now(),))


def _tenants(service: Service) -> tuple[str, ...]:
    with service.engine.connect() as connection:
        return tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
