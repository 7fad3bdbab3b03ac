"""Which bank each tenant sends to and how, and what its payment files look like: a TOML file of the operator.

It stands beside the secrets and not in the database, so that nobody who writes rows can point payments elsewhere::

    [jiangsu]
    method = "http"
    address = "https://bank.example/clearing"
    token_file = "jiangsu-bank-token"
    automatic = true
    pain = "11"

    [wujiang]
    method = "folder"
    folder = "/mnt/bank/wujiang"
    table = "treasury"
    encoding = "utf-8-sig"

    [settlement_agents.delta]
    account_name = "…"
    account_number = "…"
    bank_name = "…"
    cnaps = "…"
    method = "folder"
    folder = "/mnt/bank/agent"

The last names who pays in and out between the tenants of an agreement set, and how its bank is reached.

A sandbox reaches no bank: there the methods are ``folder``, below the sandbox's own folder, and ``simulator``, the
simulated bank on this machine, which says of itself what it is before anything is sent to it. Nor does a database that
holds a demonstration, though it bears no sandbox's mark: no folder serves it, and no server but the simulated bank.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from settlement.bank.port import BankPort
from settlement.formats.bank_table import ENCODINGS, PRESETS, UTF8
from settlement.formats.pain001 import VERSIONS
from settlement.payouts.instruction import Account, InstructionError
from tenants.kernel.errors import Conflict

FOLDER: Final = "folder"
HTTP: Final = "http"
SIMULATOR: Final = "simulator"
MEMBERS: Final = frozenset({"method", "address", "token_file", "folder", "automatic", "pain", "table", "encoding"})
AGENTS: Final = "settlement_agents"
ACCOUNT: Final = ("account_name", "account_number", "bank_name", "cnaps")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class ConnectionsError(ValueError):
    """The file of connections cannot be used; the message names the tenant and the member."""


@dataclass(frozen=True, slots=True)
class BankConnection:
    """How one tenant reaches its bank: ``folder`` (``place`` a path), ``http`` or ``simulator`` (an address).

    ``automatic``: an instructed batch is sent without being asked for. ``account``: a settlement agent's own.
    """

    method: str
    place: str
    token_file: Path | None = None
    automatic: bool = False
    pain_version: str = VERSIONS[0]
    table: str = next(iter(PRESETS))
    csv_encoding: str = UTF8
    account: Account | None = None

    @property
    def stays_here(self) -> bool:
        """Whether it leads to a server on this machine alone, as the simulated bank is."""
        return self.method != FOLDER and urlsplit(self.place).hostname in _LOOPBACK

    def port(self, *, demonstrates: bool = False) -> BankPort:
        """The way to the bank, opened; where the database ``demonstrates``, only to one that says it is simulated.

        Raises:
            ConnectionsError: the token cannot be read.
            Conflict: ``bank.demonstration``.
        """
        if demonstrates:
            refuse_real_bank(self)
        if self.method == FOLDER:
            from settlement.bank.folder import FolderBank  # noqa: PLC0415 - a start waits for no way to a bank

            return FolderBank(Path(self.place))
        from settlement.bank.host import HttpBank  # noqa: PLC0415 - the same

        try:
            token = None if self.token_file is None else self.token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise ConnectionsError(f"token_file: 无法读取 / cannot be read: {self.token_file}") from error
        return HttpBank(self.place, token, simulated=demonstrates or self.method == SIMULATOR)


Connections = Mapping[str, BankConnection]
"""By tenant; a tenant that is not here downloads its files and sends them itself. Agents: by :func:`agent_of`."""


def refuse_real_bank(bank: BankConnection) -> None:
    """Refuse every way on which a demonstration's payments could come to a bank.

    What is left leads to a server on this machine, which has to say of itself that it is the simulated bank before
    anything is sent to it.

    Raises:
        Conflict: ``bank.demonstration``.
    """
    if not bank.stays_here:
        raise Conflict("bank.demonstration", *_DEMONSTRATION)


_DEMONSTRATION: Final = (
    "本数据库存有演示数据，其拨付不得送往银行。请删除 banks.toml 中的连接；真实业务请另选数据库和 --data-dir。",
    (
        "This database holds a demonstration, whose payments never reach a bank. Take the connection out of "
        "banks.toml; real work takes another database and --data-dir."
    ),
)


def agent_of(agreement_set: str) -> str:
    """Under which name the connections hold the settlement agent of an agreement set; no tenant is called so."""
    return f"{AGENTS}/{agreement_set}"


def read_connections(
    path: Path, sandbox: Path | None = None, *, demonstrates: bool = False, tenants: Collection[str] | None = None
) -> Connections:
    """The connections of the file; none where there is no such file.

    ``sandbox``: the folder that a sandbox's payment files do not leave; ``None`` for a real instance, which may
    be one that ``demonstrates``. ``tenants``: those that there are, so that one that is misspelt is not passed over in
    silence; ``None`` where any name will do.

    Raises:
        ConnectionsError: it is not TOML, or a member is wrong, or a tenant unknown; a connection leads out of a
            sandbox, or a demonstration to a bank.
    """
    if not path.exists():
        return {}
    try:
        made = _read(path, sandbox, demonstrates=demonstrates)
        if tenants is not None:
            _require_known(made, tenants)
    except ConnectionsError as fault:
        raise ConnectionsError(f"{path}: {fault}") from fault
    return made


def _read(path: Path, sandbox: Path | None, *, demonstrates: bool) -> Connections:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConnectionsError(f"无法读取 / it cannot be read: {error}") from error
    agents = content.pop(AGENTS, {})
    if not isinstance(agents, dict):
        raise ConnectionsError(f"{AGENTS}: 每个协议组一个表 / a table for each agreement set")
    made = {tenant: _connection(tenant, given, path.parent) for tenant, given in content.items()}
    made |= {agent_of(name): _agent(agent_of(name), given, path.parent) for name, given in agents.items()}
    for tenant, connection in made.items():
        _require_within(tenant, connection, sandbox)
        if demonstrates and sandbox is None:
            _require_none(tenant, connection)
    return made


def _require_known(made: Connections, tenants: Collection[str]) -> None:
    """Agreement sets are the database's to know, which is not asked when a process opens its parts."""
    known = "、".join(sorted(tenants))
    for name, connection in made.items():
        if connection.account is None and name not in tenants:
            raise ConnectionsError(f"{name}: 没有这个区域，现有 {known} / there is no such tenant; there are {known}")


