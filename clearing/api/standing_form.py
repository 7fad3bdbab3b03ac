"""Forms of qualifications, admissions and trust lists: what the interface takes of each."""

from collections.abc import Sized
from typing import Any, Final

from marshmallow import Schema, fields, post_load, validate

from clearing.api.noun import PageSchema, WholeNumber
from clearing.tenancy import admissions, qualifications
from clearing.tenancy.admissions import Proof
from clearing.tenancy.proofs import ProofDocument
from clearing.tenancy.two_people import OUTCOMES
from connectors.claim_schema import DOCUMENT_KINDS, NAME_CHARACTERS, PROVIDER_KINDS
from connectors.fields import FOUNDED_FROM_YEAR, DayField, DivisionField, Sha256Field, UsccField
from connectors.leaf import BooleanField, ChoiceField, CodeField, TextField

YEARS: Final = (2000, 2100)
MAX_PROVIDERS: Final = 5_000
REASON: Final = validate.Length(1, 2000)
CODE: Final = r"[a-z][a-z0-9_]{0,47}"
SCHEME: Final = r"[a-z][a-z0-9-]{1,30}"


class SchemeSchema(Schema):
    """Which scheme, where the tenant has several."""

    scheme = fields.String(load_default=None, validate=validate.Regexp(rf"{SCHEME}\Z"))


class ProofDocumentSchema(Schema):
    """A document that proves a type."""

    kind = ChoiceField(DOCUMENT_KINDS)
    sha256 = Sha256Field()

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> ProofDocument:
        """The document."""
        return ProofDocument(**data)


class ApplicationSchema(Schema):
    """An enterprise's application for a quota year."""

    name = TextField(NAME_CHARACTERS)
    enterprise_type = CodeField(CODE, example="high_tech")
    number = TextField(64, optional=True, about="入库登记编号或文件编号 / number of registration or document")
    issued_on = DayField(optional=True, about="证书发证日期 / day of the certificate")
    documents = fields.List(fields.Nested(ProofDocumentSchema), load_default=list, validate=validate.Length(max=20))
    resident_of = fields.List(CodeField(CODE), load_default=list, validate=validate.Length(max=20))
    division = DivisionField(
        optional=True, about="注册地区划代码，缺省取信用代码第3至8位 / by default the credit code's"
    )
    from_on = DayField(optional=True, about="缺省为录入日 / default the day of entry")


class ProofSchema(Schema):
    """A provider's qualification."""

    kind = TextField(64, about="CMA, CNAS …")
    valid_through = DayField(about="有效期至（含当日） / last valid day")
    number = TextField(64, optional=True)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Proof:
        """The qualification."""
        return Proof(**data)


class EntrySchema(Schema):
    """A provider for the directory."""

    name = TextField(NAME_CHARACTERS)
    division = DivisionField()
    kind = ChoiceField(PROVIDER_KINDS)
    established_on = DayField(earliest=FOUNDED_FROM_YEAR, optional=True)
    on_platform = BooleanField(optional=True, about="缺省为未陈述 / default not stated")
    platform_number = TextField(64, optional=True)
    qualifications = fields.List(fields.Nested(ProofSchema), load_default=list, validate=validate.Length(max=50))
    from_on = DayField(optional=True, about="缺省为录入日 / default the day of entry")
    through_on = DayField(optional=True, about="有效期至（含当日） / last day, that day included")


class QualificationDecisionSchema(Schema):
    """What becomes of an application, or of a qualification that was admitted."""

    outcome = fields.String(required=True, validate=validate.OneOf(tuple(qualifications.DECISIONS)))
    reason = fields.String(load_default=None, allow_none=True, validate=REASON)


class AdmissionDecisionSchema(Schema):
    """What becomes of an application, or of an admitted provider that has to leave."""

    outcome = fields.String(required=True, validate=validate.OneOf(tuple(admissions.DECISIONS)))
    ground = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(admissions.GROUNDS))
    reason = fields.String(load_default=None, allow_none=True, validate=REASON)


class QualificationQuerySchema(PageSchema):
    """The filters of the list of qualifications."""

    scheme = fields.String(load_default=None)
    year = WholeNumber(load_default=None, validate=validate.Range(*YEARS))
    state = fields.String(load_default=None)


class AdmissionQuerySchema(PageSchema):
    """The filters of the list of admissions."""

    scheme = fields.String(load_default=None)
    state = fields.String(load_default=None)


class YearQuerySchema(SchemeSchema):
    """The scheme and quota year that a table is for."""

    year = WholeNumber(required=True, validate=validate.Range(*YEARS))


class ListingSchema(Schema):
    """How long one provider is trusted."""

    name = TextField(NAME_CHARACTERS)
    from_on = DayField()
    through_on = DayField()


def _not_too_many(providers: Sized) -> None:
    """As ``validate.Length``, which the description would take for a length of text."""
    validate.Length(max=MAX_PROVIDERS)(providers)


class TrustListSchema(Schema):
    """The whole list, by credit code."""

    cite = TextField(1000, about="依据 / document and clause")
    providers = fields.Dict(
        keys=UsccField(),
        values=fields.Nested(ListingSchema),
        required=True,
        validate=_not_too_many,
        metadata={"maxProperties": MAX_PROVIDERS},
    )


class TrustDecisionSchema(Schema):
    """What becomes of the version that was proposed."""

    version = fields.Integer(required=True, strict=True)
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    reason = fields.String(load_default=None, allow_none=True, validate=REASON)
