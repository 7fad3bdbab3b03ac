"""What every answer keeps: problems in two languages, numbers, headers, limits."""

import http.client
import json
import re

import pytest

from clearing.app import MAX_BODY_BYTES
from clearing.web import LARGEST_BODY_BYTES
from tests.service.running import Api, RunningService

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def test_a_problem_is_chinese_unless_english_is_asked_for(service: RunningService) -> None:
    chinese = service.api.get("/v1/nowhere")
    english = service.api.get("/v1/nowhere", Accept_Language="en-GB,en;q=0.9")
    assert (chinese.status, chinese.code) == (404, "not_found")
    assert chinese.json["title"] == "不存在"
    assert english.json["title"] == "Not found"
    assert english.code == chinese.code
    assert set(chinese.json) == {"type", "title", "status", "code", "detail"}


def test_a_method_that_is_not_allowed_says_which_are(service: RunningService) -> None:
    answer = service.api.call("DELETE", "/v1/claims")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "POST"}


def test_a_given_request_id_comes_back_and_a_strange_one_is_replaced(service: RunningService) -> None:
    assert service.api.get("/healthz", X_Request_Id="order-66.a").headers["X-Request-Id"] == "order-66.a"
    for strange in ("x" * 65, "a b", "<script>", ""):
        assert UUID.fullmatch(service.api.get("/healthz", X_Request_Id=strange).headers["X-Request-Id"])


def test_a_trace_is_passed_on_and_an_invalid_one_is_not(service: RunningService) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert service.api.get("/v1/claims", traceparent=trace).headers["traceparent"] == trace
    assert (
        "traceparent" not in service.api.get("/healthz", traceparent="00-" + "0" * 32 + "-00f067aa0ba902b7-01").headers
    )
    assert any(line.get("trace") == trace for line in service.log())


@pytest.mark.parametrize("path", ["/v1/claims", "/healthz", "/v1/nowhere", "/v1/openapi.json"])
def test_every_answer_forbids_sniffing_framing_and_storing(service: RunningService, path: str) -> None:
    headers = service.api.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers


def test_another_content_type_is_refused(jssic: Api) -> None:
    answer = jssic.call("POST", "/v1/claims", b"{}", Content_Type="text/plain")
    assert (answer.status, answer.code) == (415, "content_type.unsupported")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a":1,"a":2}', b'{"a":NaN}', b"[" * 100_000])
def test_what_is_not_strict_json_is_malformed(jssic: Api, body: bytes) -> None:
    answer = jssic.call("POST", "/v1/claims", body, Content_Type="application/json")
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("size", [256 * 1024 + 1, MAX_BODY_BYTES + 1, LARGEST_BODY_BYTES + 1])
def test_a_body_over_its_limit_is_refused_as_a_problem(jssic: Api, size: int) -> None:
    answer = jssic.call("POST", "/v1/claims", b" " * size, Content_Type="application/json")
    assert answer.status == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_header_over_its_limit_is_refused_as_a_problem(service: RunningService) -> None:
    answer = service.api.get("/healthz", X_Long="x" * 100_000)
    assert (answer.status, answer.code) == (431, "header.too_large")


def test_what_is_not_http_is_refused_as_a_problem(service: RunningService) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    connection.putrequest("POST", "/v1/claims", skip_accept_encoding=True)
    connection.putheader("Content-Length", "-5")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 400
    assert json.loads(answer.read())["code"] == "request.malformed"


def test_an_unknown_query_parameter_is_refused_by_name(jssic: Api) -> None:
    answer = jssic.get("/v1/claims?colour=red")
    assert answer.status == 422
    assert answer.json["errors"][0]["pointer"] == "/colour"


def test_the_log_names_requests_and_holds_no_token(service: RunningService, jssic: Api) -> None:
    answer = jssic.get("/v1/claims", X_Request_Id="logged-request")
    assert answer.status == 200
    line = next(line for line in service.log() if line.get("request_id") == "logged-request")
    assert line["route"] == "/v1/claims"
    assert line["client"] == jssic.client_id
    text = json.dumps(service.log())
    assert str(jssic.token) not in text
    assert jssic.client_secret not in text
