"""``oidc.toml``: what it says is taken as it is meant, and a fault in it is named before anybody signs in."""

from pathlib import Path

import pytest

from clearing.oidc.settings import FRESH_SECONDS, ProviderSettingsError, read_providers
from tenants.kernel.errors import Text

WHOLE = """
[gov]
issuer = "https://id.example/realms/office"
client_id = "clearing"
client_secret_file = "secret"
zh = "统一身份认证"
en = "Single sign-on"
"""


def read(folder: Path, text: str) -> object:
    path = folder / "oidc.toml"
    path.write_text(text, encoding="utf-8")
    return read_providers(path)


def test_without_a_file_there_is_no_provider(tmp_path: Path) -> None:
    assert read_providers(tmp_path / "oidc.toml") == {}


def test_what_is_left_out_is_the_strict_choice(tmp_path: Path) -> None:
    (tmp_path / "oidc.toml").write_text(WHOLE, encoding="utf-8")
    found = read_providers(tmp_path / "oidc.toml")["gov"]
    assert (found.claim, found.algorithm, found.replaces_code) == ("preferred_username", "RS256", False)
    assert (found.title, found.secret_file) == (Text("统一身份认证", "Single sign-on"), tmp_path / "secret")
    assert found.vouches_for(("jiangsu", "wujiang"))


def test_a_provider_of_some_tenants_vouches_for_accounts_of_no_other(tmp_path: Path) -> None:
    (tmp_path / "oidc.toml").write_text(WHOLE + 'tenants = ["jiangsu"]', encoding="utf-8")
    found = read_providers(tmp_path / "oidc.toml")["gov"]
    assert found.vouches_for(("jiangsu",))
    assert not found.vouches_for(("jiangsu", "wujiang"))


def test_a_proof_that_stands_for_the_code_has_to_be_fresh(tmp_path: Path) -> None:
    (tmp_path / "oidc.toml").write_text(WHOLE + 'amr = ["otp"]\nreplaces_code = true', encoding="utf-8")
    assert read_providers(tmp_path / "oidc.toml")["gov"].max_age_seconds == FRESH_SECONDS


FAULTS = {
    "not TOML": ("[gov", "oidc.toml"),
    "no table": ('gov = "x"', "gov"),
    "a name with a slash": (WHOLE.replace("[gov]", '["a/b"]'), "a/b"),
    "an unknown member": (WHOLE + 'colour = "red"', "no member but"),
    "no issuer": (WHOLE.replace("issuer", "client_id", 1).replace('client_id = "clearing"\n', ""), "gov.issuer"),
    "an issuer without TLS": (WHOLE.replace("https", "http"), "https"),
    "an issuer with a query": (WHOLE.replace("office", "office?x=1"), "query"),
    "an issuer with a user": (WHOLE.replace("https://", "https://a:b@"), "gov.issuer"),
    "an issuer that is a file": (WHOLE.replace("https://id.example", "file://"), "gov.issuer"),
    "an empty title": (WHOLE.replace("统一身份认证", " "), "gov.zh"),
    "a title that is a number": (WHOLE.replace('"Single sign-on"', "7"), "gov.en"),
    "no way to show ourselves": (WHOLE.replace('client_secret_file = "secret"', ""), "private_key_file"),
    "two ways to show ourselves": (WHOLE + 'private_key_file = "key"', "private_key_file"),
    "a shared secret's algorithm": (WHOLE + 'algorithm = "HS256"', "gov.algorithm"),
    "no algorithm": (WHOLE + 'algorithm = "none"', "gov.algorithm"),
    "a proof that proves nothing": (WHOLE + "replaces_code = true", "gov.replaces_code"),
    "a proof that is a text": (WHOLE + 'acr = ["x"]\nreplaces_code = "yes"', "gov.replaces_code"),
    "an empty requirement": (WHOLE + "amr = []", "gov.amr"),
    "a requirement with a space": (WHOLE + 'acr = ["a b"]', "gov.acr"),
    "no tenants": (WHOLE + "tenants = []", "gov.tenants"),
    "an age of nothing": (WHOLE + "max_age_seconds = 0", "gov.max_age_seconds"),
    "an age that is true": (WHOLE + "max_age_seconds = true", "gov.max_age_seconds"),
    "one issuer twice": (WHOLE + WHOLE.replace("[gov]", "[other]"), "two providers"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(tmp_path: Path, fault: str) -> None:
    text, named = FAULTS[fault]
    with pytest.raises(ProviderSettingsError, match=named):
        read(tmp_path, text)
