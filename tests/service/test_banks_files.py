"""A bank's file over the wire: larger than any other request, from people who say who they are, a few at a time."""

import pytest

from clearing.web import LARGEST_BODY_BYTES
from tests.service.running import Api, RunningService

PATH = "/v1/tenants/jiangsu/batches/01a21cb9-e6c2-70cf-a861-51c115032184/statements"
LARGE = b"," * (LARGEST_BODY_BYTES + 4 * 2**20)


def test_a_file_larger_than_other_requests_reaches_the_application(jssic: Api) -> None:
    answer = jssic.call("POST", PATH, LARGE, Content_Type="application/octet-stream")
    assert (answer.status, answer.code) == (403, "scope.missing")


@pytest.mark.parametrize("path", ["/v1/claims", f"{PATH}/1", "/v1/tenants/jiangsu/batches/statements/x"])
def test_no_other_request_may_be_as_large(jssic: Api, path: str) -> None:
    answer = jssic.call("POST", path, LARGE, Content_Type="application/octet-stream")
    assert (answer.status, answer.code) == (413, "body.too_large")


def test_nobody_fills_the_disk_without_a_name(service: RunningService) -> None:
    answer = service.api.call("POST", PATH, LARGE, Content_Type="application/octet-stream")
    assert (answer.status, answer.code) == (413, "body.too_large")
