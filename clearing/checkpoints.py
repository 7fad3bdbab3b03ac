"""Signed checkpoints of the audit chains, kept outside the database: an old backup put back is seen (I15).

Each line of ``<tenant>.jsonl`` is ``{"jws": …}``, a compact JWS over the tenant, number, hash and instant of one entry.
The key lies with the service's secrets, so that whoever holds the database alone cannot make a checkpoint.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from clearing.settings import Settings
from settlement.signatures.signing import (
    CHECKPOINT,
    PublicKey,
    Purpose,
    SignatureRefused,
    SigningKey,
    compact_signer,
    verify_compact,
)
from settlement.signatures.suites import SUITES
from tenants.kernel.canonical import Json, canonical_bytes
from tenants.kernel.clock import SystemClock, print_instant
from tenants.kernel.database import Scope, transaction
from tenants.kernel.errors import Text

KEY_NAME: Final = "checkpoint-key"
KEY_SET_NAME: Final = "jwks.json"
ALGORITHM: Final = "Ed25519"
SIGNER: Final = "clearing"
"""In place of a tenant: the key is the whole service's."""
_EVER: Final = datetime(2024, 1, 1, tzinfo=UTC)
_TAIL_BYTES: Final = 64 * 1024


class CheckpointError(Exception):
    """The database contradicts a checkpoint, or the checkpoints cannot be read; ``text`` says what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh}\n{en}")
        self.text = Text(zh, en)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One entry of a tenant's audit chain that was once signed as its newest."""

    tenant: str
    seq: int
    hash: bytes
    at: datetime


class Checkpoints:
    """The checkpoint files of one folder, and the key that signs them."""

    def __init__(self, folder: Path, key: SigningKey, keys: Mapping[str, PublicKey]) -> None:
        self._folder = folder
        self._sign = compact_signer(key, CHECKPOINT)
        self._keys = keys

    @classmethod
    def of(cls, settings: Settings) -> "Checkpoints":
        """The checkpoints of this service; the key is made when neither it nor any checkpoint exists.

        Raises:
            CheckpointError: the key is gone though checkpoints exist, or the key or folder cannot be used.
        """
        folder, path = settings.checkpoints_folder, settings.secrets_folder / KEY_NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                if any(folder.glob("*.jsonl")):
                    raise _key_lost(path)
                _write_once(path, SUITES[ALGORITHM].generate())
            private = path.read_bytes()
            public = _public(private)
            _write_once(folder / KEY_SET_NAME, canonical_bytes({"keys": [public.jwk()]}))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"无法使用审计检查点的密钥或目录：{error}",
                f"The key or the folder of the audit checkpoints cannot be used: {error}",
            ) from error
        return cls(folder, SigningKey.load(SIGNER, Purpose.CHECKPOINT, ALGORITHM, private), {public.kid: public})

    def tenants(self) -> tuple[str, ...]:
        """The tenants that have checkpoints."""
        return tuple(sorted(path.stem for path in self._folder.glob("*.jsonl")))

    def every(self, tenant: str) -> Iterator[Checkpoint]:
        """All checkpoints of the tenant, the oldest first.

        Raises:
            CheckpointError: a line is not a checkpoint of ours.
        """
        with self._path(tenant).open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):  # else the machine stopped while writing it
                    yield self._read(tenant, line)

    def signed_from(self, tenant: str, seq: int) -> tuple[Checkpoint, str] | None:
        """The tenant's first checkpoint at or after the entry, with its compact JWS; ``None`` while there is none.

        Raises:
            CheckpointError: a line is not a checkpoint of ours.
        """
        if not self._path(tenant).exists():
            return None
        with self._path(tenant).open("rb") as file:
            for line in file:
                if line.endswith(b"\n") and (found := self._read(tenant, line)).seq >= seq:
                    return found, json.loads(line)["jws"]
        return None

    def key_set(self) -> dict[str, Json]:
        """The public keys that the checkpoints are verified with, as a JWK set."""
        return {"keys": [dict(key.jwk()) for key in self._keys.values()]}

    def newest(self, tenant: str) -> Checkpoint | None:
        """The tenant's newest checkpoint.

        Raises:
            CheckpointError: it is not a checkpoint of ours.
        """
        if not self._path(tenant).exists():
            return None
        line, _ = _last_line(self._path(tenant))
        return self._read(tenant, line) if line else None

    def write(self, engine: Engine) -> int:
        """Sign and keep the newest entry of each chain that has grown; how many there were."""
        written = 0
        for head in _heads(engine):
            with self._path(head.tenant).open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                known = self.newest(head.tenant)
                if known is None or known.seq < head.seq:
                    self._append(file.fileno(), head)
                    written += 1
        return written

    def contradicted(self, engine: Engine) -> Checkpoint | None:
        """The first of the newest checkpoints that its chain does not hold; ``None`` when all do.

        Raises:
            CheckpointError: a file cannot be read.
            Unavailable: the database is away.
        """
        # Read before the transaction binds its scope: another process may sign for one tenant more meanwhile.
        newest = [found for found in map(self.newest, self.tenants()) if found is not None]
        with transaction(engine, Scope(tuple(found.tenant for found in newest)), SystemClock()) as work:
            for checkpoint in newest:
                row = work.connection.exec_driver_sql(
                    "select hash from audit_entry where tenant = %s and seq = %s", (checkpoint.tenant, checkpoint.seq)
                ).one_or_none()
                if row is None or bytes(row[0]) != checkpoint.hash:
                    return checkpoint
        return None

    def require_kept(self, engine: Engine) -> None:
        """Refuse a database that does not hold what was signed.

        Raises:
            CheckpointError: it holds another history or a shorter one.
        """
        gone = self.contradicted(engine)
        if gone is not None:
            raise contradiction(gone)

    def _append(self, descriptor: int, head: Checkpoint) -> None:
        _, whole = _last_line(self._path(head.tenant))
        os.ftruncate(descriptor, whole)  # drops a line that was cut short
        payload = {"tenant": head.tenant, "seq": head.seq, "hash": head.hash.hex(), "at": head.at}
        line = canonical_bytes({"jws": self._sign(canonical_bytes(payload))}) + b"\n"
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path(head.tenant)))
        os.fsync(descriptor)

    def _read(self, tenant: str, line: bytes) -> Checkpoint:
        try:
            payload, _ = verify_compact(json.loads(line)["jws"], CHECKPOINT, self._keys)
            said = json.loads(payload)
            found = Checkpoint(
                said["tenant"], said["seq"], bytes.fromhex(said["hash"]), datetime.fromisoformat(said["at"])
            )
        except (SignatureRefused, ValueError, KeyError, TypeError) as error:
            raise _unreadable(self._path(tenant)) from error
        if found.tenant != tenant:
            raise _unreadable(self._path(tenant))
        return found

    def _path(self, tenant: str) -> Path:
        return self._folder / f"{tenant}.jsonl"


