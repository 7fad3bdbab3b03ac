"""A provider within a closed network: certified by an authority of its own, and held to the deadline under TLS too."""

import ipaddress
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask, Response
from werkzeug.serving import make_server

from clearing.oidc.provider import Provider
from clearing.oidc.refusal import AwayError
from clearing.oidc.settings import ProviderSettings
from clearing.webhooks.targets import TargetError, get, target_of
from tenants.kernel.clock import SystemClock
from tenants.kernel.errors import Text


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1, certified by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a closed network")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def address(certificate: Path) -> Iterator[str]:
    app = Flask("closed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
    issuer = f"https://127.0.0.1:{server.server_port}"
    ends = threading.Event()

    @app.get("/.well-known/openid-configuration")
    def metadata() -> dict[str, Any]:
        return {
            "issuer": issuer, "authorization_endpoint": f"{issuer}/a", "token_endpoint": f"{issuer}/t",
            "jwks_uri": f"{issuer}/k",
        }  # fmt: skip

    @app.get("/slow")
    def slow() -> Response:
        def drip() -> Iterator[bytes]:
            until = time.monotonic() + 60
            while time.monotonic() < until and not ends.is_set():
                yield b" "
                time.sleep(0.05)

        return Response(drip())

    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield issuer
    ends.set()
    server.shutdown()
    thread.join()
    server.server_close()


Made = Callable[[Path | None], Provider]


@pytest.fixture
def provider(address: str, tmp_path: Path) -> Made:
    def made(ca_file: Path | None) -> Provider:
        settings = ProviderSettings("gov", address, "clearing", Text("甲", "A"), secret_file=tmp_path, ca_file=ca_file)
        return Provider(settings, SystemClock())

    return made


def test_an_authority_of_its_own_certifies_it_where_the_operator_says_so(provider: Made, certificate: Path) -> None:
    assert provider(certificate).metadata().token_endpoint.endswith("/t")


def test_nobody_else_is_believed_to_be_it(provider: Made, tmp_path: Path) -> None:
    with pytest.raises(AwayError) as refused:
        provider(None).metadata()
    assert "CERTIFICATE_VERIFY_FAILED" in refused.value.reason
    with pytest.raises(AwayError):
        provider(tmp_path / "absent.pem").metadata()


def test_an_answer_that_drips_under_tls_is_cut_off_at_its_deadline(address: str, certificate: Path) -> None:
    target = replace(target_of(f"{address}/slow", demonstration=True), ca_file=certificate)
    with pytest.raises(TargetError, match="no answer within"):
        get(target, {}, 1_000_000, seconds=0.5)
