"""Rotation of the registry's key (I24), step by step, while every process goes on taking claims in.

``begin`` adds a version: from its commit on every holding is written under both. ``fill`` copies what stood before, a
window of digests a transaction; ``complete`` closes the copying once both versions say the same. ``retire`` ends the
writing of the older one, ``drop`` removes its rows, ``end`` closes. Each may be killed and run again; a look-up finds
what it must at every moment, since a version is read as long as it is written and written until a newer is complete.

The set of versions changes only while nobody writes to the registry (an advisory lock that the schema's triggers
take), for as long as the transactions under way need to end. Each step has an entry in every tenant's audit chain.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine

from clearing.claims.fingerprint import RegistryKey
from clearing.claims.keyring import ENTERPRISE, Keyring, rekeyed
from tenants.kernel.change import Change, record
from tenants.kernel.clock import Clock
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Conflict
from tenants.kernel.ids import new_id

WINDOW_KEYS: Final = 2000
"""Heads copied or dropped in one transaction: few enough to hold their locks only briefly."""
PASSES: Final = 5
"""How often the copying goes over the whole registry before it is given up; one pass is enough unless one was cut."""


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of the key as it stands."""

    version: int
    id: UUID
    state: str
    check_value: bytes | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far copying or dropping has come: heads looked at, holdings copied."""

    heads: int
    holdings: int


def versions_of(connection: Connection) -> list[KeyVersion]:
    """Every version there ever was, the oldest first."""
    rows: Any = connection.exec_driver_sql(
        "select version, id, state, check_value from registry_key_version order by version"
    )
    return [KeyVersion(row.version, row.id, row.state, row.check_value and bytes(row.check_value)) for row in rows]


def require_right_keys(connection: Connection, keyring: Keyring) -> None:
    """Compare this process's key files with what the database knows of them; the first one's value is noted once.

    Raises:
        Conflict: ``registry.key_wrong``: a file holds another key than the one that the registry was written with.
        Unavailable: a file is missing.
    """
    for known in versions_of(connection):
        made = keyring.check_value(known.version)
        if known.check_value is None:
            connection.exec_driver_sql(
                "update registry_key_version set check_value = %s where version = %s and check_value is null",
                (made, known.version),
            )
        elif known.check_value != made:
            raise Conflict(
                "registry.key_wrong",
                f"密钥文件 registry-key（第 {known.version} 版）与写入登记时所用的不同，请恢复原文件。",
                f"The file of the registry's key, version {known.version}, is not the one that the registry was "
                "written with; put the original back.",
            )


@dataclass(frozen=True, slots=True)
class Rotation:
    """Who rotates, with which keys."""

    engine: Engine
    machine: Clock
    keyring: Keyring
    person: str

    def begin(self) -> int:
        """Add the next version, whose key file every process must be able to read; answers its number.

        Raises:
            Conflict: ``registry.rotating``: two versions stand already.
            Unavailable: the key's file is missing.
        """
        return self._run(self._begin)

    def fill(self, version: int) -> Iterator[Progress]:
        """Copy what stands under the version before until both say the same, and complete the version.

        Raises:
            Conflict: ``registry.not_filling``.
        """
        for _ in range(PASSES):
            behind: bytes | None = b""
            while behind is not None:
                window = partial(_fill, keyring=self.keyring, version=version, behind=behind)
                behind, progress = self._run(window)
                yield progress
            if self._run(lambda work: self._complete(work, version)):
                return
        raise Conflict(
            "registry.not_filled",
            "复制多遍后两版登记仍不一致，请运行 verify 查找原因。",
            "After several passes the two versions still differ; run verify to find out why.",
        )

    def retire(self, version: int) -> Iterator[Progress]:
        """End the writing of the version, drop its rows, and close it; a retirement that was cut goes on.

        Raises:
            Conflict: ``registry.not_replaced``: no newer version is complete.
        """
        self._run(lambda work: self._retire(work, version))
        behind: bytes | None = b""
        while behind is not None:
            behind = self._run(partial(_drop, version=version, behind=behind))
            yield Progress(WINDOW_KEYS, 0)
        self._run(lambda work: self._end(work, version))

    def _run(self, use_case: Callable[[Work], Result]) -> Result:
        with self.engine.connect() as connection:
            tenants = tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
        return run(self.engine, Scope(tenants), self.machine, use_case)

    def _begin(self, work: Work) -> int:
        known = versions_of(work.connection)
        if len([one for one in known if one.state != "retired"]) > 1:
            raise Conflict(
                "registry.rotating",
                "上一次更换尚未结束：请先停用旧版本。",
                "The last rotation has not ended: retire the older version first.",
            )
        added = KeyVersion(known[-1].version + 1, new_id(), "filling", self.keyring.check_value(known[-1].version + 1))
        work.connection.exec_driver_sql(
            "insert into registry_key_version (version, id, state, check_value, begun_at) values (%s, %s, %s, %s, %s)",
            (added.version, added.id, added.state, added.check_value, work.at),
        )
        self._record(work, added, None, "begun")
        return added.version

    def _complete(self, work: Work, version: int) -> bool:
        if not _same(work.connection, version):
            return False
        self._move(work, _in_state(work.connection, version, "filling"), "current", "filled")
        return True

    def _retire(self, work: Work, version: int) -> None:
        known = {one.version: one for one in versions_of(work.connection)}
        if version in known and known[version].state == "retiring":
            return
        newer = [one for one in known.values() if one.version > version and one.state == "current"]
        if version not in known or known[version].state != "current" or not newer:
            raise Conflict(
                "registry.not_replaced",
                "没有更新且已完成的版本，不能停用。",
                "It cannot be retired: no newer version is complete.",
            )
        self._move(work, known[version], "retiring", "retiring")

    def _end(self, work: Work, version: int) -> None:
        left = work.connection.exec_driver_sql(
            "select 1 from registry_key where key_version = %s limit 1", (version,)
        ).first()
        if left is not None:
            raise Conflict("registry.not_dropped", "旧版本尚有残留。", "Rows of the old version are left.")
        self._move(work, _in_state(work.connection, version, "retiring"), "retired", "retired")

    def _move(self, work: Work, before: KeyVersion, state: str, step: str) -> None:
        work.connection.exec_driver_sql(
            f"update registry_key_version set state = %s, {step}_at = %s where version = %s",  # noqa: S608 - our own
            (state, work.at, before.version),
        )
        self._record(work, KeyVersion(before.version, before.id, state, before.check_value), before.state, step)

    def _record(self, work: Work, now: KeyVersion, before: str | None, step: str) -> None:
        tenants = work.connection.exec_driver_sql("select tenant from audit_head order by tenant").scalars().all()
        details = {"version": now.version}
        record(
            work.connection,
            [
                Change(one, self.person, f"registry_key.{step}", now.id, before, now.state, details=details)
                for one in tenants
            ],
            work.at,
        )


def _in_state(connection: Connection, version: int, state: str) -> KeyVersion:
    found = next((one for one in versions_of(connection) if (one.version, one.state) == (version, state)), None)
    if found is None:
        raise Conflict(
            f"registry.not_{state}", f"第 {version} 版不在所需状态。", f"Version {version} is not in the state {state}."
        )
    return found


def _fill(work: Work, keyring: Keyring, version: int, behind: bytes) -> tuple[bytes | None, Progress]:
    """Copy one window of heads; the last digest looked at, ``None`` behind the end."""
    _in_state(work.connection, version, "filling")
    heads = work.connection.exec_driver_sql(_WINDOW, (behind, WINDOW_KEYS)).all()
    older = [row for row in heads if row.key_version == version - 1]
    if older:
        key = RegistryKey(version, keyring.secret(version))
        digests = [bytes(row.digest) for row in older]
        enterprises = _enterprises(work.connection, digests)
        copied = work.connection.exec_driver_sql(
            "select fill_registry(%s::smallint, %s::bytea[], %s::bytea[], %s::text[], %s::bytea[], %s::bytea[])",
            (
                version,
                digests,
                [rekeyed(key, row.kind, bytes(row.digest)) for row in older],
                [row.exclusion_group for row in older],
                enterprises,
                [rekeyed(key, ENTERPRISE, one) for one in enterprises],
            ),
        ).scalar_one()
    else:
        copied = 0
    return bytes(heads[-1].digest) if heads else None, Progress(len(older), copied)


_WINDOW: Final = (
    "select digest, exclusion_group, kind, key_version from registry_key where digest > %s "
    "order by digest, exclusion_group fetch first %s rows with ties"
)


def _enterprises(connection: Connection, digests: Sequence[bytes]) -> list[bytes]:
    rows = connection.exec_driver_sql(
        "select distinct enterprise_digest from registry_holding where digest = any(%s)", (list(digests),)
    )
    return [bytes(one) for one in rows.scalars()]


def _drop(work: Work, version: int, behind: bytes) -> bytes | None:
    last: Any = work.connection.exec_driver_sql(
        "select drop_registry_version(%s::smallint, %s, %s)", (version, behind, WINDOW_KEYS)
    ).scalar_one()
    return None if last is None else bytes(last)


def _same(connection: Connection, version: int) -> bool:
    """Whether the version has as many heads and holdings as the one before, in one picture of the table."""
    counts = connection.exec_driver_sql(_COUNTS, (version - 1, version)).all()
    by_version = {row.key_version: (row.heads, row.holdings) for row in counts}
    return by_version.get(version - 1, (0, 0)) == by_version.get(version, (0, 0))


_COUNTS: Final = (
    "select k.key_version, count(distinct (k.digest, k.exclusion_group)) as heads, count(h.holder_id) as holdings "
    "from registry_key k left join registry_holding h on h.digest = k.digest and h.exclusion_group = k.exclusion_group "
    "where k.key_version in (%s, %s) group by k.key_version"
)
