"""The claim of ``POST /v1/claims`` as marshmallow schemas: read by people (OpenAPI), by machines, and compiled.

Each schema makes one type of :mod:`connectors.submission`. Lists may be empty: what is missing in a claim is a matter
of its assessment (补正), not of its form.
"""

from typing import Final

from connectors import submission
from connectors.fields import (
    FOUNDED_FROM_YEAR,
    CnapsField,
    DayField,
    DivisionField,
    InstantField,
    MoneyField,
    RateField,
    Sha256Field,
    UsccField,
    UuidField,
)
from connectors.leaf import (
    BooleanField,
    ChoiceField,
    CodeField,
    IntegerField,
    NumberTextField,
    PatternField,
    TextField,
)
from connectors.parts import ByCode, Part, PartSchema, Rows

MODES: Final = ("common_use", "cross_redemption")
PROVIDER_KINDS: Final = (
    "university",
    "institute",
    "public_institution",
    "state_owned",
    "new_rd_institution",
    "public_platform",
    "company",
)
DOCUMENT_KINDS: Final = (
    "contract",
    "service_report",
    "invoice_image",
    "receipt_image",
    "rd_evidence",
    "provider_qualification",
    "incubation_proof",
    "talent_selection_proof",
    "talent_relation_proof",
    "commitment_letter",
    "business_licence",
    "legal_representative_id",
    "duplicate_explanation",
    "other",
)

SUPPORT_KINDS: Final = ("invoice", "contract", "receipt", "document", "red_letter")
"""``red_letter``: an invoice of which a red-letter invoice (红字发票) has cancelled the amount."""

MAX_ROWS: Final = 500
"""Services, invoices, receipts or documents of one claim; a body of 256 KiB holds few more."""
MAX_CODES: Final = 20
NAME_CHARACTERS: Final = 200
TITLE_CHARACTERS: Final = 500
EXPLANATION_CHARACTERS: Final = 2_000
QR_CHARACTERS: Final = 128
"""An invoice number may come as the text of the QR code on the invoice, which is longer than any number."""
MAX_DOCUMENT_BYTES: Final = 10 * 2**30
"""A bound of sanity; what a scheme allows is in its policy."""
HUNDRED: Final = 100

_SLUG: Final = r"[a-z][a-z0-9-]{0,31}"
_CODE: Final = r"[a-z][a-z0-9_]{0,47}"
_ITEM: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}"
EXTERNAL_ID: Final = r"[!-~\u4e00-\u9fff]{1,64}"
_MEDIA_TYPE: Final = r"[a-z]{1,20}/[a-z0-9][a-z0-9.+-]{0,100}"
_ACCOUNT: Final = r"[0-9A-Z][0-9A-Z-]{4,32}[0-9A-Z]"


class TypeProofSchema(PartSchema):
    """What proves one enterprise type."""

    makes = submission.TypeProof
    number = TextField(64, optional=True, about="入库登记编号 / registry number")
    issued_on = DayField(optional=True, about="发证日期 / day of the certificate")


class EnterpriseSchema(PartSchema):
    """The buyer."""

    makes = submission.Enterprise
    uscc = UsccField(about="统一社会信用代码 / unified social credit code (GB 32100)")
    name = TextField(NAME_CHARACTERS)
    division = DivisionField(about="注册地行政区划代码 / division of registration (GB/T 2260)")
    types = Rows(CodeField(_CODE), MAX_CODES, about="企业类型 / enterprise types")
    type_proofs = ByCode(CodeField(_CODE), Part(TypeProofSchema), MAX_CODES, about="各类型的证明 / proof of each type")
    prior_year_revenue = MoneyField(zero=True, optional=True, about="上年度营业收入（元） / last year's revenue")
    established_on = DayField(earliest=FOUNDED_FROM_YEAR, optional=True)
    resident_of = Rows(CodeField(_CODE), MAX_CODES, optional=True, about="入驻园区代码 / codes of zones")


class ProviderQualificationSchema(PartSchema):
    """A qualification of the provider."""

    makes = submission.ProviderQualification
    kind = TextField(64, about="CMA, CNAS …")
    valid_through = DayField(about="有效期至（含当日） / last valid day")


class ProviderSchema(PartSchema):
    """The seller."""

    makes = submission.Provider
    uscc = UsccField(about="统一社会信用代码 / unified social credit code (GB 32100)")
    name = TextField(NAME_CHARACTERS)
    division = DivisionField()
    kind = ChoiceField(PROVIDER_KINDS)
    established_on = DayField(earliest=FOUNDED_FROM_YEAR, optional=True)
    on_platform = BooleanField(about="是否已入库 / whether the directory lists it")
    qualifications = Rows(Part(ProviderQualificationSchema), MAX_ROWS, optional=True)


class ContractSchema(PartSchema):
    """The one contract."""

    makes = submission.Contract
    number = NumberTextField(about="合同编号 / contract number")
    title = TextField(TITLE_CHARACTERS, invisible=True)
    signed_on = DayField()
    amount = MoneyField()


class ServiceLineSchema(PartSchema):
    """One performed service."""

    makes = submission.ServiceLine
    item = CodeField(_ITEM, about="服务目录代码 / catalogue item", example="B1.3")
    name = TextField(TITLE_CHARACTERS, invisible=True)
    amount = MoneyField()
    completed_on = DayField()
    instrument = TextField(TITLE_CHARACTERS, invisible=True, optional=True)


