"""A real `clearing serve` on a data folder of its own, and clients that call it over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import urllib3

from clearing.embedded import addresses_of
from tenants.credentials import create_client
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import open_engine
from tenants.principal import PLATFORM_SCOPES, READER_SCOPES
from tenants.profile import tenant_codes

DEMO_CLOCK: Final = "2024-09-27T09:00:00+08:00"
READY_SECONDS: Final = 60
CALL_SECONDS: Final = 60
STOP_SECONDS: Final = 10
PATIENCE_SECONDS: Final = 60
"""Longer than any wait on a busy machine; only a failure waits so long."""
POLL_SECONDS: Final = 0.02
PLATFORM_TENANTS: Final = {
    "jssic": ("jiangsu",),
    "delta": ("qingpu", "wujiang", "jiashan", "maanshan"),
    "shanxi-inno": ("shanxi-hainan",),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; ``json`` of an empty body fails."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        return str(self.json["code"])


@dataclass(slots=True)
class Api:
    """A caller of one service; with an id and secret it gets its token when it first needs one."""

    address: str
    client_id: str | None = None
    client_secret: str = ""
    scope: str | None = None
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=CALL_SECONDS))
    token: str | None = None

    def get(self, path: str, **headers: str) -> Reply:
        """A `GET`."""
        return self.call("GET", path, None, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        """A `POST` of JSON, or of nothing."""
        return self._send("POST", path, body, headers)

    def put(self, path: str, body: Any, **headers: str) -> Reply:
        """A `PUT` of JSON."""
        return self._send("PUT", path, body, headers)

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """One call; header names are written with `_` for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.client_id is not None and "Authorization" not in given:
            given["Authorization"] = f"Bearer {self.token or self.sign_in()}"
        answer = self.pool.request(method, f"{self.address}{path}", body=body, headers=given)
        return Reply(answer.status, answer.headers, answer.data)

    def sign_in(self) -> str:
        """A new token, which the next calls use."""
        answer = self.ask_token()
        assert answer.status == 200, answer
        self.token = str(answer.json["access_token"])
        return self.token

    def ask_token(self, secret: str | None = None, **more: str) -> Reply:
        """What the token endpoint answers."""
        basic = f"{self.client_id}:{self.client_secret if secret is None else secret}"
        form = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {}) | more
        answer = self.pool.request(
            "POST",
            f"{self.address}/oauth/token",
            fields=form,
            encode_multipart=False,
            headers=urllib3.make_headers(basic_auth=basic),
        )
        return Reply(answer.status, answer.headers, answer.data)

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
        if body is None:
            return self.call(method, path, None, **headers)
        text = json.dumps(body, ensure_ascii=False).encode()
        return self.call(method, path, text, **{"Content_Type": "application/json", **headers})


class RunningService:
    """`clearing serve` as a process group of its own."""

    def __init__(self, data_dir: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.options = options
        self.environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None
        self.output = data_dir.with_name(f"{data_dir.name}.out")

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The keeper's process."""
        assert self.process is not None
        return self.process.pid

    @property
    def api(self) -> Api:
        """A caller without a token."""
        return Api(self.address)

    def begin(self) -> None:
        """Start the process without waiting for anything."""
        command = [*self._program(), "serve", "--bind", f"127.0.0.1:{self.port}", *self.options]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True, env=os.environ | self.environment
            )

    def start(self) -> float:
        """Start and wait until it can be used; how many seconds that took."""
        begun = time.monotonic()
        self.begin()
        self.wait_ready()
        return time.monotonic() - begun

    def wait_ready(self) -> None:
        """Wait until `/readyz` answers 200."""
        assert self.process is not None
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(POLL_SECONDS)

    def is_ready(self) -> bool:
        """Whether `/readyz` answers 200 now."""
        try:
            return self.api.get("/readyz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def stop(self) -> float:
        """Ask it to end, as an operator does; how many seconds that took."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_SECONDS)
        return time.monotonic() - begun

    def kill_all(self) -> None:
        """SIGKILL the whole group at once."""
        os.killpg(self.pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait(STOP_SECONDS)

    def end(self) -> None:
        """Leave nothing running, however the test ended."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill_all()

    def children(self, *words: str) -> list[psutil.Process]:
        """Descendants of the keeper whose command line holds all the words, or all of them."""
        found = []
        for process in psutil.Process(self.pid).children(recursive=True):
            try:
                if all(word in " ".join(process.cmdline()) for word in words):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def part(self, name: str) -> psutil.Process:
        """The living process of one part, such as `worker`, waited for where it was just killed."""
        found: psutil.Process = until(lambda: self._find(name))
        return found

    def _find(self, name: str) -> psutil.Process | None:
        living = {process.pid: process for process in self.children("clearing.nursery")}
        for line in reversed(self.log()):
            if line.get("process") == name and line.get("pid") in living:
                return living[line["pid"]]
        return None

    def log(self) -> list[dict[str, Any]]:
        """The whole lines of the service's log; the last may still be on its way."""
        whole = (self.data_dir / "logs" / "service.jsonl").read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command on the same data folder."""
        done = subprocess.run([*self._program(), *arguments], capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    def client_by_command(self, *arguments: str) -> Api:
        """A caller with a new client that `clearing client create` made with these options."""
        made = json.loads(self.run("client", "create", "--json", *arguments).stdout)
        return Api(self.address, made["client_id"], made["client_secret"])

    def platform(self, code: str, *tenants: str, scopes: tuple[str, ...] = PLATFORM_SCOPES) -> Api:
        """A platform's caller, for its own tenants unless others are named."""
        return self._client(code, tenants or PLATFORM_TENANTS[code], scopes, None)

    def staff(self, person: str, *scopes: str, tenants: tuple[str, ...] = ()) -> Api:
        """A person's caller, for all tenants unless some are named."""
        everywhere = tenant_codes()
        return self._client(None, tenants or everywhere, scopes or READER_SCOPES, person)

    def _client(
        self, platform: str | None, tenants: tuple[str, ...], scopes: tuple[str, ...], person: str | None
    ) -> Api:
        """Made as the command makes it, without the second that a new process takes."""
        addresses = addresses_of(self.data_dir)
        assert addresses is not None
        engine = open_engine(addresses.app_url)
        with engine.begin() as connection:
            made = create_client(connection, platform, tenants, scopes, person, SystemClock().now())
        engine.dispose()
        return Api(self.address, made.client_id, made.client_secret)

    def _program(self) -> list[str]:
        return [sys.executable, "-m", "clearing", "--data-dir", str(self.data_dir)]


@contextmanager
def running(data_dir: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[RunningService]:
    """A started service, ended with the block."""
    service = RunningService(data_dir, *options, environment=environment)
    try:
        service.start()
        yield service
    finally:
        service.end()


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(seen: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """What ``seen`` answers as soon as it is true."""
    deadline = time.monotonic() + seconds
    while True:
        answer = seen()
        if answer:
            return answer
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
