"""Lines of support records made ready without an object for each: what nearly every line of a file allows (P3).

What is made is, to the byte, what :func:`clearing.claims.support_columns.ready` makes of the records that the lines
state. Where one of them is not sound, meets another or is not the caller's, nothing is made: the lines then go the
general way, which says what is the matter.
"""

from collections.abc import Hashable, Iterator, Sequence
from datetime import date
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from clearing.claims.fingerprint import are_whole
from clearing.claims.free_keys import FEW, Holdings, key_columns
from clearing.claims.keyring import Keyring, Versions
from clearing.claims.support_chunk import committed_by
from clearing.claims.support_columns import EPOCH, SCHEME, Ready
from clearing.claims.support_keys import identity
from clearing.claims.vault import content_macs
from connectors.support_lines import Columns, read_columns
from settlement.signatures.merkle import leaf_hash
from tenants.kernel.arrays import bigints, byteas, smallints, texts

LINES_TOGETHER: Final = 1_000
"""Lines whose values are held at a time: those of more fall out of the processor's cache before they are used."""
MONTH_CHARACTERS: Final = len("2024-06")


def lines_ready(
    keyring: Keyring, written: Sequence[int], platform: str | None, tenants: Sequence[str], lines: Sequence[bytes]
) -> Ready | None:
    """The lines made ready for these versions of the registry's key, or ``None``: see above.

    Raises:
        Unavailable: this process has no file with one of the keys.
    """
    if len(lines) < FEW:
        return None
    parts, versions = list[_Part](), keyring.under(written)
    for first in range(0, len(lines), LINES_TOGETHER):
        part = _part(keyring, versions, lines[first : first + LINES_TOGETHER], first)
        if part is None or part.platform != platform or part.tenant != (parts or [part])[0].tenant:
            return None
        parts.append(part)
    run = parts[0]
    external_ids, macs, days, counts, digests = map(_whole, zip(*[part.columns for part in parts], strict=True))
    holdings = Holdings(*map(_whole, zip(*[part.holdings for part in parts], strict=True)))
    if run.tenant not in tenants or _repeat(external_ids) or _repeat(holdings.digests):
        return None
    columns = (texts(external_ids), byteas(macs), bigints(days), smallints(counts), smallints([0] * len(lines)))
    ordered = key_columns(holdings)
    return Ready(tuple(written), run.tenant, run.platform, tuple(counts), columns, *ordered, committed_by(digests))


class _Part(NamedTuple):
    """Some of the lines; ``columns``: external ids, keyed digests, days, numbers of keys, digests of the leaves."""

    platform: str
    tenant: str
    columns: tuple[Sequence[Any], ...]
    holdings: Holdings


def _part(keyring: Keyring, versions: Versions, lines: Sequence[bytes], first: int) -> _Part | None:
    """The lines, of which the first is record number ``first`` of the run; ``None`` where one does not allow it."""
    stated = read_columns(lines)
    holdings = None if stated is None else _holdings(versions, stated, first)
    if stated is None or holdings is None:
        return None
    macs = content_macs(keyring, _contents(stated))
    numbers = {day: date.fromisoformat(day).toordinal() - EPOCH for day in set(stated.days)}
    days, digests = [numbers[day] for day in stated.days], list(map(leaf_hash, _leaves(stated, macs)))
    return _Part(stated.platform, stated.tenant, (stated.external_ids, macs, days, stated.counts, digests), holdings)


def _whole(columns: Sequence[Sequence[Any]]) -> list[Any]:
    """The column of all parts."""
    return list(chain.from_iterable(columns))


def _repeat(values: Sequence[Hashable]) -> bool:
    """Whether one of the values stands there twice."""
    return len(set(values)) < len(values)


def _holdings(versions: Versions, stated: Columns, first: int) -> Holdings | None:
    """The keys of all records under every version; ``None`` where one cannot be read."""
    places = list(range(len(stated.counts)))
    enterprises, days = stated.enterprises, stated.days
    if len(stated.kinds) > len(places):
        places = [place for place, count in enumerate(stated.counts) for _ in range(count)]
        enterprises, days = [enterprises[place] for place in places], [days[place] for place in places]
    named: Sequence[str] = stated.values
    if not (set(stated.kinds) == {"invoice"} and are_whole(stated.values)):
        named = list(map(identity, stated.kinds, stated.values, enterprises, stated.providers))
    if not all(named):
        return None
    fen, digests_of = [one.fen for one in stated.amounts], {one: versions.enterprise(one) for one in set(enterprises)}
    months, holders = [day[:MONTH_CHARACTERS] for day in days], [first + place for place in places]
    parts = [
        Holdings(
            digests, stated.kinds, [version] * len(places), holders, [digests_of[one][version] for one in enterprises],
            [SCHEME] * len(places), months, [one or 0 for one in fen], fen,
        )
        for version, digests in versions.columns(stated.kinds, named)
    ]  # fmt: skip
    return parts[0] if len(parts) == 1 else Holdings(*map(_whole, zip(*parts, strict=True)))


def _contents(stated: Columns) -> list[bytes]:
    """What :func:`clearing.claims.support_columns.content` makes of each record; there is nothing to be escaped."""
    keys = [
        f'{{"amount":{amount.printed},"by":null,"kind":"{kind}","value":"{value}"}}'
        if by is None
        else f'{{"amount":{amount.printed},"by":"{by}","kind":"{kind}","value":"{value}"}}'
        for kind, value, amount, by in zip(stated.kinds, stated.values, stated.amounts, stated.providers, strict=True)
    ]
    listed = keys if len(keys) == len(stated.counts) else list(_joined(keys, stated.counts))
    whose = f'],"platform":"{stated.platform}","supported_on":"'
    ends = {day: f'{whose}{day}","tenant":"{stated.tenant}"}}' for day in set(stated.days)}
    each = zip(stated.enterprises, stated.external_ids, listed, stated.days, strict=True)
    return [
        f'{{"enterprise_uscc":"{enterprise}","external_id":"{external_id}","keys":[{keys}{ends[day]}'.encode()
        for enterprise, external_id, keys, day in each
    ]


def _joined(keys: Sequence[str], counts: Sequence[int]) -> Iterator[str]:
    left = iter(keys)
    for count in counts:
        yield ",".join(islice(left, count))


def _leaves(stated: Columns, macs: Sequence[bytes]) -> list[bytes]:
    """What :func:`clearing.claims.support_chunk.leaf` makes of each record."""
    return [
        f'["{external_id}","{mac.hex()}","{day}",{count},false,null]'.encode()
        for external_id, mac, day, count in zip(stated.external_ids, macs, stated.days, stated.counts, strict=True)
    ]
