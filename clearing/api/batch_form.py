"""A batch, its items and its files in the form of the API, and the schemas that describe them to readers."""

from typing import Final

from marshmallow import Schema, fields

from settlement.batches.batch import PAYEE_KIND, Batch, BatchItem
from settlement.batches.batch_files import StoredFile
from settlement.batches.batch_states import STATES, possible_steps
from tenants.kernel.canonical import Json, plain

MODES: Final = tuple(PAYEE_KIND)


def _text(about: str, **more: object) -> fields.String:
    return fields.String(metadata={"description": about, **more})


def _day(about: str) -> fields.String:
    return _text(about, format="date")


def _instant(about: str) -> fields.String:
    return _text(about, format="date-time")


def _yuan(about: str) -> fields.String:
    return _text(about, examples=["408000.00"])


class FileSchema(Schema):
    """One file of a batch."""

    name = _text("文件名 / name")
    media_type = _text("媒体类型 / media type")
    bytes = fields.Integer(metadata={"description": "大小（字节） / size in bytes"})
    sha256 = _text("SHA-256, hexadecimal")
    sm3 = _text("SM3 (GB/T 32905), hexadecimal")
    href = _text("下载地址 / where to download it")


class KindTotalSchema(Schema):
    """The control total of one kind of payee."""

    count = fields.Integer(metadata={"description": "笔数 / number of claims"})
    amount = _yuan("合计（元） / sum in yuan")


class BatchSchema(Schema):
    """A batch (兑付批次)."""

    id = fields.UUID()
    batch_no = _text("批次号 / number for people", examples=["BT-JS-2024-0001"])
    tenant = _text("区域 / tenant")
    scheme = _text("券种 / scheme")
    mode = _text("通用或通兑 / who is paid", enum=list(MODES))
    kind = _text("批次类别 / kind")
    form = _text("跨区域支付方式，直接支付为 null / how the money gets across; null: paid directly")
    counterparty = _text("协议对方 / the other side of the agreement")
    agreement_id = fields.UUID(metadata={"description": "所依据的协议 / the agreement it goes by"})
    state = _text("状态 / state", enum=list(STATES))
    possible_steps = fields.List(fields.String(), metadata={"description": "可进行的操作 / steps the state allows"})
    cut_off = _instant("截止时刻 / claims approved, or applied for, up to here are in")
    count = fields.Integer(metadata={"description": "笔数 / number of claims"})
    total = _yuan("合计（元） / sum in yuan")
    totals = fields.Dict(
        fields.String(), fields.Nested(KindTotalSchema), metadata={"description": "按收款方 / by kind of payee"}
    )
    cut_by = _text("切批人 / who cut it")
    cut_at = _instant("切批时刻 / when it was cut")
    published_by = _text("公示人 / who published it")
    published_on = _day("公示发布日 / first day of the notice")
    publicity_through = _day("公示截止日 / last day of the notice")
    publicity_provisional = fields.Boolean(
        metadata={"description": "截止日是否暂定 / whether the last day is provisional; then it cannot be sealed"}
    )
    publicity_working_days = fields.Integer(metadata={"description": "公示工作日数 / working days of the notice"})
    calendar_version = _text("所用日历版本 / calendar that the last day was counted by")
    notice = _text("公示网址 / address of the public notice")
    sealed_by = _text("封存人 / who sealed it")
    sealed_at = _instant("封存时刻 / when it was sealed")
    merkle_root = _text("明细的默克尔根 / Merkle root (RFC 6962) over its items, hexadecimal")
    previous_seal = _text("上一封存的 seal_sha256 / of the tenant's seal before it; zeros for the first")
    seal_sha256 = _text("封存记录的 SHA-256 / SHA-256 of the seal")
    seal = _text("封存记录（JWS） / the seal, a compact JWS")
    released_by = _text("放行人 / who released it")
    released_at = _instant("放行时刻 / when it was released")
    instructed_at = _instant("指令生成时刻 / when its instructions were signed")
    settled_at = _instant("结算时刻 / when the bank had told of each instruction")
    manifest_sha256 = _text(
        "清单哈希（不含签名），下一清单引用它 / hash of the manifest without its signatures, which the next one names"
    )
    exposure_hold = fields.Dict(metadata={"description": "敞口超限暂停 / the hold at the exposure limit, if any"})
    progress = fields.Dict(
        metadata={"description": "封存、放行、签发的进度 / how far a seal, release or its files are: {doing, done, of}"}
    )
    pay_in = fields.Dict(
        metadata={
            "description": "由结算代理付款的批次：缴存是否到账，未到账的原因 / of a batch that an agent pays: "
            "{state: waiting | paid_in, reason: {zh, en}, confirmed}"
        }
    )
    first_release = fields.Dict(metadata={"description": "双人放行的第一次放行 / the first of two releases"})
    files = fields.List(fields.Nested(FileSchema))


