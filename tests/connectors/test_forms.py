"""Every platform's form becomes the canonical claim, and every fault is named at its place in the form."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.all_connectors import CONNECTORS, connector_of
from connectors.connector import READERS, Connector
from connectors.directory import platforms
from connectors.form_document import OURS, FormDocumentError, all_documents, printed, read_document
from connectors.reading import read_submission
from connectors.submission import Submission, SupportRecord
from tenants.kernel.errors import Invalid
from tests.connectors.forms import PLATFORMS, Form, bodies, connector_for, filled, some_form

JSSIC_DELTA = ("jssic", "delta")


def faults(connector: Connector, form: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        connector.read(form)
    assert all(error.message.zh and error.message.en for error in refused.value.errors)
    return {error.pointer: error.code for error in refused.value.errors}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_form_says_exactly_what_the_canonical_claim_says(platform: str) -> None:
    assert len(bodies(platform)) > 20
    for body in bodies(platform):
        read = connector_for(platform).read(filled(platform, body))
        expected = deepcopy(body)
        if platform == "delta":  # its form asks neither for revenue nor for evidence of R&D
            expected["enterprise"].pop("prior_year_revenue")
            expected["documents"] = [paper for paper in body["documents"] if paper["kind"] != "rd_evidence"]
        if platform == "shanxi-inno":  # its form asks for no qualification of the provider
            expected["provider"]["qualifications"] = []
        assert isinstance(read, Submission)
        assert _sorted(read) == _sorted(read_submission(expected))


def _sorted(claim: Submission) -> tuple[Any, ...]:
    """The claim with its documents in one order: a form holds them beside what they prove."""
    documents = sorted(claim.documents, key=lambda one: (one.kind, one.sha256))
    return tuple(documents if name == "documents" else getattr(claim, name) for name in Submission.__dataclass_fields__)


def test_an_offline_order_is_of_a_provider_that_is_not_on_the_platform() -> None:
    form = some_form("jssic") | {"订单类型": "线下下单"}
    form["服务单位"]["服务单位资质"] = [
        {
            "资质名称": "CMA",
            "资质有效期": "2027-12-31",
            "资质文件": {"文件名": "资质文件.pdf", "字节数": 1_200_000, "SHA-256": "ab" * 32},
        }
    ]
    read = connector_for("jssic").read(form)
    assert isinstance(read, Submission)
    assert not read.provider.on_platform
    assert [one.kind for one in read.provider.qualifications] == ["CMA"]
    assert "provider_qualification" in {document.kind for document in read.documents}


def test_an_order_under_service_commitment_comes_after_the_providers_confirmation() -> None:
    form = some_form("jssic") | {"订单类型": "服务承诺制"}
    assert faults(connector_for("jssic"), form) == {"/服务单位确认时间": "provider.unconfirmed"}
    read = connector_for("jssic").read(form | {"服务单位确认时间": "2023-07-24 11:00:00"})
    assert isinstance(read, Submission)
    assert read.provider.on_platform


def test_a_service_may_be_named_by_its_instrument_alone() -> None:
    form = some_form("jssic")
    line = form["服务明细"][0]
    del line["服务名称"]
    line["仪器名称"] = "实时活细胞成像分析系统"
    read = connector_for("jssic").read(form)
    assert isinstance(read, Submission)
    assert read.services[0].name == "实时活细胞成像分析系统"


def test_shanxis_provider_binds_first_and_a_team_applies_through_its_host() -> None:
    connector, form = connector_for("shanxi-inno"), some_form("shanxi-inno")
    assert faults(connector, form | {"绑定": {}}) == {"/绑定/服务机构确认时间": "provider.unconfirmed"}
    assert faults(connector, form | {"申请主体类别": "平台企业代团队"}) == {"/团队名称": "field.required"}
    assert faults(connector, form | {"团队名称": "镁合金团队"}) == {"/团队名称": "team.without_host"}
    hosted = form | {"申请主体类别": "平台企业代团队", "团队名称": "镁合金团队"}
    hosted["企业"] = form["企业"] | {
        "企业类型": ["入驻孵化器、众创空间、晋创谷"],
        "入驻园区": "晋创谷",
        "入驻证明": {"文件名": "a.pdf", "字节数": 9, "SHA-256": "cd" * 32},
    }
    read = connector.read(hosted)
    assert isinstance(read, Submission)
    assert (read.enterprise.types, read.enterprise.resident_of) == (("zone_resident",), ("jinchuang_valley",))


def test_a_hainan_provider_is_one_by_the_name_of_its_place() -> None:
    form = some_form("shanxi-inno")
    form["服务机构"]["注册地"] = "海南省 海口市 龙华区"
    read = connector_for("shanxi-inno").read(form)
    assert isinstance(read, Submission)
    assert read.provider.division == "460106"


def test_cross_redemption_hands_in_its_voucher() -> None:
    form = some_form("delta") | {"兑付模式": "通兑模式"}
    assert faults(connector_for("delta"), form) == {"/收取的创新券": "field.required"}


def test_an_intended_contract_becomes_a_request_for_quota() -> None:
    connector = connector_of("delta", "reservation")
    assert connector is not None
    claim = some_form("delta")
    form = {
        "意向编号": "YX-1",
        "提交时间": "2024-08-29 21:21",
        "试点区域": claim["试点区域"],
        "兑付模式": "通兑模式",
        "企业": claim["企业"],
        "服务机构": claim["服务机构"],
        "意向合同": {name: value for name, value in claim["合同"].items() if name != "合同文件"},
    }
    read = connector.read(form)
    assert (read.external_id, str(getattr(read, "requested_at", ""))) == ("YX-1", "2024-08-29 13:21:00+00:00")
    del form["意向合同"]["合同金额"]
    assert faults(connector, form) == {"/意向合同/合同金额": "field.required"}


def test_what_a_local_platform_paid_becomes_the_keys_of_a_support_record() -> None:
    connector = connector_of("wujiang-local", "support_record")
    assert connector is not None
    enterprise = some_form("delta")["企业"]["统一社会信用代码"]
    form: Form = {
        "兑付编号": "WJ-1",
        "企业统一社会信用代码": enterprise,
        "兑付日期": "2024年3月5日",
        "发票": [
            {"发票代码": "032002300111", "发票号码": "12345678", "已支持金额": "¥5,000"},
            {"发票号码": "24322000000123456789"},
        ],
        "合同": [{"合同编号": "KD-1", "服务机构统一社会信用代码": enterprise}],
        "银行回单": [{"回单流水号": "HD1"}],
    }
    read = connector.read(form)
    assert isinstance(read, SupportRecord)
    assert (read.platform, read.tenant, str(read.supported_on)) == ("wujiang-local", "wujiang", "2024-03-05")
    assert [(key.kind, key.value, None if key.amount is None else str(key.amount)) for key in read.keys] == [
        ("invoice", "03200230011112345678", "5000.00"),
        ("invoice", "24322000000123456789", None),
        ("contract", "KD-1", None),
        ("receipt", "HD1", None),
    ]
    form["发票"][1] = {"发票号码": "", "已支持金额": "五千"}
    assert faults(connector, form) == {
        "/发票/1/发票号码": "field.required",
        "/发票/1/已支持金额": "money.malformed",
    }


@pytest.mark.parametrize(
    ("place", "value", "pointer", "code"),
    [
        (("订单编号",), "CXQ20249929", "/订单编号", "order_number.malformed"),
        (("订单类型",), "预约", "/订单类型", "label.unknown"),
        (("企业", "统一社会信用代码"), "91320312M49W4QLE13", "/企业/统一社会信用代码", "uscc.check_character"),
        (("企业", "所属企业类型"), "上市公司", "/企业/所属企业类型", "label.unknown"),
        (("企业", "注册地址"), "江苏省 徐州市 某区", "/企业/注册地址", "division.malformed"),
        (("企业", "上年度营业收入（万元）"), "三千", "/企业/上年度营业收入（万元）", "money.malformed"),
        (("企业", "微信号"), "x", "/企业/微信号", "field.unknown"),
        (("企业",), "某企业", "/企业", "object.expected"),
        (("发票", 0, "发票金额"), "5e3", "/发票/0/发票金额", "money.malformed"),
        (("发票", 0, "开票日期"), "2024-02-30", "/发票/0/开票日期", "day.impossible"),
        (("发票", 0, "发票照片"), {"文件名": "x.gif", "字节数": 1, "SHA-256": "ab" * 32}, "/发票/0/发票照片",
         "media_type.malformed"),
        (("发票", 0, "发票照片"), "x.jpg", "/发票/0/发票照片", "object.expected"),
        (("发票",), {}, "/发票", "list.expected"),
        (("合同", "合同文件"), {"文件名": "x.pdf", "字节数": 0, "SHA-256": "ab" * 32}, "/合同/合同文件",
         "integer.out_of_range"),
        (("声明", "由第三方接单后转包"), "也许", "/声明/由第三方接单后转包", "label.unknown"),
        (("服务明细", 0, "服务类别"), "B9", "/服务明细/0/服务类别", "label.unknown"),
    ],
)  # fmt: skip
def test_a_fault_is_named_at_its_place_in_the_form(
    place: tuple[str | int, ...], value: Any, pointer: str, code: str
) -> None:
    form = some_form("jssic")
    inner: Any = form
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    assert faults(connector_for("jssic"), form)[pointer] == code


def test_an_empty_row_and_a_missing_field_are_at_fault_in_the_form() -> None:
    form = some_form("jssic")
    form["发票"].append({})
    del form["银行回单"][0]["回单流水号"]
    del form["合同"]["合同编号"]
    found = faults(connector_for("jssic"), form)
    last = len(form["发票"]) - 1
    assert found[f"/发票/{last}/发票编号"] == "field.required"
    assert found[f"/发票/{last}/发票金额"] == "field.required"
    assert found["/银行回单/0/回单流水号"] == "field.required"
    assert found["/合同/合同编号"] == "field.required"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("企业年x1.", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["企业", "发票", "合同", "发票编号", "订单类型", "声明", "服务完成证明", "x", "资质文件"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(sorted(CONNECTORS)))
def test_any_json_is_read_or_refused_with_its_faults(form: Any, key: tuple[str, Any]) -> None:
    assert faults(CONNECTORS[key], form)


@given(st.data())
def test_a_form_spoilt_in_any_place_is_read_or_refused_with_its_faults(data: st.DataObject) -> None:
    platform = data.draw(st.sampled_from(PLATFORMS))
    form = some_form(platform)
    inner: Any = form
    while True:
        step = data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
        if not isinstance(inner[step], dict | list) or not inner[step] or data.draw(st.booleans()):
            break
        inner = inner[step]
    inner[step] = data.draw(JSON)
    try:
        assert connector_for(platform).read(form).external_id
    except Invalid as refused:
        assert refused.errors  # noqa: PT017 - either outcome is one


def test_every_form_gives_every_required_field_of_what_it_makes() -> None:
    for one in CONNECTORS.values():
        with pytest.raises(Invalid) as refused:
            READERS[one.document.makes]({})
        needed = {error.pointer[1:] for error in refused.value.errors}
        given = {field.to[0] for field in one.document.fields if field.to} | {
            place[0] for place in one.document.constants
        }
        made_by_rules = {"platform", "tenant", "keys"} if one.document.makes == "support_record" else set()
        assert needed <= given | made_by_rules, one.document.name


def test_every_field_cites_its_document_or_says_that_it_is_ours() -> None:
    documents = all_documents()
    assert len(documents) == len({one.document.name for one in CONNECTORS.values()}) + _worksheets(documents)
    for document in documents:
        for field in document.fields:
            source, _, where = field.source.partition(" ")
            assert source == OURS or (source in document.sources and where), f"{document.name} {printed(field.form)}"


def _worksheets(documents: tuple[Any, ...]) -> int:
    return sum(document.name.startswith("worksheet") for document in documents)


def test_every_platform_of_the_directory_has_a_connector() -> None:
    assert {platform for platform, _ in CONNECTORS} == set(platforms())


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('source = "S9 x"', "no such source"),
        ('source = "ours"\nas = "roman"', "no such spelling"),
        ('source = "ours"\nas = "label"', "labels go with"),
        ('source = "ours"\nas = "label"\nlabels = "x"', "no such list"),
        ('source = "ours"\nas = "file"', "its kind"),
        ('source = "ours"\ncolour = "red"', "colour"),
    ],
)
def test_a_form_document_at_fault_is_refused_with_its_place(line: str, named: str) -> None:
    head = 'platform = "p"\nzh = "x"\nen = "x"\nmakes = "claim"\n[sources]\nS1 = "x"\n'
    text = f'{head}[[fields]]\nform = "甲"\nto = "tenant"\n{line}\n'
    with pytest.raises(FormDocumentError, match=named):
        read_document("test", text)


def test_a_field_that_is_not_taken_over_says_why() -> None:
    text = 'platform = "p"\nzh = "x"\nen = "x"\nmakes = "claim"\n[sources]\n[[fields]]\nform = "甲"\nsource = "ours"\n'
    with pytest.raises(FormDocumentError, match="says why"):
        read_document("test", text)
