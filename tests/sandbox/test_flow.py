"""A platform's samples through a sandbox, and everything that it hands out says what it is."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from clearing.cli.conformance import conformance
from clearing.embedded import addresses_of
from clearing.verification.examination import row_differences
from clearing.verification.snapshot import Snapshot
from connectors.conformance import check_sandbox
from connectors.conformance.check import Result, State
from connectors.conformance.sandbox import CHECKS
from settlement.offline import verify_batch
from tenants.instance import BAND, HEADER, SANDBOX
from tests.intake.bodies import Body, claim
from tests.sandbox.conftest import Keys
from tests.scenarios.receiver import listening
from tests.service.running import RunningService, until


@contextmanager
def real_instance(asked: list[str]) -> Iterator[str]:
    """A server that answers as a real instance does, and notes what it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = b'{"environment":"real","status":"ready"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def lines(*samples: Body) -> bytes:
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in samples).encode()


def walked(service: RunningService, keys: Keys, samples: bytes) -> list[Result]:
    return list(check_sandbox(service.address, keys.content, "jssic", samples))


@pytest.fixture(scope="module")
def walk(sandbox: RunningService, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What finance downloads after a walk through the sandbox in which everything was as it should be."""
    results = walked(sandbox, keys, lines(claim(), claim()))
    assert [(one.check, one.state) for one in results] == [(check, State.PASSED) for check in CHECKS]
    folder, maker = tmp_path_factory.mktemp("files"), keys.staff("maker")
    batch_id = maker.get("/v1/tenants/jiangsu/batches").json["items"][0]["id"]
    batch = maker.get(f"/v1/tenants/jiangsu/batches/{batch_id}").json
    for file in batch["files"]:
        (folder / file["name"]).write_bytes(maker.get(file["href"]).body)
    return folder


def test_the_files_of_a_batch_say_that_nothing_is_to_be_paid_and_still_verify(walk: Path, keys: Keys) -> None:
    jwks = keys.staff("maker").get("/.well-known/jwks/jiangsu.json").json
    assert jwks["environment"] == SANDBOX
    assert verify_batch(walk, jwks) == []
    assert json.loads((walk / "manifest.json").read_bytes())["environment"] == SANDBOX
    for name in ("pain.001.xml", "payouts.csv"):
        assert "【沙箱测试·勿付】" in (walk / name).read_text(encoding="utf-8-sig")


def test_every_page_bears_the_band_in_both_languages_and_every_answer_the_header(sandbox: RunningService) -> None:
    for path in ("/console/sign-in", "/console", "/notices", "/docs", "/console/nothing-here"):
        page = sandbox.api.get(path)
        assert page.headers[HEADER] == SANDBOX
        if page.headers["Content-Type"].startswith("text/html") and page.status not in range(300, 400):
            assert BAND.zh in page.body.decode(), path
            assert BAND.en in page.body.decode(), path
    for reply in (sandbox.api.get("/healthz"), sandbox.api.get("/v1/claims"), sandbox.api.get("/" + "a" * 60_000)):
        assert reply.headers[HEADER] == SANDBOX
    assert sandbox.api.get("/readyz").json == {"status": "ready", "environment": SANDBOX}


def test_the_band_is_printed(sandbox: RunningService) -> None:
    page = sandbox.api.get("/console/sign-in").body.decode()
    href = re.search(r'href="([^"]*console\.css[^"]*)"', page)
    assert href is not None
    style = sandbox.api.get(href[1]).body.decode()
    printed = style[style.index("@media print") :]
    assert ":root:has(.sandbox-band) { page: sandbox; }" in printed
    assert re.search(r"@page sandbox \{[^{}]*@top-center \{ content: \"沙箱", style), "each sheet's margin has it"


def test_a_webhook_says_that_it_comes_from_a_sandbox(keys: Keys) -> None:
    platform = keys.platform("jssic")
    with listening() as receiver:
        answer = platform.post("/v1/webhooks", {"url": receiver.address, "tenant": "jiangsu"})
        assert answer.status == 201, answer
        assert platform.post("/v1/claims", claim()).status == 201
        told = until(lambda: list(receiver.told))[0]
    assert told.body["environment"] == SANDBOX
    assert told.headers[HEADER] == SANDBOX


def test_each_fault_of_a_sample_is_named_at_its_line(sandbox: RunningService, keys: Keys) -> None:
    wrong = claim() | {"tenant": "wujiang"}
    found = [one for one in walked(sandbox, keys, lines(claim(), wrong)) if one.state == State.FAILED]
    assert [(one.check.name, one.place) for one in found] == [("sandbox.takes_samples", "第 2 行 / line 2 /tenant")]


def test_a_sample_that_is_not_granted_is_named_with_its_rule(sandbox: RunningService, keys: Keys) -> None:
    sample = claim()
    sample["enterprise"]["prior_year_revenue"] = "99999999999.00"
    results = walked(sandbox, keys, lines(sample))
    found = [one for one in results if one.state == State.FAILED]
    assert {one.check.name for one in found} == {"sandbox.approves"}
    assert all(one.place.startswith("第 1 行") for one in found)
    assert [one.state for one in results[-3:]] == [State.SKIPPED] * 3


def test_samples_are_never_sent_to_what_is_no_sandbox(keys: Keys) -> None:
    """The address is one that answers like a real instance: nothing but its readiness is asked for."""
    asked: list[str] = []
    with real_instance(asked) as address:
        results = list(check_sandbox(address, keys.content, "jssic", lines(claim())))
    assert results[0].state == State.FAILED
    assert {one.state for one in results[1:]} == {State.SKIPPED}
    assert asked == ["/readyz"]


def test_the_command_tells_of_keys_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("{}")
    (tmp_path / "samples").write_bytes(lines(claim()))
    done = CliRunner().invoke(
        conformance,
        ["--sandbox", "http://127.0.0.1:1", str(tmp_path / "keys"), "--samples", str(tmp_path / "samples"),
         "--platform", "jssic"],
    )  # fmt: skip
    assert done.exit_code == 2
    assert "test-keys.json" in done.output


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("update instance set mark = 'real'", "instance/mark"),
        ("delete from instance", "instance"),
        (
            "update client set client_id = 'jssic-00' where platform = 'wujiang-local'",
            "client/jssic-00",
        ),
    ],
)
def test_a_mark_that_was_changed_past_all_triggers_is_found(
    sandbox: RunningService, statement: str, place: str
) -> None:
    addresses = addresses_of(sandbox.data_dir)
    assert addresses is not None
    url = make_url(addresses.owner_url)
    given = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    with psycopg.connect(**given) as owner:
        owner.execute("alter table instance disable trigger user")
        owner.execute(statement)
        found = list(row_differences(Snapshot(owner), sandbox.data_dir / "secrets", None))
        owner.rollback()
    assert place in {one.place for one in found}
