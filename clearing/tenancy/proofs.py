"""Proofs (证明): what an enterprise shows for its type, until when it holds, and what it lacks on a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from clearing.claims.rules.parties import REGISTRY_NUMBER_LENGTH, years_later
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.errors import FieldError, Text
from tenants.policy import EnterpriseType

_ONE_DAY: Final = timedelta(days=1)
_AUTHORITY: Final = slice(2, 8)
"""The division in a credit code."""


@dataclass(frozen=True, slots=True)
class ProofDocument:
    """A document that proves a type: its kind and digest."""

    kind: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Application:
    """What an enterprise, its platform or the administrator states.

    ``from_on`` is by default the day of entry; ``division``, where the enterprise is registered, the one in its credit
    code, whose third to eighth characters are the registering authority's (GB 32100).
    """

    uscc: str
    name: str
    enterprise_type: str
    number: str | None = None
    issued_on: date | None = None
    documents: tuple[ProofDocument, ...] = ()
    resident_of: tuple[str, ...] = ()
    from_on: date | None = None
    division: str | None = None

    @property
    def registered_in(self) -> str:
        """The six-digit division."""
        return self.division or self.uscc[_AUTHORITY]

    def proof_text(self) -> str:
        """The proof as it is stored."""
        named = {"number": self.number, "issued_on": self.issued_on}
        return canonical_bytes({**named, "documents": self.documents, "resident_of": self.resident_of}).decode()


def last_day(kind: EnterpriseType, one: Application, last_on: date) -> date:
    """The year's last day, or the last on which the certificate proves its type."""
    if one.issued_on is None or not kind.certificate_years:
        return last_on
    return min(last_on, years_later(one.issued_on, kind.certificate_years) - _ONE_DAY)


def proof_faults(kind: EnterpriseType, one: Application, year: int, on: date) -> tuple[FieldError, ...]:
    """What the type's proof lacks on the day, each at its place."""
    match kind.proof:
        case "registry_number_of_year":
            number = one.number or ""
            right = len(number) == REGISTRY_NUMBER_LENGTH and number.isascii() and number.startswith(str(year))
            return () if right else (_number_of_year(year),)
        case "registry_number":
            return () if one.number else (_NUMBER,)
        case "certificate" | "certificate_or_number":
            if one.issued_on is None:
                return () if kind.proof == "certificate_or_number" and one.number else (_CERTIFICATE,)
            valid = one.issued_on <= on < years_later(one.issued_on, kind.certificate_years or 0)
            return () if valid else (_lapsed(kind.certificate_years or 0, on),)
        case "documents":
            missing = [name for name in kind.documents if name not in {each.kind for each in one.documents}]
            return (_documents(missing),) if missing else ()
        case "residence":
            return () if one.resident_of else (_RESIDENCE,)


def _number_of_year(year: int) -> FieldError:
    said = Text(
        f"须为 {year} 年度的 {REGISTRY_NUMBER_LENGTH} 位入库登记编号（前四位为年度）。",
        f"The registration number of {year} is needed: {REGISTRY_NUMBER_LENGTH} characters, the year first.",
    )
    return FieldError("/number", "proof.number_of_year", said)


def _lapsed(years: int, on: date) -> FieldError:
    said = Text(
        f"证书须在 {on} 前发证且未满 {years} 年。",
        f"The certificate must be issued by {on} and under {years} years old.",
    )
    return FieldError("/issued_on", "proof.certificate_lapsed", said)


def _documents(missing: Sequence[str]) -> FieldError:
    named = "、".join(missing)
    return FieldError("/documents", "proof.documents", Text(f"缺少证明文件：{named}。", f"Missing documents: {named}."))


_NUMBER: Final = FieldError("/number", "proof.number", Text("须填登记编号或文件编号。", "A number is needed."))
_CERTIFICATE: Final = FieldError(
    "/issued_on", "proof.certificate", Text("须填证书发证日期。", "The day of the certificate is needed.")
)
_RESIDENCE: Final = FieldError(
    "/resident_of", "proof.residence", Text("须注明入驻地。", "Where the enterprise resides is needed.")
)
