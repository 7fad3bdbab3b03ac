"""Imports of qualifications and admissions from tables: all rows or none, each fault at its cell."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from clearing.tenancy.admissions import AdmissionRow, Entry, Proof, enter_all
from clearing.tenancy.governing import Year
from clearing.tenancy.proofs import Application, ProofDocument
from clearing.tenancy.qualifications import QualificationRow, apply_for_all
from connectors.claim_schema import DOCUMENT_KINDS, NAME_CHARACTERS, PROVIDER_KINDS
from connectors.faults import Fault, explain
from connectors.fields import FOUNDED_FROM_YEAR, DayField, DivisionField, Sha256Field, UsccField
from connectors.leaf import ChoiceField, CodeField, TextField
from connectors.table_file import Column, Line, read_table, refuse
from tenants.kernel.canonical import Json
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Text
from tenants.policy import Policy

T = TypeVar("T")

QUALIFICATION_COLUMNS: Final = (
    Column("uscc", ("统一社会信用代码",), required=True),
    Column("name", ("单位名称", "企业名称"), required=True),
    Column("enterprise_type", ("企业类型", "所属企业类型"), required=True),
    Column("number", ("资格编号", "入库登记编号", "入库编号")),
    Column("issued_on", ("发证日期",)),
    Column("documents", ("证明文件",)),
    Column("resident_of", ("入驻地",)),
    Column("division", ("注册地区划代码", "注册地")),
    Column("from_on", ("起始日",)),
)
ADMISSION_COLUMNS: Final = (
    Column("uscc", ("统一社会信用代码",), required=True),
    Column("name", ("服务单位名称", "单位名称"), required=True),
    Column("division", ("注册地区划代码", "注册地"), required=True),
    Column("kind", ("服务单位类型", "单位性质"), required=True),
    Column("established_on", ("注册成立时间", "成立日期")),
    Column("qualifications", ("资质",)),
    Column("on_platform", ("入驻平台",)),
    Column("platform_number", ("平台编号",)),
    Column("from_on", ("起始日",)),
    Column("through_on", ("截止日", "有效期至")),
)
PROVIDER_KIND_NAMES: Final = {
    "高等学校": "university", "科研院所": "institute", "事业单位": "public_institution", "国有企业": "state_owned",
    "新型研发机构": "new_rd_institution", "科技公共服务平台": "public_platform", "企业": "company",
}  # fmt: skip
_YES_NO: Final = {"是": True, "否": False, "true": True, "false": False, "TRUE": True, "FALSE": False}
_DAY: Final = re.compile(r"([0-9]{4})[/年]([0-9]{1,2})[/月]([0-9]{1,2})日?\Z", re.ASCII)
_BETWEEN: Final = re.compile(r"[;；、\s]+")

_uscc, _name, _code = UsccField().read, TextField(NAME_CHARACTERS).read, CodeField(r"[a-z][a-z0-9_]{0,47}").read
_number, _kind, _division = TextField(64).read, ChoiceField(PROVIDER_KINDS).read, DivisionField().read
_day, _founded = DayField().read, DayField(earliest=FOUNDED_FROM_YEAR).read
_sha256, _document = Sha256Field().read, ChoiceField(DOCUMENT_KINDS).read


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import stored: rows that count at once, and rows that wait for a decision; the others stood before."""

    rows: int
    admitted: int
    waiting: int
    unchanged: int

    def json(self) -> dict[str, Json]:
        """As it is answered."""
        return {
            "rows": self.rows, "admitted": self.admitted, "waiting": self.waiting, "unchanged": self.unchanged,
        }  # fmt: skip


def import_qualifications(work: Work, actor: str, year: Year, content: bytes) -> Imported:
    """Enter every row as an application for the year.

    Raises:
        Malformed: it is no table.
        Invalid: with each faulty cell; nothing is stored.
    """
    names = {kind.zh: kind.code for kind in year.policy.enterprise.types}
    lines = read_table(content, QUALIFICATION_COLUMNS)
    applications = _read_lines(lines, lambda line: _application(line, names))
    return _imported(work, lines, apply_for_all(work, actor, year, applications))


def import_admissions(work: Work, actor: str, policy: Policy, content: bytes) -> Imported:
    """Enter every row as a provider of the scheme's directory.

    Raises:
        Malformed: it is no table.
        Invalid: with each faulty cell; nothing is stored.
    """
    lines = read_table(content, ADMISSION_COLUMNS)
    return _imported(work, lines, enter_all(work, actor, policy, _read_lines(lines, _entry)))


