"""Whether the service can be used: each part is asked, with little patience."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from typing import Final

from redis import ConnectionPool, Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from clearing.checkpoints import CheckpointError, Checkpoints
from clearing.migrations import current_revision, newest_revision
from clearing.service import Service
from tenants.instance import MixedInstancesError
from tenants.kernel.errors import FieldError, Text, Unavailable

PATIENCE_SECONDS: Final = 3
"""How long a part may take to answer before it counts as away."""
_QUEUE_SECONDS: Final = 2

_AWAY: Final = {
    "database": Text("数据库不可用。", "The database cannot be reached."),
    "queue": Text("队列不可用。", "The queue cannot be reached."),
}
_SCHEMA: Final = Text(
    "数据库结构不是本版本所需，请运行 clearing migrate。", "The schema is not the one needed: run clearing migrate."
)
_MODE: Final = Text(
    "数据库与服务的演示模式不一致。", "The database and the service disagree on whether this is a demonstration."
)


class Readiness:
    """Asks the parts of one service, each in a thread of its own, so that one that hangs hides no other."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._needed = newest_revision()
        self._parts = {
            "database": (self._database, ThreadPoolExecutor(2, "readiness-database")),
            "queue": (self._queue, ThreadPoolExecutor(2, "readiness-queue")),
        }
        pool = ConnectionPool.from_url(service.settings.redis_url)
        pool.connection_kwargs.update(socket_timeout=_QUEUE_SECONDS, socket_connect_timeout=_QUEUE_SECONDS)
        self._pinger = Redis(connection_pool=pool)

    def faults(self) -> tuple[FieldError, ...]:
        """What keeps the service from being used, by part: nothing when it is ready."""
        asked = [(part, threads.submit(look)) for part, (look, threads) in self._parts.items()]
        found: list[FieldError] = []
        for part, answer in asked:
            try:
                found.extend(answer.result(PATIENCE_SECONDS))
            except NoAnswer:
                found.append(_away(part))
        return tuple(found)

    def _database(self) -> list[FieldError]:
        try:
            with self._service.engine.connect() as connection:
                if current_revision(connection) != self._needed:
                    return [FieldError("/migrations", "migrations.pending", _SCHEMA)]
                demonstration = connection.exec_driver_sql("select 1 from service_clock").first() is not None
                if demonstration is not self._service.settings.demonstration:
                    return [FieldError("/mode", "mode.differs", _MODE)]
            Checkpoints.of(self._service.settings).require_kept(self._service.engine)
        except MixedInstancesError as error:
            return [FieldError("/instance", error.code, error.text)]
        except CheckpointError as error:
            return [FieldError("/checkpoints", "checkpoint.contradicted", error.text)]
        except (SQLAlchemyError, Unavailable):
            return [_away("database")]
        return []

    def _queue(self) -> list[FieldError]:
        try:
            self._pinger.ping()
        except RedisError:
            return [_away("queue")]
        return []


def faults(service: Service) -> tuple[FieldError, ...]:
    """What keeps the service from being used, asked once; for a health check from the command line."""
    return Readiness(service).faults()


def _away(part: str) -> FieldError:
    return FieldError(f"/{part}", f"{part}.unavailable", _AWAY[part])
