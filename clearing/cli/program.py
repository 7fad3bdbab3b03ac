"""The program ``clearing``: its options, its commands, and what an error is to a shell."""

import importlib
import keyword
import os
import re
import sys
from pathlib import Path
from typing import Any, Final

import click

OK: Final = 0
FINDINGS: Final = 1
USAGE: Final = 2
UNAVAILABLE: Final = 3

COMMANDS: Final = {
    "serve": ("running", "启动整个服务 / run the whole service here"),
    "work": ("running", "只运行任务进程 / run a worker only"),
    "schedule": ("running", "只运行调度进程 / run a scheduler only"),
    "demo": ("running", "完整演示 / the whole demonstration"),
    "migrate": ("database", "更新数据库结构 / bring the schema up to date"),
    "seed": ("database", "写入随附的区域与政策 / store the shipped tenants and policies"),
    "sandbox": ("sandbox", "沙箱：建立、重置、拨快时钟 / sandboxes: found, reset, move the clock"),
    "client": ("clients", "接口客户端 / clients of the interface"),
    "import": ("transfers", "导入申请或支持记录 / claims or support records from a file"),
    "export": ("transfers", "导出申请 / claims to a file"),
    "conformance": ("conformance", "对接自检 / check a platform against this interface"),
    "pull": ("pulling", "主动拉取平台数据 / pulling from platforms"),
    "user": ("users", "控制台账号 / accounts of people at the console"),
    "district": ("districts", "审核人属地 / which divisions bind a reviewer"),
    "tenant": ("tenants", "区域 / tenants"),
    "policy": ("policies", "政策版本 / policy versions"),
    "key": ("keys", "签名密钥 / signing keys"),
    "ledger": ("ledger", "账本 / the ledger"),
    "agreement": ("cycles", "结算协议 / agreements between tenants"),
    "cycle": ("cycles", "清算周期 / clearing cycles"),
    "matching": ("matching", "联动配套 / matching by linked regions"),
    "registry-key": ("registry_keys", "查重登记的密钥 / the blind registry's key"),
    "near-duplicates": ("near_duplicates", "疑似重复的检索 / the search for near duplicates"),
    "outbox": ("outbox", "待办任务 / work that waits"),
    "batch": ("batches", "兑付批次与结算单 / batches and their statements"),
    "month": ("months", "月结 / the month at the finance desk"),
    "suspense": ("suspense", "待查款项 / movements without an explanation"),
    "bank": ("banks", "银行：发送与对账 / banks: sending and reconciliation"),
    "verify": ("verification", "核验整个数据库 / verify the whole database"),
    "verify-batch": ("verification", "离线核验一个批次 / verify one batch offline"),
    "bench": ("benchmarks", "性能测量 / benchmarks"),
}
"""Each command's module in this package and its help; modules are imported when their command is called."""


class _Late(click.Group):
    """A group that imports a command's module when the command is wanted."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"clearing.cli.{COMMANDS[name][0]}")
        command: click.Command = getattr(module, name.replace("-", "_") + "_" * keyword.iskeyword(name))
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])


@click.group(
    cls=_Late,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Exit codes: 0 ok, 1 findings, 2 wrong usage, 3 a part of the service is away.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var"),
    show_default="./var",
    envvar="CLEARING_DATA_DIR",
    help="Folder of the embedded PostgreSQL and Valkey, which are used unless CLEARING_DATABASE_URL is set.",
)
@click.version_option(package_name="clearing")
@click.pass_context
def program(ctx: click.Context, data_dir: Path) -> None:
    """科技创新券跨区域通兑清算服务 / Interregional clearing service for innovation vouchers."""
    ctx.obj = data_dir


def main() -> None:
    """Run the command line and end the process with its exit code."""
    os.umask(0o077)
    sys.exit(_run())


def _run() -> int:
    try:
        result: Any = program.main(prog_name="clearing", standalone_mode=False)
    except click.exceptions.Abort:
        return _failed("已中断。\nInterrupted.", UNAVAILABLE)
    except click.ClickException as error:
        if (said := _misunderstood(error)) is not None:
            click.echo(said, err=True)
        error.show()
        return USAGE
    except Exception as error:
        code = _code_of(error)
        if code is None:
            raise
        return _failed(_said(error), code)
    return result if isinstance(result, int) else OK


_CHINESE: Final = re.compile("[\u4e00-\u9fff]")
_QUOTED: Final = re.compile("'[^']*'")


def _misunderstood(error: click.ClickException) -> str | None:
    """In Chinese what click, which knows none, says of words; ``None`` where the message is ours, in both languages."""
    if _CHINESE.search(_QUOTED.sub("", error.format_message())) or not isinstance(error, click.UsageError):
        return None
    if isinstance(error, click.NoSuchOption):
        return f"没有选项 {error.option_name}。"
    if isinstance(error, click.BadParameter):
        place = error.param_hint or (error.param.get_error_hint(error.ctx) if error.param else "")
        named = " / ".join(each.strip("'") for each in ([place] if isinstance(place, str) else place)) or "参数"
        return f"缺少 {named}。" if isinstance(error, click.MissingParameter) else f"{named} 的值有误。"
    return "命令用法有误。"


def _code_of(error: Exception) -> int | None:
    """The exit code of an error that has a message for people; ``None`` for a fault of ours."""
    names = _kinds(error)
    return next((code for code, kinds in _CODES.items() if names & kinds), None)


_AWAY: Final = frozenset({"OperationalError", "RedisError"})
_CODES: Final = {
    UNAVAILABLE: _AWAY | {"EmbeddedError", "EngineMissingError", "ServingError", "Unavailable"},
    FINDINGS: frozenset({"SeedError", "CheckpointError"}),
    USAGE: frozenset({"SettingsError", "PreparationError", "ConnectionsError", "Problem", "TableError"}),
}
"""By the names of error classes, so that no command imports what it does not need; the first that fits holds."""


def _kinds(error: Exception) -> frozenset[str]:
    return frozenset(kind.__name__ for kind in type(error).__mro__)


def _said(error: Exception) -> str:
    if _kinds(error) & _AWAY:
        return "数据库或队列不可用。\nThe database or the queue cannot be reached."
    text = getattr(error, "text", None)
    return str(error) if text is None else f"{text.zh}\n{text.en}"


def _failed(message: str, code: int) -> int:
    click.echo(message, err=True)
    return code