def _require_none(tenant: str, connection: BankConnection) -> None:
    try:
        refuse_real_bank(connection)
    except Conflict as refused:
        raise ConnectionsError(f"{tenant}: {refused.text.zh} / {refused.text.en}") from refused


def _agent(name: str, given: Any, beside: Path) -> BankConnection:  # noqa: ANN401 - of a TOML file
    if not isinstance(given, dict) or set(ACCOUNT) - given.keys():
        members = ", ".join(ACCOUNT)
        raise ConnectionsError(f"{name}: 须有 {members} 和银行通道 / {members}, and how its bank is reached")
    try:
        account = Account(*(str(given[member]) for member in ACCOUNT))
    except InstructionError as fault:
        raise ConnectionsError(f"{name}: 账户有误 / its account is faulty: {fault}") from fault
    return replace(_connection(name, {k: v for k, v in given.items() if k not in ACCOUNT}, beside), account=account)


def _require_within(tenant: str, connection: BankConnection, sandbox: Path | None) -> None:
    """A sandbox's connection stays in the sandbox, and a real instance has none to the simulated bank."""
    if sandbox is None:
        if connection.method == SIMULATOR:
            raise ConnectionsError(f"{tenant}.method: {SIMULATOR} 仅用于沙箱 / the simulated bank is a sandbox's")
        return
    if connection.method == HTTP:
        raise ConnectionsError(
            f"{tenant}.method: 沙箱不得连接银行，请用 {FOLDER} 或 {SIMULATOR} / "
            f"a sandbox reaches no bank: {FOLDER} or {SIMULATOR}"
        )
    if connection.method == FOLDER and not Path(connection.place).resolve().is_relative_to(sandbox.resolve()):
        raise ConnectionsError(
            f"{tenant}.folder: 沙箱的拨付文件须在 {sandbox} 之下 / a sandbox's payment files stay below {sandbox}"
        )


def _connection(tenant: str, given: Any, beside: Path) -> BankConnection:  # noqa: ANN401 - of a TOML file
    if not isinstance(given, dict) or given.keys() - MEMBERS:
        members = ", ".join(sorted(MEMBERS))
        raise ConnectionsError(f"{tenant}: 须为只含这些成员的表 / a table of no other members than: {members}")
    method = given.get("method")
    if method == FOLDER:
        place = given.get("folder")
        if not isinstance(place, str) or not Path(place).is_absolute():
            raise ConnectionsError(f"{tenant}.folder: 须为绝对路径 / an absolute path is needed")
    elif method in {HTTP, SIMULATOR}:
        place = given.get("address")
        if not isinstance(place, str) or not _is_safe(place):
            raise ConnectionsError(
                f"{tenant}.address: 须为 https 地址（http 仅限本机） / an https address (http on this machine only)"
            )
        if method == SIMULATOR and urlsplit(place).hostname not in _LOOPBACK:
            raise ConnectionsError(f"{tenant}.address: 模拟银行须在本机 / the simulated bank is on this machine")
    else:
        raise ConnectionsError(f"{tenant}.method: 须为其一 / it is one of: {FOLDER}, {HTTP}, {SIMULATOR}")
    token = given.get("token_file")
    return BankConnection(
        method=method,
        place=place,
        token_file=None if token is None else beside / str(token),
        automatic=_one_of(tenant, given, "automatic", (False, True)),
        pain_version=_one_of(tenant, given, "pain", VERSIONS),
        table=_one_of(tenant, given, "table", tuple(PRESETS)),
        csv_encoding=_one_of(tenant, given, "encoding", ENCODINGS),
    )


def _one_of(tenant: str, given: Mapping[str, Any], name: str, possible: tuple[Any, ...]) -> Any:  # noqa: ANN401
    value = given.get(name, possible[0])
    if value not in possible or type(value) is not type(possible[0]):
        raise ConnectionsError(f"{tenant}.{name}: 须为其一 / it is one of: {', '.join(map(str, possible))}")
    return value


def _is_safe(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    plain = parts.scheme == "http" and host in _LOOPBACK
    return (parts.scheme == "https" or plain) and bool(host) and not parts.query and not parts.fragment
