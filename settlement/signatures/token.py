"""Signing keys in a PKCS#11 token (a hardware module, or SoftHSM): made there, used there, never readable here.

``token.toml`` beside the secrets says which token and whose keys::

    module = "/usr/lib/softhsm/libsofthsm2.so"
    label = "clearing"
    pin_file = "token-pin"
    tenants = ["jiangsu"]       # whose new keys are made in it; all tenants' where this is left out
    algorithm = "ES256"         # Ed25519 where the token can and this is left out

With ES256 only a digest travels to the token; with Ed25519 the whole message does, a payment message of a large batch
included. A token does one thing at a time here: a session takes one operation, and not every module more than one.
"""

import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote_to_bytes

from settlement.signatures.suites import Message, Sign, encoded
from tenants.kernel.errors import RETRY_AFTER_SECONDS, Unavailable

SETTINGS_FILE: Final = "token.toml"
ED25519: Final = "Ed25519"
ES256: Final = "ES256"

_MEMBERS: Final = frozenset({"module", "label", "pin_file", "tenants", "algorithm"})
_ID_BYTES: Final = 16
_COORDINATE_BYTES: Final = 32
_EDWARDS25519: Final = bytes.fromhex("06032b6570")
"""The curve's object identifier (1.3.101.112), DER."""
_URI: Final = "pkcs11:token={};id={}"
"""RFC 7512."""

Used = TypeVar("Used")


class TokenSettingsError(ValueError):
    """``token.toml`` cannot be used; the message names the member."""


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """What ``token.toml`` says; ``tenants`` is ``None`` where it serves all."""

    module: str
    label: str
    pin_file: Path
    tenants: frozenset[str] | None
    algorithm: str | None


@dataclass(frozen=True, slots=True)
class MadeInToken:
    """A key that was just made: how to find it again (RFC 7512), its algorithm and its public half's JWK members."""

    uri: str
    algorithm: str
    members: Mapping[str, str]


class Token:
    """One token, logged in when it is first needed, and again after it was away."""

    def __init__(self, settings: TokenSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._session: Any = None
        self._keys: dict[bytes, Any] = {}

    def serves(self, tenant: str) -> bool:
        """Whether the tenant's new keys are made in it."""
        return self.settings.tenants is None or tenant in self.settings.tenants

    def make(self, label: str) -> MadeInToken:
        """A new key pair that stays in the token.

        Raises:
            Unavailable: ``token.away``.
        """

        def generate(session: Any) -> MadeInToken:  # noqa: ANN401 - of a library that is loaded on need
            from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag  # noqa: PLC0415 - an optional extra
            from pkcs11.util.ec import encode_named_curve_parameters  # noqa: PLC0415 - the same

            can = session.token.slot.get_mechanisms()
            algorithm = self.settings.algorithm or (ED25519 if Mechanism.EDDSA in can else ES256)
            kind, curve = KeyType.EC, encode_named_curve_parameters("secp256r1")
            if algorithm == ED25519:
                kind, curve = KeyType.EC_EDWARDS, _EDWARDS25519
            domain = session.create_domain_parameters(kind, {Attribute.EC_PARAMS: curve}, local=True)
            number = token_bytes(_ID_BYTES)
            public, _ = domain.generate_keypair(
                id=number,
                label=label,
                store=True,
                capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
                **({"mechanism": Mechanism.EC_EDWARDS_KEY_PAIR_GEN} if algorithm == ED25519 else {}),
            )
            uri = _URI.format(quote(self.settings.label, safe=""), "".join(f"%{byte:02x}" for byte in number))
            return MadeInToken(uri, algorithm, _members(algorithm, bytes(public[Attribute.EC_POINT])))

        return self._use(generate)

    def signer(self, uri: str, algorithm: str) -> Sign:
        """What signs with a key of the token; the key is looked for at the first signature.

        Raises:
            Unavailable: ``token.away``, now or when signing: the token is not there, or the key not in it.
        """
        token, _, number = uri.removeprefix("pkcs11:token=").partition(";id=")
        if unquote_to_bytes(token).decode() != self.settings.label:
            raise _away(self.settings.label, f"the key is in {uri}")
        key_id = unquote_to_bytes(number)

        def sign(message: Message) -> bytes:
            from pkcs11 import Mechanism  # noqa: PLC0415 - an optional extra

            by_digest = algorithm == ES256
            mechanism = Mechanism.ECDSA if by_digest else Mechanism.EDDSA
            data = sha256(message).digest() if by_digest else bytes(message)
            return self._use(lambda session: bytes(self._key(session, key_id).sign(data, mechanism=mechanism)))

        return sign

    def _key(self, session: Any, key_id: bytes) -> Any:  # noqa: ANN401 - of a library that is loaded on need
        from pkcs11 import ObjectClass  # noqa: PLC0415 - an optional extra

        if key_id not in self._keys:
            self._keys[key_id] = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=key_id)
        return self._keys[key_id]

    def _use(self, work: Callable[[Any], Used]) -> Used:
        """Do something in a session of the token; one that fails is not used again."""
        with self._lock, _told(self.settings.label):
            try:
                if self._session is None:
                    self._session = self._opened()
                return work(self._session)
            except BaseException:
                self._forget()
                raise

    def _forget(self) -> None:
        session, self._session = self._session, None
        self._keys.clear()
        if session is not None:
            with suppress(Exception):  # it failed already: what matters is that the next one is another
                session.close()

    def _opened(self) -> Any:  # noqa: ANN401 - of a library that is loaded on need
        import pkcs11  # noqa: PLC0415 - an optional extra

        module = pkcs11.lib(self.settings.module)
        pin = self.settings.pin_file.read_text(encoding="utf-8").strip()
        try:
            token = module.get_token(token_label=self.settings.label)
        except pkcs11.PKCS11Error:
            module.reinitialize()  # a module that saw its token go may never look for it again
            token = module.get_token(token_label=self.settings.label)
        try:
            return token.open(user_pin=pin, rw=True)
        except pkcs11.UserAlreadyLoggedIn:  # a login is the whole process's
            return token.open(rw=True)