class BatchLineSchema(BatchSchema):
    """A batch as a line of a list."""

    class Meta:
        """Without what only the whole batch shows."""

        exclude = ("seal", "exposure_hold", "pay_in", "first_release", "progress", "files")


class ItemSchema(Schema):
    """One claim in a batch."""

    line = fields.Integer(metadata={"description": "序号 / line"})
    claim_id = fields.UUID()
    claim_no = _text("申请编号 / number of the claim")
    enterprise = _text("企业 / enterprise")
    provider = _text("服务机构 / provider")
    payee = _text("收款方 / who is paid")
    amount = _yuan("金额（元） / amount in yuan")
    removed_at = _instant("移出时刻 / when it was taken out")
    removed_reason = _text("移出原因 / why it was taken out")


class _PageSchema(Schema):
    next_cursor = _text("下一页游标，末页为 null / cursor of the next page; null on the last")


class BatchPageSchema(_PageSchema):
    """A page of batches."""

    items = fields.List(fields.Nested(BatchLineSchema))
    cutting = fields.Boolean(metadata={"description": "正在切出新批次 / whether a new batch is being cut now"})


class ItemPageSchema(_PageSchema):
    """A page of a batch's items."""

    items = fields.List(fields.Nested(ItemSchema))


class FilePageSchema(_PageSchema):
    """A batch's files."""

    items = fields.List(fields.Nested(FileSchema))


def batch_json(batch: Batch, files: list[StoredFile] | None) -> dict[str, Json]:
    """The batch in the form of the API; with ``None`` for ``files``, as a line of a list."""
    kinds: dict[str, Json] = {PAYEE_KIND[batch.mode]: {"count": batch.item_count, "amount": str(batch.total)}}
    shown: dict[str, Json] = {
        "id": str(batch.id),
        "batch_no": batch.batch_no,
        "tenant": batch.tenant,
        "scheme": batch.scheme,
        "mode": batch.mode,
        "kind": batch.kind,
        "form": batch.form,
        "counterparty": batch.counterparty,
        "agreement_id": None if batch.agreement_id is None else str(batch.agreement_id),
        "state": batch.state,
        "possible_steps": [*possible_steps(batch)],
        "cut_off": plain(batch.cut_off_at),
        "count": batch.item_count,
        "total": str(batch.total),
        "totals": kinds,
        "cut_by": batch.cut_by,
        "cut_at": plain(batch.cut_at),
        "published_by": batch.published_by,
        "published_on": plain(batch.published_on),
        "publicity_through": plain(batch.publicity_through_on),
        "publicity_provisional": batch.publicity_provisional,
        "publicity_working_days": batch.working_days,
        "calendar_version": batch.calendar_version,
        "notice": None if batch.published_on is None else f"/notices/{batch.tenant}/{batch.batch_no}",
        "sealed_by": batch.sealed_by,
        "sealed_at": plain(batch.sealed_at),
        "merkle_root": batch.merkle_root,
        "previous_seal": batch.previous_seal,
        "seal_sha256": batch.seal_sha256,
        "released_by": batch.released_by,
        "released_at": plain(batch.released_at),
        "instructed_at": plain(batch.instructed_at),
        "settled_at": plain(batch.settled_at),
        "manifest_sha256": batch.manifest_sha256,
    }
    if files is not None:
        shown |= {"seal": batch.seal_jws, "files": [file_json(batch, file) for file in files]}
    return shown


def item_json(item: BatchItem) -> dict[str, Json]:
    """One claim in a batch in the form of the API."""
    return {
        "line": item.line,
        "claim_id": str(item.claim_id),
        "claim_no": item.claim_no,
        "enterprise": item.enterprise_name,
        "provider": item.provider_name,
        "payee": item.payee_name,
        "amount": str(item.amount),
        "removed_at": plain(item.removed_at),
        "removed_reason": item.removed_reason,
    }


def file_json(batch: Batch, file: StoredFile) -> dict[str, Json]:
    """One file of a batch in the form of the API."""
    return {
        "name": file.name,
        "media_type": file.media_type,
        "bytes": file.size_bytes,
        "sha256": file.sha256,
        "sm3": file.sm3,
        "href": f"/v1/tenants/{batch.tenant}/batches/{batch.id}/files/{file.name}",
    }
