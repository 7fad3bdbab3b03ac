"""Health, readiness, figures and the description of the interface."""

from pathlib import Path

from openapi_spec_validator import validate

from tests.service.running import Api, RunningService, running


def test_the_service_is_live_and_ready(service: RunningService) -> None:
    assert service.api.get("/healthz").json == {"status": "ok"}
    assert service.api.get("/readyz").json == {"status": "ready", "environment": "real"}


def test_the_figures_count_requests_of_all_processes_by_route(service: RunningService) -> None:
    for _ in range(20):
        service.api.get("/v1/claims/00000000-0000-7000-8000-000000000000")
    text = service.api.get("/metrics").body.decode()
    series = 'clearing_http_request_seconds_count{method="GET",route="/v1/claims/<uuid:claim_id>",status="401"}'
    counted = next(line for line in text.splitlines() if line.startswith(series))
    assert float(counted.split()[-1]) >= 20
    assert "clearing_database_up 1.0" in text
    assert "00000000-0000-7000-8000-000000000000" not in text


def test_the_description_is_valid_openapi_and_names_every_call(service: RunningService) -> None:
    description = service.api.get("/v1/openapi.json").json
    validate(description)
    assert description["openapi"].startswith("3.1")
    assert {"/v1/claims", "/v1/claims/bulk", "/v1/events", "/v1/demo/clock"} <= set(description["paths"])


def test_the_documentation_comes_whole_from_the_service(service: RunningService) -> None:
    page = service.api.get("/docs")
    assert page.status == 200
    assert b"http" not in page.body.replace(b"http-equiv", b"")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert f"/docs/{name}".encode() in page.body
        assert service.api.get(f"/docs/{name}").status == 200
    assert service.api.get("/docs/../../etc/passwd").status == 404
    assert service.api.get("/docs/..%2f..%2fpyproject.toml").status == 404


def test_outside_demonstration_mode_there_is_no_demonstration_clock(place: Path) -> None:
    with running(place / "data") as real:
        operator = real.staff("operator-chen", "clearing:operate")
        assert operator.get("/v1/demo/clock").code == "not_found"
        assert operator.put("/v1/demo/clock", {"now": "2030-01-01T00:00:00+08:00"}).code == "not_found"
        assert "/v1/demo/clock" not in real.api.get("/v1/openapi.json").json["paths"]
        policies = real.staff("auditor-sun").get("/v1/tenants/qingpu/schemes/delta/policies").json["items"]
        assert [policy["version"] for policy in policies] == ["qingpu/delta/2021-01-09"]


def test_open_calls_are_limited_for_each_address(place: Path) -> None:
    with running(place / "data", "--web-processes", "1") as service:
        client = service.staff("auditor-sun")
        answers = [client.ask_token(secret="guessed") for _ in range(1300)]
    assert {answer.status for answer in answers} == {401, 429}
    last = answers[-1]
    assert last.code == "rate.exceeded"
    assert int(last.headers["Retry-After"]) > 0


def test_a_client_sees_the_events_of_its_own_platform_only(service: RunningService, jssic: Api) -> None:
    assert service.staff("auditor-sun").get("/v1/events").code == "platform.missing"
    assert jssic.get("/v1/events?after=-1").status == 422
    assert jssic.get("/v1/events?after=x").status == 422