def _imported(
    work: Work,
    lines: Sequence[Line],
    outcomes: Sequence[QualificationRow | tuple[FieldError, ...]] | Sequence[AdmissionRow | tuple[FieldError, ...]],
) -> Imported:
    faults = [
        line.fault(fault.pointer.removeprefix("/"), fault.code, fault.message)
        for line, outcome in zip(lines, outcomes, strict=True)
        if isinstance(outcome, tuple)
        for fault in outcome
    ]
    if faults:
        raise refuse(faults)
    stored = [row for row in outcomes if not isinstance(row, tuple)]
    new = [row for row in stored if row.entered_at == work.at]
    admitted = sum(row.state == "admitted" for row in new)
    return Imported(len(stored), admitted, len(new) - admitted, len(stored) - len(new))


def _read_lines(lines: Sequence[Line], read: Callable[[Line], "T | list[FieldError]"]) -> list[T]:
    """What the lines say, if all of them say it well and of each party once."""
    made: list[T] = []
    faults: list[FieldError] = []
    seen: dict[str | None, int] = {}
    for line in lines:
        one = read(line)
        if isinstance(one, list):
            faults += one
            continue
        uscc = _uscc(line.text("uscc"))
        if uscc in seen:
            said = Text(f"与第 {seen[uscc]} 行重复。", f"It stands in row {seen[uscc]} already.")
            faults.append(line.fault("uscc", "row.repeated", said))
        seen.setdefault(uscc, line.number)
        made.append(one)
    if faults:
        raise refuse(faults)
    return made


class _Reading:
    """One line being read; ``faults`` grows as it goes."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.faults: list[FieldError] = []

    def take(self, column: str, read: Callable[[Any], T], *, required: bool = False) -> T | None:
        """What the column holds, if it can be read."""
        text = self._line.text(column)
        if text is None:
            if required:
                self._fault(column, "text.blank")
            return None
        try:
            return read(text)
        except Fault as fault:
            self._fault(column, str(fault))
            return None

    def _fault(self, column: str, printed: str) -> None:
        self.faults.append(self._line.fault(column, *explain(printed)))


def _application(line: Line, names: Mapping[str, str]) -> Application | list[FieldError]:
    row = _Reading(line)
    uscc, name = row.take("uscc", _uscc, required=True), row.take("name", _name, required=True)
    kind = row.take("enterprise_type", lambda text: names.get(text) or _code(text), required=True)
    number = row.take("number", _number)
    issued_on, from_on = row.take("issued_on", lenient_day(_day)), row.take("from_on", lenient_day(_day))
    documents = row.take("documents", lambda text: tuple(_documents(text)))
    resident_of = row.take("resident_of", lambda text: tuple(map(_code, words_of(text))))
    division = row.take("division", _division)
    if row.faults or uscc is None or name is None or kind is None:
        return row.faults
    return Application(uscc, name, kind, number, issued_on, documents or (), resident_of or (), from_on, division)


def _entry(line: Line) -> Entry | list[FieldError]:
    row = _Reading(line)
    uscc, name = row.take("uscc", _uscc, required=True), row.take("name", _name, required=True)
    division = row.take("division", _division, required=True)
    kind = row.take("kind", lambda text: _kind(PROVIDER_KIND_NAMES.get(text, text)), required=True)
    established_on = row.take("established_on", lenient_day(_founded))
    proofs = row.take("qualifications", lambda text: tuple(_proofs(text)))
    on_platform, number = row.take("on_platform", _yes_no), row.take("platform_number", _number)
    from_on, through_on = row.take("from_on", lenient_day(_day)), row.take("through_on", lenient_day(_day))
    if row.faults or uscc is None or name is None or division is None or kind is None:
        return row.faults
    return Entry(uscc, name, division, kind, established_on, on_platform, number, proofs or (), from_on, through_on)


def lenient_day(read: Callable[[Any], T]) -> Callable[[str], T]:
    """Days as spreadsheets write them too: ``2024/8/1`` and ``2024年8月1日``."""

    def day(text: str) -> T:
        found = _DAY.match(text)
        return read(text if found is None else f"{found[1]}-{found[2]:0>2}-{found[3]:0>2}")

    return day


def _yes_no(text: str) -> bool:
    if text not in _YES_NO:
        raise Fault("choice.unknown", "是、否")
    return _YES_NO[text]


def _documents(text: str) -> Iterator[ProofDocument]:
    """``kind:sha256``, several with spaces or semicolons between."""
    for word in words_of(text):
        kind, _, digest = word.partition(":")
        yield ProofDocument(_document(kind), _sha256(digest))


def _proofs(text: str) -> Iterator[Proof]:
    """``CMA:2027-12-31``, with the certificate's number behind a second colon where there is one."""
    for word in words_of(text):
        kind, _, rest = word.partition(":")
        day, _, number = rest.partition(":")
        yield Proof(_number(kind), lenient_day(_day)(day), number or None)


def words_of(text: str) -> list[str]:
    """The words of a cell that holds several."""
    return [word for word in _BETWEEN.split(text.replace("：", ":")) if word]
