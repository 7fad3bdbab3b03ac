"""What a person proves at the door: a password (argon2id, RFC 9106) and a code of the moment (TOTP, RFC 6238)."""

import hmac
import secrets
from datetime import datetime
from typing import Final

import pyotp
from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

from tenants.kernel.errors import FieldError, Invalid, Text

MIN_PASSWORD_CHARACTERS: Final = 12
MAX_PASSWORD_CHARACTERS: Final = 200
CODE_DIGITS: Final = 6
STEP_SECONDS: Final = 30
STEPS_AROUND: Final = 1
"""How many time steps a person's clock may be off."""
ISSUER: Final = "科技创新券清算"
_GENERATED_BYTES: Final = 12

_hasher: Final = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1, type=Type.ID)
_NOBODY: Final = _hasher.hash(secrets.token_urlsafe())
"""What the password of an unknown name is compared with, so that it takes as long."""


def hash_password(password: str) -> str:
    """The password's argon2id hash, with its salt and costs."""
    return _hasher.hash(password)


def password_fits(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one that was hashed; with ``None``, as slow, that it is not."""
    if len(password) > MAX_PASSWORD_CHARACTERS:
        return False
    try:
        _hasher.verify(password_hash or _NOBODY, password)
    except (Argon2Error, InvalidHashError):
        return False
    return password_hash is not None


def require_good_password(password: str, login: str) -> None:
    """Refuse a password that is short, endless, or made of the name.

    Raises:
        Invalid: ``password.weak``.
    """
    long_enough = MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS
    if long_enough and login not in password.lower() and len(set(password)) > MIN_PASSWORD_CHARACTERS // 3:
        return
    said = Text(
        f"密码须为 {MIN_PASSWORD_CHARACTERS} 至 {MAX_PASSWORD_CHARACTERS} 个字符，不含登录名，不重复少数几个字符。",
        f"A password has {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters, does not hold the login "
        "name, and does not repeat a few characters.",
    )
    raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/password", "password.weak", said),))


def new_password() -> str:
    """A password of 96 random bits."""
    return secrets.token_urlsafe(_GENERATED_BYTES)


def new_totp_secret() -> str:
    """A new secret for an authenticator, in base32."""
    return pyotp.random_base32()


def totp_address(secret: str, login: str) -> str:
    """The ``otpauth://`` address that an authenticator reads."""
    return pyotp.TOTP(secret, digits=CODE_DIGITS, interval=STEP_SECONDS).provisioning_uri(
        name=login, issuer_name=ISSUER
    )


def code_at(secret: str, at: datetime) -> str:
    """The code of the instant."""
    return pyotp.TOTP(secret, digits=CODE_DIGITS, interval=STEP_SECONDS).at(at)


def step_of_code(secret: str, code: str, at: datetime, after: int) -> int | None:
    """The time step whose code this is, around the instant and after the step ``after``; ``None`` if it is none's."""
    if not (code.isascii() and code.isdecimal() and len(code) == CODE_DIGITS):
        return None
    totp = pyotp.TOTP(secret, digits=CODE_DIGITS, interval=STEP_SECONDS)
    now = int(at.timestamp()) // STEP_SECONDS
    found = None
    for step in range(now - STEPS_AROUND, now + STEPS_AROUND + 1):
        if hmac.compare_digest(totp.generate_otp(step), code) and step > after:
            found = step
    return found
