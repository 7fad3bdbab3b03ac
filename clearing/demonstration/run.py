"""``clearing demo``: the whole way of a claim, on real input, by clients over HTTP."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import urllib3
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from clearing.demonstration import screens, story
from clearing.demonstration.logins import open_accounts
from clearing.demonstration.people import People, invite
from clearing.demonstration.screens import Screens, screens_open
from clearing.demonstration.story import Told
from clearing.embedded import addresses_of
from tenants.credentials import create_client
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import open_engine
from tenants.profile import load_tenants, tenant_codes

BEGINS: Final = "2024-09-27T09:00:00+08:00"
"""A Friday; five working days of publicity end on 2024-10-10, over the holiday and its make-up Sunday."""
FOLDER: Final = "demo"
PLAIN_WIDTH: Final = 132
"""For output that goes into a file or another program."""
MARK: Final = "demonstration"
DUPLICATE: Final = Path(__file__).parent / "duplicate"
"""One spending, stated twice: first.json through Jiangsu's platform, second.json through the Delta platform."""
MONTH: Final = (
    "点完一个月 / a month by clicking:",
    "    maker：兑付批次 → 批次 → 银行与对账 → 演示银行付款并导入回单 → 关闭批次 / the bank answers, close the batch",
    "    operator：演示时钟拨到下月 2 日 / move the clock to the 2nd of the next month",
    "    maker：兑付批次 → 月结 / close the month",
)
READY_SECONDS: Final = 60
STOP_SECONDS: Final = 15


def run(data_dir: Path, bind: tuple[str, int], *, once: bool) -> int:
    """Run the demonstration in a folder of its own below ``data_dir``, anew each time.

    Answers 0, or 1 where the offline verification found a difference.
    """
    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH, soft_wrap=True)
    folder = _fresh_folder(data_dir / FOLDER)
    address = f"http://{bind[0]}:{bind[1]}"
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _end)
    with _service(folder, bind, address) as service:
        told, people, rows = _tell(console, folder, address)
        _show(console, told, rows, time.monotonic() - began)
        _show_what_to_try(console, told, people, address)
        found = sum(told.differences.values())
        if once:
            return 1 if found else 0
        _show_logins(console, folder, address)
        console.print(f"\n服务继续运行 / the service goes on at [bold]{address}[/bold]；Ctrl-C 结束 / ends it")
        _wait(service)
    return 1 if found else 0


def _end(_number: int, _frame: object) -> None:
    """End as on Ctrl-C, so that the service beside this process is ended too."""
    raise KeyboardInterrupt


def _tell(console: Console, folder: Path, address: str) -> tuple[Told, People, list[story.Row]]:
    told = Told()
    tenants = tenant_codes()
    create = _creator(folder)
    with ExitStack() as stack:
        with _steps(console) as step:
            people: People = step("平台与工作人员登录 / everyone signs in", lambda: invite(address, tenants, create))
            opened = stack.enter_context(screens_open(people, datetime.fromisoformat(BEGINS)))
            for title, act in _acts(people, told, folder, opened):
                step(title, act)
            rows = story.table(people, tenants)
        _show_screens(console, opened)
    return told, people, rows


def _acts(people: People, told: Told, folder: Path, opened: Screens) -> tuple[tuple[str, Callable[[], Any]], ...]:
    return (
        ("设置预算与联动地区 / budgets and linked regions", lambda: story.set_the_stage(people)),
        ("逐条提交算例 / worked cases, one by one", lambda: story.submit_worked_cases(people, later=False)),
        ("批量提交 300 条申请 / 300 claims in bulk", lambda: story.submit_generated(people, told)),
        ("通兑：吴江企业、嘉善机构 / cross-redemption", lambda: story.cross_redeem(people)),
        ("在各平台自己的页面办理 / at the platforms' own screens", lambda: screens.fill_in(opened)),
        ("主动拉取平台数据 / pulled from a platform's outlet", lambda: screens.pull(people, opened)),
        ("审核与疑似重复处理 / reviews and holds", lambda: story.review_everything(people)),
        ("生成并公示三个批次 / three batches published", lambda: story.publish_batches(people, told)),
        ("时钟走过公示期 / the clock passes the publicity", lambda: story.pass_the_publicity(people)),
        ("十月提交的算例 / the worked case of October", lambda: story.submit_worked_cases(people, later=True)),
        ("封存、第二人放行、签发 / seal, release, sign", lambda: story.seal_and_release(people, told)),
        ("平台收到拨付通知 / platforms are told, by webhook", lambda: screens.told_of_payment(opened)),
        ("下载并离线验证 / files fetched and verified", lambda: story.fetch_and_verify(people, told, folder / "files")),
    )


