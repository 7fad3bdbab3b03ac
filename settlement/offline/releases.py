"""The releasers' signatures: each over this very seal, by as many people as it says, none of whom is its maker."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from settlement.offline.difference import Findings, Place
from settlement.offline.evidence import RELEASE, Keys, RefusedError, checked, decoded, encoded, instant
from tenants.kernel.canonical import canonical_bytes

_PLACE: Final = Place("manifest.json")
_SEALED: Final = ("tenant", "batch", "batch_id", "seal_no", "merkle_root", "count", "total", "previous_seal")
"""What a release repeats of the seal."""


@dataclass(frozen=True, slots=True)
class _Release:
    number: int
    needed: int
    released_by: str


def check_releases(content: Mapping[str, Any], keys: Keys, findings: Findings) -> None:
    """Note what is wrong with the releases of a manifest of the right form, whose seal is checked elsewhere."""
    seal = content["seal"]
    try:
        sealed = json.loads(decoded(seal["payload"]))
        maker, sealed_at = str(sealed["sealed_by"]), instant(sealed["sealed_at"])
        [entry] = seal["signatures"]
    except (RefusedError, ValueError, KeyError, TypeError):
        findings.add(_PLACE, "seal.malformed", "封存记录格式不正确。", "The seal is malformed.")
        return
    digest = sha256(f"{entry['protected']}.{seal['payload']}.{entry['signature']}".encode()).hexdigest()
    expected = {"seal_sha256": digest, **{name: sealed.get(name) for name in _SEALED}}
    found = [_read(each, content, expected, (sealed_at, keys), findings) for each in content["releases"]]
    _check_people(maker, [each for each in found if each is not None], findings, whole=None not in found)


def _read(
    record: Mapping[str, Any],
    content: Mapping[str, Any],
    expected: Mapping[str, object],
    since: tuple[datetime, Keys],
    findings: Findings,
) -> _Release | None:
    """One release whose signature holds, with everything noted that it should not say; ``None`` for any other."""
    sealed_at, keys = since
    try:
        [entry] = record["signatures"]
        payload, key = checked(f"{entry['protected']}.{record['payload']}.{entry['signature']}", RELEASE, keys)
        said = json.loads(payload)
        person, at = str(said["released_by"]), instant(said["released_at"])
        release = _Release(int(said["number"]), int(said["needed"]), person)
        key.require(content["tenant"], at)
    except RefusedError as refusal:
        findings.add(_PLACE, refusal.code, f"放行签名：{refusal.zh}", f"Release: {refusal.en}")
        return None
    except (ValueError, KeyError, TypeError):
        findings.add(_PLACE, "release.malformed", "放行签名格式不正确。", "A release is malformed.")
        return None
    for name, value in expected.items():
        findings.expect(_PLACE, f"release {name}", value, said.get(name))
    if key.holder != encoded(sha256(canonical_bytes({"person": person, "tenant": content["tenant"]})).digest()):
        findings.add(
            _PLACE, "release.holder", f"放行签名所用密钥不是 {person} 的。", f"It is not signed by {person}'s own key."
        )
    if not sealed_at <= at <= instant(content["created_at"]):
        findings.add(
            _PLACE,
            "release.time",
            "放行时间不在封存与生成指令之间。",
            "It was not released between the seal and the instructions.",
        )
    return release


def _check_people(maker: str, releases: list[_Release], findings: Findings, *, whole: bool) -> None:
    """Maker and releasers are different people, and as many released as were needed."""
    people = [each.released_by for each in releases]
    if not releases and whole:
        findings.add(
            _PLACE,
            "release.missing",
            "只有经办人的签名，没有放行人的签名。",
            "It bears the maker's signature alone: no releaser has signed.",
        )
    if maker in people or len(set(people)) < len(people):
        findings.add(
            _PLACE,
            "release.same_person",
            "经办与放行（或两次放行）是同一人。",
            "One person made and released it, or released it twice.",
        )
    for number, each in enumerate(releases, start=1):
        if whole and (each.number != number or each.needed != len(releases)):
            findings.add(
                _PLACE,
                "release.incomplete",
                f"应有 {each.needed} 位放行人依次签名，实有 {len(releases)} 位。",
                f"{each.needed} releasers have to sign in their order; {len(releases)} did.",
            )
            return
