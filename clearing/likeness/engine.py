"""The engine that compares: Splink on DuckDB inside this process, or on a Spark cluster where one is named.

Splink and DuckDB come with the optional dependencies ``linkage``, and are imported here alone, when a sweep begins:
neither the service's start nor its first installation waits for them. ``CLEARING_SPARK_MASTER`` names a cluster.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from clearing.likeness.model import FIELDS, PARTS, Model
from tenants.kernel.errors import Text

SPARK_MASTER: Final = "CLEARING_SPARK_MASTER"

Line = tuple[Any, ...]
"""One row of the table of lines: the columns of ``COLUMNS`` in their order."""
COLUMNS: Final = (
    ("unique_id", "varchar"),
    ("claim_id", "varchar"),
    ("enterprise", "varchar"),
    ("provider", "varchar"),
    ("provider_name", "varchar"),
    ("invoice", "varchar"),
    ("invoice_sorted", "varchar"),
    ("issued_on", "varchar"),
    ("issued_on_sorted", "varchar"),
    ("issued_day", "bigint"),
    ("amount", "varchar"),
    ("amount_sorted", "varchar"),
    ("amount_fen", "bigint"),
    ("contract", "varchar"),
    ("contract_sorted", "varchar"),
    ("title", "varchar"),
    ("receipt", "varchar"),
    ("receipt_sorted", "varchar"),
)


class EngineMissingError(Exception):
    """What compares is not installed; ``text`` says how to install it."""

    def __init__(self, package: str) -> None:
        self.text = Text(
            f"未安装 {package}，无法检索疑似重复。请安装可选依赖：pip install 'clearing[linkage]'。",
            f"{package} is not installed, so near duplicates cannot be searched. Install: pip install "
            "'clearing[linkage]'.",
        )
        super().__init__(f"{self.text.zh}\n{self.text.en}")


@dataclass(frozen=True, slots=True)
class Scored:
    """Two lines, how likely they are one spending (in parts of a million), and each field's level (``-1``: absent)."""

    left: str
    right: str
    parts: int
    levels: tuple[int, ...]


class Engine(Protocol):
    """Compares lines by a model."""

    def pairs(self, lines: Sequence[Line], model: Model, at_least_parts: int) -> list[Scored]:
        """Every blocked pair whose likelihood is at least so many parts of a million."""


class DuckEngine:
    """Splink on DuckDB, in memory, on as many threads as given."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads

    def pairs(self, lines: Sequence[Line], model: Model, at_least_parts: int) -> list[Scored]:
        """As in :class:`Engine`."""
        try:
            import duckdb  # noqa: PLC0415 - only a sweep waits for it
            import pyarrow as pa  # noqa: PLC0415 - the same
            from splink import DuckDBAPI, Linker  # noqa: PLC0415 - the same
        except ImportError as error:
            raise EngineMissingError(error.name or "splink") from error
        with duckdb.connect(":memory:", config={"threads": self._threads}) as connection:
            kinds = {"varchar": pa.string(), "bigint": pa.int64()}
            schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS])
            columns = list(zip(*lines, strict=True)) or [()] * len(COLUMNS)
            table = pa.table([pa.array(c, t.type) for c, t in zip(columns, schema, strict=True)], schema=schema)
            connection.register("given", table)
            connection.execute("create table lines as select * from given")
            database = DuckDBAPI(connection)
            with _quiet():
                linker = Linker(database.register("lines"), model.settings(), log_level=None)
                found = linker.inference.predict(
                    threshold_match_probability=at_least_parts / PARTS if at_least_parts else None
                )
                rows = found.as_duckdbpyrelation().select(*_ANSWERED).fetchall()
        return [_scored(row) for row in rows]


class SparkEngine:
    """Splink on Spark, on the cluster that ``master`` names (``local[2]`` is this machine)."""

    def __init__(self, master: str) -> None:
        self._master = master

    def pairs(self, lines: Sequence[Line], model: Model, at_least_parts: int) -> list[Scored]:
        """As in :class:`Engine`."""
        try:
            from pyspark.sql import SparkSession  # noqa: PLC0415 - only a sweep waits for it
            from splink import Linker, SparkAPI  # noqa: PLC0415 - the same
        except ImportError as error:
            raise EngineMissingError(error.name or "pyspark") from error
        session = SparkSession.builder.master(self._master).appName("clearing-near-duplicates").getOrCreate()
        try:
            kinds = {"varchar": "string", "bigint": "bigint"}
            schema = ", ".join(f"{name} {kinds[kind]}" for name, kind in COLUMNS)
            frame = session.createDataFrame(list(lines), schema)
            database = SparkAPI(  # type: ignore[no-untyped-call]  # Splink leaves this one without types
                spark_session=session, register_udfs_automatically=False, break_lineage_method="persist"
            )
            with _quiet():
                linker = Linker(database.register(frame), model.settings(), log_level=None)
                found = linker.inference.predict(
                    threshold_match_probability=at_least_parts / PARTS if at_least_parts else None
                )
                rows = [tuple(row) for row in found.as_spark_dataframe().select(*_ANSWERED).collect()]
        finally:
            session.stop()
        return [_scored(row) for row in rows]


_ANSWERED: Final = ("unique_id_l", "unique_id_r", "match_probability", *(f"gamma_{field.name}" for field in FIELDS))


def _scored(row: Sequence[Any]) -> Scored:
    left, right, probability, *levels = row
    if left > right:
        left, right = right, left
    return Scored(left, right, int(probability * PARTS), tuple(levels))


def engine_from(environment: Mapping[str, str]) -> Engine:
    """The engine that the environment asks for."""
    master = environment.get(SPARK_MASTER)
    return SparkEngine(master) if master else DuckEngine(os.cpu_count() or 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Splink tells of its steps through logging; the service's log is for the service."""
    logger = logging.getLogger("splink")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
