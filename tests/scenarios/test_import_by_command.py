"""`clearing import support-records` beside a running service: counts, reports, exit codes, and an end in the middle."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import Engine

from tests.imports.files import ndjson, record, table
from tests.scenarios.callers import Callers
from tests.service.running import RunningService


def command(service: RunningService, *arguments: object) -> list[str]:
    """The import as a shell runs it."""
    program = [sys.executable, "-m", "clearing", "--data-dir", str(service.data_dir)]
    return [*program, "import", "--what", "support-records", *map(str, arguments)]


def test_a_table_is_imported_with_its_reports(service: RunningService, callers: Callers, tmp_path: Path) -> None:
    client = callers.platform("wujiang-local", "wujiang", scopes=("support:write",)).client_id
    path = table(tmp_path / "records.csv", "gb18030", record(), record(), record(supported_on="2024-02-30"))
    arguments = (path, "--client", client, "--errors", tmp_path / "errors", "--json")
    done = subprocess.run(command(service, *arguments), capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["stored"], told["refused"], told["colliding"]) == (1, 2, 1, 0)
    [refused] = map(json.loads, (tmp_path / "errors").read_text(encoding="utf-8").splitlines())
    assert (refused["line"], refused["problem"]["errors"][0]["pointer"]) == (4, "/supported_on")
    again = json.loads(subprocess.run(command(service, *arguments), capture_output=True, text=True, check=False).stdout)
    assert (again["stored"], again["stored_before"]) == (0, 2)


def test_a_client_of_no_platform_or_without_the_scope_imports_nothing(
    service: RunningService, callers: Callers, tmp_path: Path
) -> None:
    path = ndjson(tmp_path / "records.ndjson", record())
    person = callers.person("钱某", "support:write").client_id
    reader = callers.platform("wujiang-local", "wujiang", scopes=("claims:read",)).client_id
    for client in (person, reader, "nobody"):
        done = subprocess.run(command(service, path, "--client", client), capture_output=True, text=True, check=False)
        assert (done.returncode, "--client" in done.stderr) == (2, True)


def test_an_import_that_is_killed_is_whole_once_it_has_run_again(
    service: RunningService, callers: Callers, auditor: Engine, tmp_path: Path
) -> None:
    client = callers.platform("wujiang-local", "wujiang", scopes=("support:write",)).client_id
    records = [record() for _ in range(5000)]
    path = ndjson(tmp_path / "records.ndjson", *records)
    ids = [one["external_id"] for one in records]
    counted = "select count(*), coalesce(sum(keys), 0)::bigint from support_record where external_id = any(%s)"

    def stored() -> tuple[int, int]:
        with auditor.connect() as connection:
            count, keys = connection.exec_driver_sql(counted, (ids,)).one()
            return count, keys

    with subprocess.Popen(
        command(service, path, "--client", client), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while stored() == (0, 0) and process.poll() is None:
            assert time.monotonic() < deadline, "nothing is imported"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    some = stored()[0]
    assert some > 0
    done = subprocess.run(
        command(service, path, "--client", client, "--json"), capture_output=True, text=True, check=False
    )
    told = json.loads(done.stdout)
    assert (told["stored"] + told["stored_before"], told["refused"]) == (5000, 0)
    assert told["stored_before"] >= some
    assert stored() == (5000, 5000)
