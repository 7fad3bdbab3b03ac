"""Imports of qualifications and admissions: all rows or none, each fault at its cell."""

import io
from datetime import UTC, datetime

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine

from clearing.tenancy.governing import governed_year, governing_policy
from clearing.tenancy.imports import Imported, import_admissions, import_qualifications
from tenants.kernel.clock import FixedClock, shanghai_day
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Invalid
from tests.intake.bodies import Programme, buyer, seller
from tests.intake.own_tenant import own_programme

AT = datetime(2024, 3, 1, 2, tzinfo=UTC)
HEADING = ["统一社会信用代码", "企业名称", "企业类型", "资格编号", "发证日期"]
DIRECTORY = ["统一社会信用代码", "服务单位名称", "注册地区划代码", "服务单位类型", "注册成立时间", "资质", "入驻平台"]


@pytest.fixture(scope="module")
def programme(owner: Engine, app: Engine) -> Programme:
    return own_programme(owner, app, lambda policy: policy)


def qualify(app: Engine, programme: Programme, content: bytes) -> Imported:
    def use_case(work: Work) -> Imported:
        year = governed_year(work, programme.tenant, None, 2024, demonstration=False)
        return import_qualifications(work, "录入", year, content)

    return run(app, Scope((programme.tenant,)), FixedClock(AT), use_case)


def admit(app: Engine, programme: Programme, content: bytes) -> Imported:
    def use_case(work: Work) -> Imported:
        policy = governing_policy(work, programme.tenant, None, shanghai_day(work.at), demonstration=False)
        return import_admissions(work, "录入", policy, content)

    return run(app, Scope((programme.tenant,)), FixedClock(AT), use_case)


def as_csv(*rows: list[str], encoding: str = "utf-8") -> bytes:
    return "\r\n".join(",".join(row) for row in rows).encode(encoding)


def as_workbook(*rows: list[str]) -> bytes:
    book, stream = Workbook(), io.BytesIO()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(stream)
    return stream.getvalue()


def count(app: Engine, programme: Programme, table: str) -> int:
    def use_case(work: Work) -> int:
        found = work.connection.exec_driver_sql(f"select count(*) from {table}")  # noqa: S608 - a table of ours
        return int(found.scalar_one())

    return run(app, Scope((programme.tenant,)), FixedClock(AT), use_case)


def test_every_row_of_a_csv_in_gb18030_is_entered_and_again_changes_nothing(app: Engine, programme: Programme) -> None:
    content = as_csv(
        HEADING,
        [buyer().uscc, "甲", "科技型中小企业", "202432011500000001", ""],
        [buyer().uscc, "乙", "high_tech", "", "2023/11/2"],
        [buyer().uscc, "丙", "高新技术企业", "", "2023年11月2日"],
        encoding="gb18030",
    )
    assert qualify(app, programme, content).json() == {"rows": 3, "admitted": 1, "waiting": 2, "unchanged": 0}
    later = run(
        app,
        Scope((programme.tenant,)),
        FixedClock(AT.replace(hour=3)),
        lambda work: import_qualifications(
            work, "录入", governed_year(work, programme.tenant, None, 2024, demonstration=False), content
        ),
    )
    assert later.json() == {"rows": 3, "admitted": 0, "waiting": 0, "unchanged": 3}


@pytest.mark.parametrize("form", [as_csv, as_workbook])
def test_one_faulty_cell_stores_nothing_and_every_fault_is_named(
    app: Engine, programme: Programme, form: object
) -> None:
    assert callable(form)
    before = count(app, programme, "qualification")
    twice = buyer().uscc
    content = form(
        HEADING,
        [buyer().uscc, "甲", "科技型中小企业", "202332011500000001", ""],
        ["91320300MA1XXXXX0X", "乙", "high_tech", "", "2023-13-01"],
        [twice, "", "高新技术企业", "", "2023-11-02"],
        [buyer().uscc, "丁", "独角兽", "", ""],
    )
    with pytest.raises(Invalid) as refused:
        qualify(app, programme, content)
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [
        ("/A3", "uscc.check_character"),
        ("/E3", "day.impossible"),
        ("/B4", "text.blank"),
        ("/C5", "code.malformed"),
    ]
    assert refused.value.errors[0].message.zh.startswith("单元格 A3")
    assert count(app, programme, "qualification") == before


def test_what_the_policy_refuses_is_named_at_its_cell_too(app: Engine, programme: Programme) -> None:
    before = count(app, programme, "qualification")
    content = as_csv(
        HEADING,
        [buyer().uscc, "甲", "科技型中小企业", "202432011500000001", ""],
        [buyer().uscc, "乙", "科技型中小企业", "202332011500000001", ""],
        [buyer().uscc, "丙", "高新技术企业", "", "2021-02-28"],
    )
    with pytest.raises(Invalid) as refused:
        qualify(app, programme, content)
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [
        ("/D3", "proof.number_of_year"),
        ("/E4", "proof.certificate_lapsed"),
    ]
    assert count(app, programme, "qualification") == before


def test_an_enterprise_twice_in_a_table_is_refused_at_its_second_row(app: Engine, programme: Programme) -> None:
    row = [buyer().uscc, "甲", "科技型中小企业", "202432011500000001", ""]
    with pytest.raises(Invalid) as refused:
        qualify(app, programme, as_csv(HEADING, row, row))
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [("/A3", "row.repeated")]


def test_a_directory_is_imported_from_a_workbook_with_kinds_in_chinese(app: Engine, programme: Programme) -> None:
    content = as_workbook(
        DIRECTORY,
        [seller().uscc, "大学", "320100", "高等学校", "1952-01-01", "", "是"],
        [seller().uscc, "检测公司", "320100", "企业", "2015-03-01", "CMA:2026-05-31:2312；CNAS：2027-01-01", "否"],
    )
    assert admit(app, programme, content).json() == {"rows": 2, "admitted": 1, "waiting": 1, "unchanged": 0}


def test_a_directorys_faults_are_named_at_their_cells(app: Engine, programme: Programme) -> None:
    before = count(app, programme, "admission")
    content = as_csv(
        DIRECTORY,
        [seller().uscc, "甲", "32010", "高等学校", "", "", "是"],
        [seller().uscc, "乙", "320100", "协会", "", "", "或许"],
        [seller().uscc, "丙", "320100", "企业", "2015-03-01", "CMA:2026-02-30", ""],
    )
    with pytest.raises(Invalid) as refused:
        admit(app, programme, content)
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [
        ("/C2", "division.malformed"),
        ("/D3", "choice.unknown"),
        ("/G3", "choice.unknown"),
        ("/F4", "day.impossible"),
    ]
    assert count(app, programme, "admission") == before