def read_token(path: Path) -> Token | None:
    """The token that ``token.toml`` names; ``None`` where there is no such file.

    Raises:
        TokenSettingsError: it is not TOML, or a member is wrong.
    """
    if not path.exists():
        return None
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TokenSettingsError(f"{path}: {error}") from error
    texts = [given.get(name) for name in ("module", "label", "pin_file")]
    tenants, algorithm = given.get("tenants"), given.get("algorithm")
    if given.keys() - _MEMBERS or not all(isinstance(text, str) and text for text in texts):
        raise TokenSettingsError(f"{path}: module, label and pin_file as texts, and no member but {sorted(_MEMBERS)}")
    if tenants is not None and (not isinstance(tenants, list) or not all(isinstance(each, str) for each in tenants)):
        raise TokenSettingsError(f"{path}: tenants: a list of tenants")
    if algorithm not in {None, ED25519, ES256}:
        raise TokenSettingsError(f"{path}: algorithm: {ED25519} or {ES256}")
    pin_file = path.parent / given["pin_file"]
    served = None if tenants is None else frozenset(tenants)
    return _token(TokenSettings(given["module"], given["label"], pin_file, served, algorithm))


@cache
def _token(settings: TokenSettings) -> Token:
    """One for the whole process: a token has few sessions, and a login is slow."""
    return Token(settings)


@contextmanager
def _told(label: str) -> Iterator[None]:
    """Say in our words that the token cannot be used; what was begun goes on once it can."""
    try:
        from pkcs11 import PKCS11Error  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise _away(label, "pip install 'clearing[pkcs11]'") from error
    try:
        yield
    except (PKCS11Error, RuntimeError, OSError) as error:
        raise _away(label, f"{type(error).__name__} {error}".strip()) from error


def _away(label: str, why: str) -> Unavailable:
    return Unavailable(
        "token.away",
        f"密码设备 {label} 不可用（{why}），未签名，稍后会再试。",
        f"The token {label} cannot be used ({why}); nothing was signed, and it is tried again later.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


def _members(algorithm: str, point: bytes) -> dict[str, str]:
    """The JWK members of a public key: the point is an octet string, which some tokens leave bare."""
    if algorithm == ED25519:
        return {"crv": "Ed25519", "kty": "OKP", "x": encoded(point[-_COORDINATE_BYTES:])}
    x, y = point[-2 * _COORDINATE_BYTES : -_COORDINATE_BYTES], point[-_COORDINATE_BYTES:]
    return {"crv": "P-256", "kty": "EC", "x": encoded(x), "y": encoded(y)}
