"""Policy documents (政策文件): TOML text to :class:`~tenants.policy.Policy` and back, content-addressed.

A shipped file may inherit a frame (``inherits = "delta"``): its tables are laid over the frame's, value by value, and a
value takes its citation along. What is stored, hashed and shown is the resolved document in canonical form.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.policy import Policy
from tenants.policy_checks import faults_of
from tenants.policy_codec import Reading, print_record

MAX_DOCUMENT_BYTES: Final = 256 * 1024
MAX_DOTS: Final = 16
"""Dots on one line outside texts and comments; a policy needs three."""
MAX_FRAMES: Final = 4
"""Frames that one document may inherit one after another."""
DOCUMENTS_KEPT: Final = 512
"""Parsed documents kept in memory; a version's text never changes."""

_SHIPPED: Final = Path(__file__).parent / "regions"
_DEMONSTRATION: Final = Path(__file__).parent / "regions_demonstration"
_FRAMES: Final = "frames"
_INHERITS: Final = "inherits"

_TOO_LARGE: Final = Text("政策文件超过大小上限。", "The policy document is over its size limit.")
_TOO_DEEP: Final = Text("政策文件嵌套过深。", "The policy document is nested too deep.")
_LONG_STRING: Final = Text("不接受多行字符串。", "Strings over several lines are not accepted.")
_LONG_QUOTED: Final = Text("不接受多行字符串。", "Strings over several lines are not accepted.")
_INHERITS_FAULT: Final = Text("没有可继承的框架文件，或继承过深。", "There is no such frame, or frames go too deep.")
_PATH: Final = Text("文件所在目录与内容不符。", "The file lies elsewhere than its content says.")
_QUOTED: Final = re.compile(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*')


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """One version's canonical text, the SHA-256 (lower-case hex) of its UTF-8 bytes, and what it says."""

    text: str
    digest: str
    policy: Policy


def read_document(text: str, frames: Mapping[str, str] | None = None) -> PolicyDocument:
    """The document that the TOML text spells, resolved over the named frames.

    Raises:
        Invalid: ``policy.document``, with the place and reason of every fault.
    """
    data = _resolve(text, frames or {})
    reading = Reading()
    policy = reading.record(Policy, data)
    faults = tuple(reading.faults) if policy is None else faults_of(policy)
    if policy is None or faults:
        raise _invalid(*faults)
    canonical = print_record(policy)
    return PolicyDocument(canonical, sha256(canonical.encode()).hexdigest(), policy)


@lru_cache(maxsize=DOCUMENTS_KEPT)
def read_policy(text: str) -> Policy:
    """The policy that a resolved document spells; the same text answers the same object.

    Raises:
        Invalid: see :func:`read_document`.
    """
    return read_document(text).policy


def print_policy(policy: Policy) -> str:
    """The policy's canonical text, which :func:`read_policy` reads back to an equal policy."""
    return print_record(policy)


def load_shipped() -> tuple[PolicyDocument, ...]:
    """The policies of law that come with the product, by tenant, scheme and effective date.

    Raises:
        Invalid: a shipped file is at fault.
    """
    return _load(_SHIPPED)


def load_demonstration() -> tuple[PolicyDocument, ...]:
    """The demonstration policies (not law), which the service refuses outside demonstration mode.

    Raises:
        Invalid: a shipped file is at fault.
    """
    return _load(_DEMONSTRATION)


@cache
def shipped_frames() -> Mapping[str, str]:
    """The frames that come with the product, by the name that a document inherits them by."""
    return {
        path.stem: path.read_text(encoding="utf-8")
        for root in (_SHIPPED, _DEMONSTRATION)
        for path in sorted((root / _FRAMES).glob("*.toml"))
    }


@cache
def _load(folder: Path) -> tuple[PolicyDocument, ...]:
    found = []
    for path in sorted(folder.glob("*/*/*.toml")):
        document = read_document(path.read_text(encoding="utf-8"), shipped_frames())
        policy = document.policy
        if path.relative_to(folder).parts != (policy.tenant, policy.scheme, f"{policy.effective_on}.toml"):
            raise _invalid(FieldError("/", "path", _PATH))
        found.append(document)
    return tuple(found)


def _resolve(text: str, frames: Mapping[str, str], depth: int = 0) -> dict[str, object]:
    own = _parse(text)
    frame = own.pop(_INHERITS, None)
    if frame is None:
        return own
    if not isinstance(frame, str) or frame not in frames or depth >= MAX_FRAMES:
        raise _invalid(FieldError(f"/{_INHERITS}", "unknown_frame", _INHERITS_FAULT))
    return _lay_over(_resolve(frames[frame], frames, depth + 1), own)


def _lay_over(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Tables merge key by key; terms (tables with a ``value``), arrays and plain values replace."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and "value" not in value:
            merged[key] = _lay_over(old, value)
        else:
            merged[key] = value
    return merged


def _parse(text: str) -> dict[str, object]:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_DOCUMENT_BYTES:
        raise _invalid(FieldError("/", "too_large", _TOO_LARGE))
    _refuse_bombs(text)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise _invalid(FieldError("/", "too_deep", _TOO_DEEP)) from error
    except ValueError as error:  # what is not TOML, and days and numbers that cannot be
        zh, en = f"不是有效的 TOML：{error}", f"This is not valid TOML: {error}"
        raise _invalid(FieldError("/", "syntax", Text(zh, en))) from error


def _refuse_bombs(text: str) -> None:
    """Keep dotted keys short: the parser takes quadratic time over them (104 s for 120 KB).

    Strings over several lines, which no policy needs, would hide such a key from this look.
    """
    if '"""' in text or "'''" in text:
        raise _invalid(FieldError("/", "long_string", _LONG_STRING))
    if any(line.count(".") > MAX_DOTS for line in _QUOTED.sub("", text).splitlines()):
        raise _invalid(FieldError("/", "too_deep", _TOO_DEEP))


def _invalid(*faults: FieldError) -> Invalid:
    places = "；".join(f"{fault.pointer}：{fault.message.zh}" for fault in faults[:3])
    english = "; ".join(f"{fault.pointer}: {fault.message.en}" for fault in faults[:3])
    return Invalid(
        "policy.document", f"政策文件有误。{places}", f"The policy document is wrong. {english}", errors=faults
    )
