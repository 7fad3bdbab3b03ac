"""Which OpenID providers vouch for people at the console: ``oidc.toml`` beside the secrets.

One table for each provider; its name stands in the addresses::

    [jiangsu]
    issuer = "https://id.jiangsu.example/realms/office"
    client_id = "clearing"
    client_secret_file = "jiangsu-oidc-secret"  # or private_key_file = "jiangsu-oidc.pem" (private_key_jwt)
    claim = "preferred_username"                # the claim that names the login
    zh = "江苏省统一身份认证"
    en = "Jiangsu single sign-on"
    tenants = ["jiangsu"]                       # it vouches for accounts of no other tenant; of all where left out
    algorithm = "RS256"                         # of its ID tokens
    acr = ["urn:gov:loa:3"]                     # one of these is required, and asked for
    amr = ["otp"]                               # all of these are required
    replaces_code = true                        # what acr and amr say stands for our code; needs one of the two
    max_age_seconds = 300                       # how long ago the person may have proved who it is
    hosts = ["keys.jiangsu.example"]            # where its token endpoint and keys may be, beside the issuer's host
    ca_file = "gov-ca.pem"                      # who certifies its servers, where no public authority does

It stands outside the database, so that nobody who writes rows can let another provider in. The return address to be
registered with the provider is ``/console/sign-in/return`` under ``CLEARING_PUBLIC_URL``.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clearing.webhooks.targets import target_of
from tenants.kernel.errors import Invalid, Text

SETTINGS_FILE: Final = "oidc.toml"
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric ones only; the first is what OpenID Connect Registration 1.0 §2 registers by itself."""
FRESH_SECONDS: Final = 300
"""Where the provider's proof stands for ours, how old it may be unless the file says so."""

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)
_TEXTS: Final = ("issuer", "client_id", "zh", "en")
_LISTS: Final = ("tenants", "acr", "amr", "hosts")
_MEMBERS: Final = frozenset(
    {*_TEXTS, *_LISTS, "client_secret_file", "private_key_file", "claim", "algorithm", "replaces_code",
     "max_age_seconds", "ca_file"}
)  # fmt: skip
_LONGEST_AGE: Final = 86_400


class ProviderSettingsError(ValueError):
    """``oidc.toml`` cannot be used; the message names the provider and the member."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What the file says of one provider; ``tenants`` is ``None`` where it vouches for accounts of every tenant."""

    name: str
    issuer: str
    client_id: str
    title: Text
    claim: str = "preferred_username"
    secret_file: Path | None = None
    key_file: Path | None = None
    tenants: frozenset[str] | None = None
    algorithm: str = ALGORITHMS[0]
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()
    replaces_code: bool = False
    max_age_seconds: int | None = None
    hosts: tuple[str, ...] = ()
    ca_file: Path | None = None

    def vouches_for(self, tenants: tuple[str, ...]) -> bool:
        """Whether the provider may open an account that serves these tenants."""
        return self.tenants is None or self.tenants.issuperset(tenants)


Providers = Mapping[str, ProviderSettings]
"""By name; without any, people sign in by password."""


def read_providers(path: Path) -> Providers:
    """The providers of the file; none where there is no such file.

    Raises:
        ProviderSettingsError: it is not TOML, or a member is wrong.
    """
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProviderSettingsError(f"{path}: {error}") from error
    found = {name: _provider(name, given, path.parent) for name, given in content.items()}
    if len({each.issuer for each in found.values()}) != len(found):
        raise ProviderSettingsError(f"{path}: two providers with one issuer")
    return found


def _provider(name: str, given: Any, beside: Path) -> ProviderSettings:  # noqa: ANN401 - of a TOML file
    if not _NAME.fullmatch(name) or not isinstance(given, dict):
        raise ProviderSettingsError(f"{name}: a table whose name is made of small letters, digits and hyphens")
    if given.keys() - _MEMBERS:
        raise ProviderSettingsError(f"{name}: no member but {', '.join(sorted(_MEMBERS))}")
    texts = {member: _text(name, given, member) for member in _TEXTS}
    lists = {member: _list(name, given, member) for member in _LISTS}
    age = given.get("max_age_seconds")
    replaces = given.get("replaces_code", False)
    if type(replaces) is not bool or (replaces and not (lists["acr"] or lists["amr"])):
        raise ProviderSettingsError(f"{name}.replaces_code: true or false; true only where acr or amr is required")
    if age is not None and (type(age) is not int or not 0 < age <= _LONGEST_AGE):
        raise ProviderSettingsError(f"{name}.max_age_seconds: a whole number from 1 to {_LONGEST_AGE}")
    if given.get("algorithm", ALGORITHMS[0]) not in ALGORITHMS:
        raise ProviderSettingsError(f"{name}.algorithm: one of {', '.join(ALGORITHMS)}")
    secret, key = _file(name, given, "client_secret_file", beside), _file(name, given, "private_key_file", beside)
    if (secret is None) == (key is None):
        raise ProviderSettingsError(f"{name}: client_secret_file or private_key_file")
    _require_safe(name, texts["issuer"])
    return ProviderSettings(
        name=name,
        issuer=texts["issuer"],
        client_id=texts["client_id"],
        title=Text(texts["zh"], texts["en"]),
        claim=_text(name, {"claim": "preferred_username", **given}, "claim"),
        secret_file=secret,
        key_file=key,
        tenants=frozenset(lists["tenants"]) if "tenants" in given else None,
        algorithm=given.get("algorithm", ALGORITHMS[0]),
        acr=lists["acr"],
        amr=lists["amr"],
        replaces_code=replaces,
        max_age_seconds=FRESH_SECONDS if replaces and age is None else age,
        hosts=lists["hosts"],
        ca_file=_file(name, given, "ca_file", beside),
    )


def _text(name: str, given: Mapping[str, Any], member: str) -> str:
    value = given.get(member)
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ProviderSettingsError(f"{name}.{member}: a text")
    return value


def _list(name: str, given: Mapping[str, Any], member: str) -> tuple[str, ...]:
    value = given.get(member, [])
    fits = isinstance(value, list) and all(isinstance(each, str) and each and " " not in each for each in value)
    if not fits or (member in given and not value):
        raise ProviderSettingsError(f"{name}.{member}: a list of texts without spaces")
    return tuple(value)


def _file(name: str, given: Mapping[str, Any], member: str, beside: Path) -> Path | None:
    return beside / _text(name, given, member) if member in given else None


def _require_safe(name: str, issuer: str) -> None:
    try:
        target = target_of(issuer, demonstration=True)
    except Invalid as error:
        raise ProviderSettingsError(f"{name}.issuer: {error.text.zh} {error.text.en}") from error
    if target.url.query:
        raise ProviderSettingsError(f"{name}.issuer: an address without a query")