def contradiction(checkpoint: Checkpoint) -> CheckpointError:
    """What is said when the database does not hold a signed entry."""
    when = print_instant(checkpoint.at)
    return CheckpointError(
        f"数据库与已签名的审计检查点不符：{checkpoint.tenant} 的第 {checkpoint.seq} 条（{when}）不在库中或已被改动。"
        "很可能恢复了旧备份。请恢复完整的数据库；若确认放弃其后的数据，请先另存检查点目录再启动。",
        f"The database contradicts a signed audit checkpoint: entry {checkpoint.seq} of {checkpoint.tenant} ({when}) "
        "is absent or changed. An old backup was probably put back. Restore the whole database; only where what came "
        "later is given up for good, move the checkpoints folder away and start again.",
    )


def _last_line(path: Path) -> tuple[bytes, int]:
    """The last whole line, and how many bytes of the file are whole lines; the rest was cut short by a crash."""
    with path.open("rb") as file:
        begin = max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES)
        file.seek(begin)
        tail = file.read()
    end = tail.rfind(b"\n")
    if end < 0:
        return b"", 0
    return tail[tail.rfind(b"\n", 0, end) + 1 : end], begin + end + 1


def _heads(engine: Engine) -> tuple[Checkpoint, ...]:
    with engine.connect() as connection:
        tenants = tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
    with transaction(engine, Scope(tenants), SystemClock()) as work:
        rows = work.connection.exec_driver_sql("select tenant, seq, hash, at from audit_head where seq > 0").all()
    return tuple(Checkpoint(tenant, seq, bytes(digest), at) for tenant, seq, digest, at in rows)


def _public(private: bytes) -> PublicKey:
    suite = SUITES[ALGORITHM]
    members = suite.public_members(private)
    return PublicKey(SIGNER, Purpose.CHECKPOINT, ALGORITHM, members, _EVER, None, suite.verifier(members))


def _write_once(path: Path, content: bytes) -> None:
    """Put a file of mode 0600 in place whole, unless it is there."""
    if path.exists():
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    try:
        path.hardlink_to(part)
    except FileExistsError:
        return  # another process was quicker; its content holds
    finally:
        part.unlink()


def _key_lost(path: Path) -> CheckpointError:
    return CheckpointError(
        f"已有审计检查点，但缺少密钥 {path}。请从备份恢复，不能新建。",
        f"There are audit checkpoints, but their key {path} is gone. Restore it from a backup; a new one will not do.",
    )


def _unreadable(path: Path) -> CheckpointError:
    return CheckpointError(
        f"检查点文件 {path} 已损坏或不是由本服务的密钥签名。请从备份恢复。",
        f"The checkpoint file {path} is damaged or not signed by this service's key. Restore it from a backup.",
    )
