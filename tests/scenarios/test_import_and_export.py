"""Files in and out by the command line, on a running service: what is refused comes back, corrected it goes in."""

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.connectors.sheets import TITLES, column, grid_of, rows_in, write_csv, write_xlsx
from tests.intake.bodies import WUJIANG, Body, claim, invoice_number
from tests.scenarios.callers import Callers
from tests.service.running import Api, RunningService

ON = date(2024, 9, 27)
REFUSED = 1


@pytest.fixture(scope="module")
def platform(callers: Callers) -> Api:
    return callers.platform("delta", "wujiang")


def imported(service: RunningService, platform: Api, path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    done = service.run("import", str(path), "--client", str(platform.client_id), "--json", *options, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def sheet_claim() -> Body:
    body = claim(WUJIANG, on=ON)
    for invoice in body["invoices"]:
        invoice.pop("seller_uscc", None)
        invoice.pop("buyer_uscc", None)
    body["provider"]["qualifications"] = []
    return body


def write_ndjson(path: Path, *lines: Any) -> Path:
    text = "\n".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in lines)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def stored(platform: Api, body: Body) -> list[Any]:
    found: list[Any] = platform.get(f"/v1/claims?external_id={body['external_id']}").json["items"]
    return found


def test_ndjson_goes_in_and_its_refused_lines_come_back_to_be_corrected(
    service: RunningService, platform: Api, tmp_path: Path
) -> None:
    good, bad, foreign = claim(WUJIANG, on=ON), claim(WUJIANG, on=ON), claim(on=ON)
    amount, bad["invoices"][0]["amount"] = bad["invoices"][0]["amount"], "1e4"
    path = write_ndjson(tmp_path / "claims.ndjson", good, "", '{"external_id": "cut', bad, good, foreign)
    code, told = imported(service, platform, path)
    assert (code, told["read"], told["stored"], told["stored_before"], told["refused"]) == (REFUSED, 5, 1, 1, 3)
    back = [json.loads(line) for line in Path(told["errors"]).read_text(encoding="utf-8").splitlines()]
    assert [line["line"] for line in back] == [3, 4, 6]
    assert back[0]["record"] == '{"external_id": "cut'
    assert back[1]["problem"]["errors"][0]["pointer"] == "/invoices/0/amount"
    assert back[2]["problem"]["errors"][0]["pointer"] == "/tenant"
    back[1]["record"]["invoices"][0]["amount"] = amount
    code, told = imported(service, platform, write_ndjson(tmp_path / "again.ndjson", back[1]))
    assert (code, told["stored"], told["refused"], told["errors"]) == (0, 1, 0, None)
    assert [len(stored(platform, body)) for body in (good, bad, foreign)] == [1, 1, 0]
    again_code, again = imported(service, platform, path)
    assert (again_code, again["stored"], again["stored_before"]) == (REFUSED, 0, 2)


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_a_worksheet_goes_in_and_its_refused_rows_come_back_with_what_is_wrong(
    service: RunningService, platform: Api, tmp_path: Path, ending: str
) -> None:
    good, bad = sheet_claim(), sheet_claim()
    grid = grid_of(good, bad)
    place = len(grid_of(good))
    right, grid[place][column("发票号码")] = grid[place][column("发票号码")], "2.4322E+19"
    path = tmp_path / f"claims.{ending}"
    if ending == "xlsx":
        write_xlsx(path, grid)
    else:
        write_csv(path, grid, "gb18030")
    code, told = imported(service, platform, path)
    assert (code, told["stored"], told["refused"], told["states"]) == (REFUSED, 1, 1, {"in_review": 1})
    back = [[cell.text for cell in row.cells] for row in rows_in(Path(told["errors"]))]
    assert "15 位" in back[1][len(TITLES) + 1]
    back[1][column("发票号码")] = right
    again = tmp_path / f"again.{ending}"
    (write_xlsx if ending == "xlsx" else write_csv)(again, back)
    code, told = imported(service, platform, again)
    assert (code, told["stored"], told["refused"]) == (0, 1, 0)
    assert [len(stored(platform, body)) for body in (good, bad)] == [1, 1]


def test_support_records_go_in_from_a_file_and_block_their_invoice(
    service: RunningService, callers: Callers, platform: Api, tmp_path: Path
) -> None:
    local, body, number = callers.platform("wujiang-local", "wujiang"), claim(WUJIANG, on=ON), invoice_number()
    record = {
        "platform": "wujiang-local",
        "external_id": f"L-{number}",
        "tenant": "wujiang",
        "enterprise_uscc": body["enterprise"]["uscc"],
        "keys": [{"kind": "invoice", "value": number}],
        "supported_on": "2024-09-01",
    }
    path = write_ndjson(tmp_path / "records.ndjson", record, record, record | {"tenant": "jiangsu"}, {})
    code, told = imported(service, local, path, "--what", "support-records")
    assert (code, told["stored"], told["stored_before"], told["refused"]) == (REFUSED, 1, 1, 2)
    body["invoices"][0]["number"] = number
    assert platform.post("/v1/claims", body).json["state"] == "rejected"


def test_a_file_or_client_that_will_not_do_is_wrong_usage_and_nothing_goes_in(
    service: RunningService, callers: Callers, platform: Api, tmp_path: Path
) -> None:
    staff = callers.person("孙某", "claims:write")
    path = write_ndjson(tmp_path / "claims.ndjson", claim(WUJIANG, on=ON))
    other = write_ndjson(tmp_path / "claims.txt", claim(WUJIANG, on=ON))
    heading = write_csv(tmp_path / "wrong.csv", [["甲", "乙"], ["1", "2"]])
    for arguments, said in (
        ((str(path), "--client", str(staff.client_id)), "claims:write"),
        ((str(tmp_path / "absent.csv"), "--client", str(platform.client_id)), "absent.csv"),
        ((str(other), "--client", str(platform.client_id)), ".xlsx"),
        ((str(heading), "--client", str(platform.client_id)), "表头"),
    ):
        done = service.run("import", *arguments, check=False)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("ending", ["ndjson", "csv", "xlsx"])
def test_claims_are_exported_with_their_awards_and_masked_accounts(
    service: RunningService, platform: Api, tmp_path: Path, ending: str
) -> None:
    body = claim(WUJIANG, on=ON)
    assert platform.post("/v1/claims", body).status == 201
    path = tmp_path / f"claims.{ending}"
    encoding = ["--encoding", "gb18030"] if ending == "csv" else []
    told = json.loads(service.run("export", str(path), "--tenant", "wujiang", "--json", *encoding).stdout)
    text = path.read_bytes()
    assert body["payee"]["account_number"].encode() not in text
    if ending == "ndjson":
        found = {one["external_id"]: one["assessment"]["award"] for one in map(json.loads, text.splitlines())}
    else:
        if ending == "csv":
            rows = list(csv.reader(text.decode("gb18030").splitlines()))
        else:
            book = openpyxl.load_workbook(path, read_only=True)
            rows = [[str(cell or "") for cell in row] for row in book.worksheets[0].iter_rows(values_only=True)]
            book.close()
        found = {row[2]: row[rows[0].index("核定金额")] for row in rows[1:]}
    assert told["claims"] == len(found)
    assert found[body["external_id"]] == "3000.00"


def test_the_template_is_written_by_the_command_too(service: RunningService, tmp_path: Path) -> None:
    path = tmp_path / "template.xlsx"
    service.run("import", "--template", str(path))
    assert [cell.text for cell in rows_in(path)[0].cells] == TITLES
