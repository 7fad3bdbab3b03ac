"""The conformance kit against good systems, and against systems with one fault each: the right check names it."""

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clearing.cli.conformance import conformance
from connectors.conformance import Report, as_html, as_json, as_text, check_outlet, check_receiver, check_samples
from connectors.conformance import outlet as of_outlet
from connectors.conformance import receiver as of_receiver
from connectors.conformance.check import Result, State
from connectors.pages import JSON, NDJSON
from connectors.record import read_record
from connectors.simulators.ear import Ear, Fault, ear_listening
from connectors.simulators.outlet import Manner, Outlet, outlet_serving
from connectors.webhook_signature import new_secret
from tenants.kernel.clock import SystemClock
from tests.connectors.forms import bodies, filled

TOKEN = "the-outlets-own-token"
SECRET = new_secret()
READ = partial(read_record, "jssic", "claims")
DEADLINE, QUICK = timedelta(milliseconds=900), timedelta(milliseconds=500)


def heard(fault: Fault) -> list[Result]:
    ear = Ear(SECRET, SystemClock(), fault, delay=timedelta(seconds=1) if fault == Fault.SILENT else QUICK * 1.2)
    with ear_listening(ear) as address:
        return list(check_receiver(address, SECRET, SystemClock(), DEADLINE, QUICK))


def pulled(manner: Manner, form: str = NDJSON) -> list[Result]:
    outlet = Outlet(TOKEN, page_size=5, form=form, delay=timedelta(seconds=1), always=manner)
    outlet.put(*bodies("jssic")[:9])
    with outlet_serving(outlet) as address:
        return list(check_outlet(address, TOKEN, READ, DEADLINE))


def wrong(results: Sequence[Result]) -> set[str]:
    return {one.check.name for one in results if one.state == State.FAILED}


def test_a_good_receiver_passes_every_check() -> None:
    results = heard(Fault.NONE)
    assert [(one.check, one.state) for one in results] == [(one, State.PASSED) for one in of_receiver.CHECKS]


@pytest.mark.parametrize("form", [NDJSON, JSON])
def test_a_good_outlet_passes_every_check(form: str) -> None:
    results = pulled(Manner.WELL, form)
    assert [(one.check, one.state) for one in results] == [(one, State.PASSED) for one in of_outlet.CHECKS]


RECEIVER_FAULTS = {
    Fault.SILENT: "reachable",
    Fault.REDIRECTS: "no_redirection",
    Fault.GONE: "not_gone",
    Fault.BREAKS: "no_server_error",
    Fault.WRONG_SECRET: "accepts",
    Fault.SLOW: "quick",
    Fault.BELIEVES_UNSIGNED: "refuses_unsigned",
    Fault.TAKES_OLD: "refuses_old",
    Fault.TAKES_FUTURE: "refuses_future",
    Fault.ONE_SIGNATURE: "several_signatures",
    Fault.REFUSES_TWICE: "takes_duplicates",
    Fault.REFUSES_LATE: "takes_late_messages",
    Fault.KNOWN_TYPES_ONLY: "ignores_unknown_types",
    Fault.KNOWN_MEMBERS_ONLY: "ignores_unknown_members",
    Fault.OWN_CLAIMS_ONLY: "takes_unknown_claims",
    Fault.CLAIMS_ONLY: "takes_payouts",
    Fault.ASCII_ONLY: "takes_chinese",
    Fault.SMALL_ONLY: "takes_large",
    Fault.ONE_AT_A_TIME: "takes_several_at_once",
}


@pytest.mark.parametrize(("fault", "check"), RECEIVER_FAULTS.items())
def test_a_receivers_fault_is_named_by_its_check_and_by_no_other(fault: Fault, check: str) -> None:
    results = heard(fault)
    assert wrong(results) == {f"receiver.{check}"}
    assert [one.check for one in results] == list(of_receiver.CHECKS)


@pytest.mark.parametrize("fault", [Fault.BELIEVES_ANY, Fault.SIGNS_NO_BODY])
def test_a_receiver_that_checks_no_signature_is_named_by_each_forgery_that_it_took(fault: Fault) -> None:
    forgeries = {"receiver.refuses_wrong_signature", "receiver.refuses_changed_body", "receiver.refuses_changed_id"}
    assert wrong(heard(fault)) == forgeries


