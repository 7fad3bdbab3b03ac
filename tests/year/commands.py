"""The desk by the command line: what is left of a year is explained, stated, verified, closed and exported."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from settlement.bank.simulator.answers import Entry, camt053
from tenants.kernel.money import Money
from tests.cli.commands import command as run_command
from tests.year.year import Year


def command(year: Year, *words: str, ok: int = 0) -> str:
    """What a command prints; it must end with the exit code."""
    return run_command(year.story, *words, ok=ok)


def walk(year: Year, folder: Path) -> None:
    """A fee of the bank's is explained by two people; a month is looked at, exported and closed; a batch verified."""
    tenant = year.tenants[0]
    mine = ("--tenant", tenant)
    closed = json.loads(command(year, "batch", "list", *mine, "--state", "closed", "--json"))["items"]
    [batch] = [each for each in closed if each["count"]][:1]
    _explain_a_fee(year, mine, batch)
    statement, lines, keys = folder / "statement.jws", folder / "lines.jsonl", folder / "jwks.json"
    number = ("--batch", batch["batch_no"])
    command(year, "batch", "settlement", *mine, *number, "--lines", str(lines), "--statement", str(statement))
    keys.write_bytes(year.story.app.test_client().get(f"/.well-known/jwks/{tenant}.json").data)
    verify = ("batch", "verify-statement", str(statement), "--jwks", str(keys), "--lines", str(lines))
    command(year, *verify)
    lines.write_bytes(lines.read_bytes().replace(b'"paid"', b'"open"'))
    assert "sha256" in command(year, *verify, ok=1)
    again = json.loads(command(year, "batch", "close", *mine, *number, "--person", "钱会"))
    assert again["number"] == len(json.loads(_settlement(year, mine, number))["statements"]), "nothing has changed"
    name = f"{year.month_on:%Y-%m}"
    shown = json.loads(command(year, "month", "preview", *mine, name, "--json"))
    assert shown["state"] == "running"
    year.on(40, 2)  # the month is over
    made = json.loads(command(year, "month", "close", *mine, name, "--person", "钱会", "--json"))
    assert (made["state"], made["open"]["suspense"]["count"]) == ("closed", 0)
    months = json.loads(command(year, "month", "list", *mine, "--json"))["items"]
    assert months[0]["month"] == name
    for more in ((), ("--table", "differences")):
        out = folder / f"month{len(more)}"
        command(year, "month", "export", *mine, name, "--out", str(out), *more)
        assert out.stat().st_size > 0
    command(year, "month", "preview", *mine, name)


def _settlement(year: Year, mine: tuple[str, str], number: tuple[str, str]) -> str:
    return command(year, "batch", "settlement", *mine, *number, "--json")


def _explain_a_fee(year: Year, mine: tuple[str, str], batch: dict[str, Any]) -> None:
    payment = next(each for each in year.story.books.payments if each.message_id == batch["batch_no"])
    fee = replace(payment, end_to_end_id="A" * 26, amount=Money(1_234), name="手续费")
    account = year._account(mine[1])
    found = year.story.call("maker", "GET", f"/v1/tenants/{mine[1]}/batches?state=closed&limit=500").get_json()
    place = next(each for each in found["items"] if each["batch_no"] == batch["batch_no"])
    year.hand_in(place, camt053(account, [Entry(fee, is_credit=False, bank_reference="FEE")], year.month_on))
    [line] = json.loads(command(year, "suspense", "list", *mine, "--json", ok=1))["items"]
    where = f"{line['statement_id']}/{line['line']}"
    explain = ("suspense", "explain", *mine, "--person", "钱会", "--kind", "unrelated", "--reason", "手续费")
    for amount, decision in (("=2.34", "--refuse"), ("", "--approve")):
        made = json.loads(command(year, *explain, "--line", where + amount))
        decide = ("suspense", "decide", *mine, "--person", "孙放", made["id"], decision, "--reason", "已核")
        assert json.loads(command(year, *decide))["decided_by"] == "孙放"
    command(year, "suspense", "list", *mine)
