"""What an instance is: real, or a sandbox (沙箱) in which nothing is; its marks, and what keeps the two apart.

The mark stands in three places, which have to agree: in the settings of whoever starts the service, in the database
(one row, never changed), and beside the secrets (bound to the key-encryption key, so that a real instance's keys do not
become a sandbox's by a file that lies beside them). Whatever a sandbox hands out begins with ``test_``.
"""

import hmac
from pathlib import Path
from typing import Any, Final

from psycopg import errors as pg
from sqlalchemy import Connection, Engine, event

from tenants.kernel.errors import Text, Unauthenticated, Unavailable

REAL: Final = "real"
SANDBOX: Final = "sandbox"
HEADER: Final = "Clearing-Environment"
"""The header of every answer and every webhook: one of the two marks."""
MARK_FILE: Final = "instance"
"""The file beside the secrets; a folder without it is a real instance's."""
TEST_PREFIX: Final = "test_"
BAND: Final = Text("沙箱 · 测试数据，不作拨付", "SANDBOX · test data, nothing is paid")
"""What stands above every page of a sandbox, on the screen and on paper."""
PURPOSE: Final = "【沙箱测试·勿付】"
"""What each payment of a sandbox says first of its purpose, and each list of payments of its title."""
_BOUND: Final = b"clearing/instance/v1\n"


class MixedInstancesError(Unavailable):
    """A sandbox and a real instance were about to be mixed; nothing was read or written. ``text`` says what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__("instance.mixed", zh, en)


KINDS: Final = {REAL: Text("正式环境", "a real instance"), SANDBOX: Text("沙箱", "a sandbox")}
"""The marks as people read them."""


def mark_of(*, sandbox: bool) -> str:
    """The mark."""
    return SANDBOX if sandbox else REAL


def stored_mark(connection: Connection) -> str | None:
    """What the database says of itself; ``None`` where it has no mark yet."""
    mark: str | None = connection.exec_driver_sql("select mark from instance").scalar_one_or_none()
    return mark


def is_sandbox(connection: Connection) -> bool:
    """Whether this database is a sandbox's."""
    return stored_mark(connection) == SANDBOX


def put_mark(owner: Connection, mark: str) -> None:
    """Give the database its mark for ever, as its owner, where it has none.

    Raises:
        MixedInstancesError: it has the other one.
    """
    owner.exec_driver_sql("insert into instance (mark) values (%s) on conflict do nothing", (mark,))
    require_database(stored_mark(owner), mark)


def require_database(found: str | None, wanted: str) -> None:
    """Refuse a database of the other kind, by the mark that was found in it.

    Raises:
        MixedInstancesError: as above.
    """
    if found is not None and found != wanted:
        there, here = KINDS[found], KINDS[wanted]
        raise MixedInstancesError(
            f"本服务设置为{here.zh}，而数据库属于{there.zh}，已拒绝使用，未读写任何数据。请核对 CLEARING_DATABASE_URL、"
            "CLEARING_INSTANCE 或 --data-dir；若刚恢复过备份，请恢复到同类环境的数据库。",
            f"This service is set up as {here.en}, and the database is that of {there.en}: it is not used. Look at "
            "CLEARING_DATABASE_URL, CLEARING_INSTANCE or --data-dir; where a backup was just restored, restore it "
            "into an instance of its own kind.",
        )


def hold_to_mark(engine: Engine, mark: str) -> Engine:
    """Let the engine connect to a database of this mark only, whenever it connects; the same engine.

    A database without the table, which is not migrated yet, may be connected to.

    Raises:
        MixedInstancesError: at each connection, where the database is of the other kind.
    """

    def check(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection
        try:
            row = connection.execute("select mark from instance").fetchone()
        except pg.UndefinedTable:
            row = None
        connection.rollback()
        require_database(None if row is None else row[0], mark)

    event.listen(engine, "connect", check)
    return engine


def mark_of_secrets(folder: Path) -> str:
    """What the secrets folder says whose it is; a folder without a mark is a real instance's.

    Raises:
        MixedInstancesError: its mark was made for other keys, or cannot be read.
    """
    try:
        said = (folder / MARK_FILE).read_bytes()
    except FileNotFoundError:
        return REAL
    except OSError as error:
        raise _unfit(folder) from error
    for mark in (REAL, SANDBOX):
        if hmac.compare_digest(said, _bound(folder, mark)):
            return mark
    raise _unfit(folder)


def require_secrets(folder: Path, wanted: str) -> None:
    """Refuse a secrets folder of the other kind of instance.

    Raises:
        MixedInstancesError: as above, and as for :func:`mark_of_secrets`.
    """
    found = mark_of_secrets(folder)
    if found != wanted:
        there, here = KINDS[found], KINDS[wanted]
        raise MixedInstancesError(
            f"本服务设置为{here.zh}，而密钥目录 {folder} 属于{there.zh}，已拒绝使用。请核对 CLEARING_SECRETS_DIR、"
            "CLEARING_INSTANCE 或 --data-dir；新的沙箱由 clearing sandbox create 建立。",
            f"This service is set up as {here.en}, and the secrets folder {folder} is that of {there.en}: it is not "
            "used. Look at CLEARING_SECRETS_DIR, CLEARING_INSTANCE or --data-dir; a new sandbox is made by "
            "clearing sandbox create.",
        )


def mark_secrets(folder: Path) -> None:
    """Mark the folder as a sandbox's, for good and for these very keys.

    Raises:
        OSError: the folder cannot be written, or holds no key-encryption key.
    """
    part = folder / f".{MARK_FILE}.part"
    part.write_bytes(_bound(folder, SANDBOX))
    part.chmod(0o600)
    part.replace(folder / MARK_FILE)


def marked(credential: str, *, sandbox: bool) -> str:
    """What the instance hands out: in a sandbox it begins with ``test_``."""
    return f"{TEST_PREFIX}{credential}" if sandbox else credential


def is_own(credential: str, *, sandbox: bool) -> bool:
    """Whether a credential bears the mark of this kind of instance; said without looking anything up."""
    return credential.startswith(TEST_PREFIX) is sandbox


def other_instances(code: str, *, sandbox: bool) -> Unauthenticated:
    """The answer to a credential of the other kind of instance."""
    if sandbox:
        return Unauthenticated(
            code,
            f"这里是沙箱，只接受以 {TEST_PREFIX} 开头的测试凭据；所给的是正式环境的凭据，请勿发往沙箱，并考虑更换。",
            f"This is a sandbox and takes test credentials only, which begin with {TEST_PREFIX}. A real instance's "
            "does not belong here: do not send it again, and consider replacing it.",
        )
    return Unauthenticated(
        code,
        f"这里是正式环境，不接受以 {TEST_PREFIX} 开头的测试凭据，请使用正式凭据，或改用沙箱地址。",
        f"This is no sandbox: test credentials, which begin with {TEST_PREFIX}, are not taken. Use real ones, or call "
        "the sandbox.",
    )


def _bound(folder: Path, mark: str) -> bytes:
    kek = (folder / "kek").read_bytes()
    return f"{mark}\n{hmac.digest(kek, _BOUND + mark.encode(), 'sha256').hex()}\n".encode()


def _unfit(folder: Path) -> MixedInstancesError:
    return MixedInstancesError(
        f"密钥目录 {folder} 的环境标记与其中的密钥不符：标记或密钥是从另一环境复制来的。请恢复该环境自己的密钥目录。",
        f"The mark of the secrets folder {folder} was not made for the keys in it: one of them was copied from another "
        "instance. Put this instance's own folder back.",
    )