@contextmanager
def _steps(console: Console) -> Iterator[Callable[[str, Callable[[], Any]], Any]]:
    """Shows each step as it runs: a moving line on a terminal, plain lines elsewhere."""
    progress = Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console)
    moving = console.is_terminal

    def step(title: str, act: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the act answers
        began = time.monotonic()
        task = progress.add_task(title, total=1) if moving else None
        answer = act()
        said = "" if answer is None or not isinstance(answer, int | dict) else f"：{_said(answer)}"
        if task is None:
            console.print(f"  ✓ {title}{said}  {time.monotonic() - began:.1f} s", highlight=False)
        else:
            progress.update(task, description=f"✓ {title}{said}", completed=1)
        return answer

    if not moving:
        yield step
        return
    with progress:
        yield step


def _show_screens(console: Console, opened: Screens) -> None:
    """What the platforms' own screens show in the end."""
    console.print("\n平台页面所见 / what the platforms' own screens show:")
    for one in screens.shown(opened):
        told = " → ".join(dict.fromkeys(one.told))
        console.print(
            f"    {one.platform} {one.number} {one.status} {one.award}  {told}", highlight=False, soft_wrap=True
        )


def _said(answer: int | dict[str, int]) -> str:
    return str(answer) if isinstance(answer, int) else ", ".join(f"{name} {count}" for name, count in answer.items())


def _show(console: Console, told: Told, rows: list[story.Row], seconds: float) -> None:
    names = {profile.tenant: profile.zh for profile in load_tenants()}
    shown = Table(title=f"结果（金额：元） / result, amounts in yuan — {seconds:.1f} s")
    shown.add_column("区域\ntenant")
    for title in _COLUMNS:
        shown.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        figures = (row.claims, row.refused, row.saved, row.awarded, row.paid, row.in_review, row.waiting)
        shown.add_row(f"{names[row.tenant]}\n{row.tenant}", *(str(figure) for figure in figures))
    console.print(shown)
    for batch in told.batches:
        _show_batch(console, told, batch)
    if told.caught is not None:
        console.print(f"\n一笔被拦下的重复申请 / one duplicate that was caught: {told.caught['claim_no']}")
        for finding in told.caught["assessment"]["findings"]:
            if finding["verdict"] == "reject":
                console.print(f"    {finding['rule']}: {finding['message']} 〔{finding['cite']}〕", highlight=False)


_COLUMNS: Final = (
    "申请\nclaims", "重复驳回\nduplicates", "避免支出\nsaved", "核定\nawarded", "已签发拨付\npaid", "审核中\nin review",
    "待补正/挂起\nwaiting",
)  # fmt: skip


def _show_batch(console: Console, told: Told, batch: dict[str, Any]) -> None:
    number = batch["batch_no"]
    found = told.differences[number]
    verdict = "离线验证通过 / verified offline" if found == 0 else f"{found} 处差异 / differences"
    figures = f"{batch['count']} 笔 / claims，{batch['total']} 元"
    console.print(f"批次 {number}（{batch['tenant']} {batch['mode']}）：{figures}，{verdict}", highlight=False)
    for path in sorted(told.folders[number].iterdir()):
        console.print(f"    {path}", highlight=False, soft_wrap=True)


def _show_what_to_try(console: Console, told: Told, people: People, address: str) -> None:
    """Lines to copy: one spending through two platforms, the public notice, and the offline check."""
    console.print("\n试一试：同一张发票先后经两个平台提交 / try: one invoice through two platforms")
    for platform, name in (("jssic", "first"), ("delta", "second")):
        token = people.platforms[platform].token
        body = DUPLICATE / f"{name}.json"
        console.print(
            f"    curl -s -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' "
            f"--data @{body} {address}/v1/claims",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    batch = told.batches[0]
    folder = told.folders[batch["batch_no"]]
    console.print("公示页与离线验证 / the public notice, and the offline check:")
    console.print(f"    {address}{batch['notice']}", highlight=False, soft_wrap=True)
    jwks = folder.parent / f"{batch['tenant']}-jwks.json"
    console.print(f"    ./run verify-batch {folder} --jwks {jwks}", highlight=False, soft_wrap=True)


def _show_logins(console: Console, folder: Path, address: str) -> None:
    """The console's address, and how each role signs in."""
    password, logins = open_accounts(folder, tenant_codes())
    console.print(f"\n控制台 / the console: [bold]{address}/console[/bold]  密码 / password: [bold]{password}[/bold]")
    console.print("动态码 / the code of the moment: ./run user code SECRET", highlight=False)
    for login, role, secret in logins:
        console.print(f"    {login:<10}{role:<20}{secret}", highlight=False, soft_wrap=True)
    for line in MONTH:
        console.print(line, highlight=False, soft_wrap=True)


def _creator(folder: Path) -> Callable[[str | None, tuple[str, ...], tuple[str, ...], str | None], tuple[str, str]]:
    """Makes clients as ``clearing client create`` does, beside the running service."""
    addresses = addresses_of(folder)
    if addresses is None:
        raise RuntimeError(f"the servers of {folder} are not running")
    engine = open_engine(addresses.app_url)

    def create(
        platform: str | None, tenants: tuple[str, ...], scopes: tuple[str, ...], person: str | None
    ) -> tuple[str, str]:
        with engine.begin() as connection:
            made = create_client(connection, platform, tenants, scopes, person, SystemClock().now())
        return made.client_id, made.client_secret

    return create


def _fresh_folder(folder: Path) -> Path:
    """An empty folder; an earlier demonstration's is removed, anything else is left alone.

    Raises:
        SystemExit: the folder is there and holds no demonstration, or one that is still running.
    """
    if folder.exists():
        if not (folder / MARK).exists():
            sys.exit(
                f"{folder}: 不是演示文件夹，请换一个 --data-dir / not a demonstration's folder; name another --data-dir"
            )
        if addresses_of(folder) is not None:
            sys.exit(f"{folder}: 演示仍在运行 / a demonstration is still running there")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).write_text("演示数据，可删除 / demonstration data, may be deleted\n", encoding="utf-8")
    return folder.resolve()


@contextmanager
def _service(folder: Path, bind: tuple[str, int], address: str) -> Iterator[subprocess.Popen[bytes]]:
    """``clearing serve`` in a process of its own, ready to be called, ended with this block."""
    command = [sys.executable, "-m", "clearing", "--data-dir", str(folder), "serve"]
    command += ["--bind", f"{bind[0]}:{bind[1]}", "--demo-clock", BEGINS]
    with subprocess.Popen(command, env=os.environ, start_new_session=True) as service:
        try:
            _until_ready(service, address)
            yield service
        finally:
            if service.poll() is None:
                service.send_signal(signal.SIGTERM)
                service.wait(STOP_SECONDS)


def _until_ready(service: subprocess.Popen[bytes], address: str) -> None:
    pool = urllib3.PoolManager()
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if service.poll() is not None:
            sys.exit(service.returncode or 1)
        try:
            answer = pool.request("GET", f"{address}/readyz", retries=False, timeout=2)
        except urllib3.exceptions.HTTPError:
            time.sleep(0.1)
            continue
        if answer.status == 200 and json.loads(answer.data)["status"] == "ready":  # noqa: PLR2004 - OK
            return
        time.sleep(0.1)
    sys.exit(f"服务在 {READY_SECONDS} 秒内未就绪 / the service was not ready within {READY_SECONDS} s")


def _wait(service: subprocess.Popen[bytes]) -> None:
    try:
        service.wait()
    except KeyboardInterrupt:
        return