class InvoiceSchema(PartSchema):
    """One fiscal invoice (发票)."""

    makes = submission.Invoice
    has_claimed_part = True
    number = NumberTextField(
        QR_CHARACTERS, about="发票号码，或发票二维码的文本 / invoice number, or its QR code's text"
    )
    issued_on = DayField()
    amount = MoneyField(about="价税合计 / face total")
    claimed = MoneyField(optional=True, data_key="claimed_amount", about="本次使用金额 / the part this claim uses")
    code = NumberTextField(optional=True, about="发票代码 / code of a legacy invoice")
    seller_uscc = UsccField(optional=True)
    buyer_uscc = UsccField(optional=True)


class ReceiptSchema(PartSchema):
    """One bank receipt (银行回单)."""

    makes = submission.Receipt
    has_claimed_part = True
    serial = NumberTextField(about="银行回单流水号 / bank serial number")
    paid_on = DayField()
    amount = MoneyField()
    claimed = MoneyField(optional=True, data_key="claimed_amount")
    payer_account = NumberTextField(optional=True)


class DocumentSchema(PartSchema):
    """One piece of evidence, by its digest."""

    makes = submission.Document
    kind = ChoiceField(DOCUMENT_KINDS)
    sha256 = Sha256Field()
    media_type = CodeField(_MEDIA_TYPE, "media_type.malformed", example="application/pdf")
    size_bytes = IntegerField(1, MAX_DOCUMENT_BYTES, data_key="bytes")


class RelatedPartySchema(PartSchema):
    """The declared relation of the two parties."""

    makes = submission.RelatedParty
    direct_equity = BooleanField()
    same_legal_representative = BooleanField()
    common_shareholder_percent = RateField(HUNDRED, about="同一股东对双方的持股比例（%） / percent held of both")
    control = BooleanField()


class DeclarationsSchema(PartSchema):
    """The enterprise's declarations."""

    makes = submission.Declarations
    related_party = Part(RelatedPartySchema)
    statutory_testing = BooleanField()
    publicly_funded = BooleanField()
    subcontracted = BooleanField()
    rd_related = BooleanField()


class PayeeSchema(PartSchema):
    """The account that an award is paid to."""

    makes = submission.Payee
    account_name = TextField(NAME_CHARACTERS)
    account_number = PatternField(_ACCOUNT, "account.malformed", example="1106014019000000000")
    bank_name = TextField(NAME_CHARACTERS)
    cnaps = CnapsField(about="联行号 / line number of the bank")


class IntendedServiceSchema(PartSchema):
    """One service of an intended contract."""

    makes = submission.IntendedService
    item = CodeField(_ITEM, about="服务目录代码 / catalogue item", example="testing")
    name = TextField(TITLE_CHARACTERS, invisible=True)
    amount = MoneyField()


class ReservationSchema(PartSchema):
    """A request to set quota aside for an intended contract (额度确认)."""

    makes = submission.ReservationRequest
    external_id = PatternField(EXTERNAL_ID, "external_id.malformed", example="YX202408293280")
    tenant = CodeField(_SLUG, example="wujiang")
    scheme = CodeField(_SLUG, example="delta")
    mode = ChoiceField(MODES)
    requested_at = InstantField()
    enterprise = Part(EnterpriseSchema)
    provider = Part(ProviderSchema)
    contract = Part(ContractSchema)
    amount = MoneyField(optional=True, about="申请金额，默认按政策计算 / the amount asked for, by default as computed")
    services = Rows(Part(IntendedServiceSchema), MAX_ROWS, optional=True)


class SupportKeySchema(PartSchema):
    """One identity of spending that was supported elsewhere, or an invoice that a red-letter invoice cancels."""

    makes = submission.SupportKey
    kind = ChoiceField(SUPPORT_KINDS)
    value = NumberTextField(
        TITLE_CHARACTERS, about="发票号码（旧版发票为代码加号码）、合同编号、回单流水号或文件 SHA-256"
    )
    amount = MoneyField(optional=True, about="该项已获支持的金额 / the amount of it that was supported")
    provider_uscc = UsccField(optional=True, about="合同的服务单位 / the contract's provider")


class SupportRecordSchema(PartSchema):
    """A platform's statement that some spending was already subsidised and paid elsewhere (支持记录)."""

    makes = submission.SupportRecord
    platform = CodeField(_SLUG)
    external_id = PatternField(EXTERNAL_ID, "external_id.malformed")
    tenant = CodeField(_SLUG)
    enterprise_uscc = UsccField()
    keys = Rows(Part(SupportKeySchema), MAX_ROWS)
    supported_on = DayField()


class ClaimSchema(PartSchema):
    """The whole claim as a platform submits it."""

    makes = submission.Submission
    external_id = PatternField(EXTERNAL_ID, "external_id.malformed", example="CXQ202408293280")
    tenant = CodeField(_SLUG, example="jiangsu")
    scheme = CodeField(_SLUG, example="provincial")
    mode = ChoiceField(MODES)
    submitted_at = InstantField()
    enterprise = Part(EnterpriseSchema)
    provider = Part(ProviderSchema)
    contract = Part(ContractSchema)
    services = Rows(Part(ServiceLineSchema), MAX_ROWS)
    invoices = Rows(Part(InvoiceSchema), MAX_ROWS)
    receipts = Rows(Part(ReceiptSchema), MAX_ROWS)
    documents = Rows(Part(DocumentSchema), MAX_ROWS)
    declarations = Part(DeclarationsSchema)
    payee = Part(PayeeSchema)
    reservation_id = UuidField(optional=True, about="额度确认编号 / reservation")
    restores = UuidField(optional=True, about="接续的已驳回或撤回申请 / the claim that this one takes up again")
    duplicate_explanation = TextField(EXPLANATION_CHARACTERS, invisible=True, optional=True)
