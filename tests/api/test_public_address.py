"""The address that signatures are made for: the operator's word behind a proxy, and never what a request names."""

import pytest
from flask import Flask

from clearing.api.address import PUBLIC_URL, public_url


@pytest.mark.parametrize(
    ("named", "called", "wanted"),
    [
        ("https://clearing.example/", "http://10.0.0.7:8000", "https://clearing.example"),
        ("https://clearing.example", "http://evil.example", "https://clearing.example"),
        (None, "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        (None, "http://evil.example", None),
        (None, "http://127.0.0.1.evil.example", None),
    ],
)
def test_the_operators_word_holds(
    monkeypatch: pytest.MonkeyPatch, named: str | None, called: str, wanted: str | None
) -> None:
    if named is None:
        monkeypatch.delenv(PUBLIC_URL, raising=False)
    else:
        monkeypatch.setenv(PUBLIC_URL, named)
    with Flask("test").test_request_context("/v1/claims", base_url=called):
        assert public_url() == wanted
