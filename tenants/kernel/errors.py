"""What a caller did wrong, as data: one code, two languages, and the place of each fault."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Text:
    """One message for people, in Chinese and in English."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault at one place of the input; ``pointer`` is an RFC 6901 JSON pointer."""

    pointer: str
    code: str
    message: Text


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """An answer other than success, with the status that HTTP gives it.

    A refused *claim* is not a problem but a result; see ``clearing.claims.assessment``.
    """

    status: int = 400

    def __init__(
        self,
        code: str,
        zh: str,
        en: str,
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {en}")
        self.code = code
        self.text = Text(zh, en)
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds


class Malformed(Problem):
    """The request cannot be read at all (400)."""

    status = 400


class Unauthenticated(Problem):
    """No valid token (401)."""

    status = 401


class Forbidden(Problem):
    """The principal may not do this (403)."""

    status = 403


class NotFound(Problem):
    """Absent, or another tenant's: the answer is the same (404)."""

    status = 404


class Conflict(Problem):
    """The state does not allow it (409)."""

    status = 409


class PreconditionFailed(Problem):
    """The resource changed since the caller read it (412)."""

    status = 412


class TooLarge(Problem):
    """The body is over its limit (413)."""

    status = 413


class UnsupportedMediaType(Problem):
    """The content type is not one that the call takes (415)."""

    status = 415


class Invalid(Problem):
    """Readable, but some fields are wrong (422); ``errors`` names each."""

    status = 422


class TooManyRequests(Problem):
    """The client is over its rate (429)."""

    status = 429


class Unavailable(Problem):
    """The database, queue or disk is away (503); the same request may be sent again."""

    status = 503


RETRY_AFTER_SECONDS: Final = 5
"""What a caller is told to wait when a part of the service is away."""


def not_found(noun_zh: str, noun_en: str) -> NotFound:
    """The one answer for what is absent or belongs to another tenant."""
    return NotFound("not_found", f"没有这个{noun_zh}。", f"There is no such {noun_en}.")