OUTLET_FAULTS = {
    Manner.SLOW: "reachable",
    Manner.CUT: "reachable",
    Manner.MOVED: "no_redirection",
    Manner.ERROR: "opens_with_token",
    Manner.FORBIDDEN: "opens_with_token",
    Manner.HTML: "media_type",
    Manner.BROKEN: "whole_pages",
    Manner.TRUNCATED: "whole_pages",
    Manner.TOO_MANY: "keeps_limit",
    Manner.GREEDY: "keeps_limit",
    Manner.OPEN: "needs_token",
    Manner.FORGETFUL: "repeatable",
    Manner.STUCK: "cursor_moves",
    Manner.BACK: "cursor_never_returns",
    Manner.DOUBLING: "no_overlap",
    Manner.SKIPPING: "nothing_lost",
    Manner.ENDLESS: "ends",
    Manner.FORGIVING: "refuses_unknown_cursor",
}


@pytest.mark.parametrize(("manner", "check"), OUTLET_FAULTS.items())
def test_an_outlets_fault_is_named_by_its_check_and_by_no_other(manner: Manner, check: str) -> None:
    assert wrong(pulled(manner)) == {f"outlet.{check}"}


def test_an_outlet_in_another_character_set_than_it_says_is_named() -> None:
    assert wrong(pulled(Manner.UNREADABLE, JSON)) == {"outlet.encoding"}


def test_each_wrong_record_of_an_outlet_is_named_field_by_field() -> None:
    outlet = Outlet(TOKEN)
    order = filled("jssic", bodies("jssic")[0]) | {"订单编号": "CXQ1", "订单类型": "电话下单"}
    outlet.put(bodies("jssic")[1], order, b"<no json>")
    with outlet_serving(outlet) as address:
        found = [one for one in check_outlet(address, TOKEN, READ, DEADLINE) if one.state == State.FAILED]
    assert {one.check.name for one in found} == {"outlet.records"}
    assert {one.place.rpartition(" ")[2] for one in found} == {"/订单编号", "/订单类型", "3"}


def test_samples_are_read_as_the_service_reads_them() -> None:
    good, bad = bodies("jssic")[:2]
    lines = [good, bad | {"scheme": 7, "submitted_at": "gestern"}]
    content = "\n".join(json.dumps(one, ensure_ascii=False) for one in lines).encode() + b"\n\n{]\n"
    found = [one for one in check_samples(content, READ) if one.state == State.FAILED]
    places = ["第 2 行 / line 2 /scheme", "第 2 行 / line 2 /submitted_at", "第 4 行 / line 4"]
    assert [one.place for one in found] == places
    assert wrong(list(check_samples(b"\n", READ))) == {"samples.there"}
    assert wrong(list(check_samples(json.dumps(good).encode(), READ))) == set()


def test_the_report_says_in_both_languages_what_is_wrong_and_what_to_do() -> None:
    report = Report(heard(Fault.TAKES_OLD))
    [failure] = report.failures
    text, page, told = as_text(report), as_html(report), json.loads(as_json(report))
    for said in (failure.check.wants.zh, failure.check.next_step.zh, failure.check.next_step.en, failure.found.zh):
        assert said in text
        assert said in page
    assert (told["conforms"], told["failed"], told["skipped"]) == (False, 1, 0)
    assert [one["check"] for one in told["items"] if one["state"] == "failed"] == ["receiver.refuses_old"]


def test_every_check_has_its_words_and_its_name_once() -> None:
    every = (*of_receiver.CHECKS, *of_outlet.CHECKS)
    assert len({one.name for one in every}) == len(every)
    for one in every:
        assert all((one.wants.zh, one.wants.en, one.next_step.zh, one.next_step.en))


def test_one_command_checks_all_that_a_platform_has(tmp_path: Path) -> None:
    outlet = Outlet(TOKEN, always=Manner.FORGIVING)
    outlet.put(bodies("jssic")[0])
    secret, token, samples = (tmp_path / name for name in ("secret", "token", "samples"))
    secret.write_text(SECRET + "\n")
    token.write_text(TOKEN + "\n")
    samples.write_text(json.dumps(bodies("jssic")[1], ensure_ascii=False), encoding="utf-8")
    with ear_listening(Ear(SECRET, SystemClock())) as ear, outlet_serving(outlet) as other:
        options = ["--receiver", ear, str(secret), "--outlet", other, str(token), "--samples", str(samples)]
        options += ["--platform", "jssic", "--html", str(tmp_path / "report.html"), "--json"]
        done: Any = CliRunner().invoke(conformance, options, standalone_mode=False)
    told = json.loads(done.output)
    assert (done.return_value, told["failed"]) == (1, 1)
    assert [one["check"] for one in told["items"] if one["state"] == "failed"] == ["outlet.refuses_unknown_cursor"]
    assert "outlet.refuses_unknown_cursor" in (tmp_path / "report.html").read_text(encoding="utf-8")
