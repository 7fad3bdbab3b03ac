"""Lines of support records made ready without an object for each: what nearly every line of a file allows (P3).

What is made is, to the byte, what :func:`clearing.claims.support_columns.ready` makes of the records that the lines
state. Where one of them is not sound, meets another or is not the caller's, nothing is made: the lines then go the
general way, which says what is the matter.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain, islice
from typing import Final

from clearing.claims.fingerprint import are_whole
from clearing.claims.free_keys import FEW, Holdings, key_columns
from clearing.claims.keyring import Keyring, Versions
from clearing.claims.support_chunk import committed
from clearing.claims.support_columns import EPOCH, SCHEME, Ready
from clearing.claims.support_keys import identity
from clearing.claims.vault import content_macs
from connectors.support_lines import Columns, read_columns
from tenants.kernel.arrays import bigints, byteas, smallints, texts

MONTH_CHARACTERS: Final = len("2024-06")


def lines_ready(
    keyring: Keyring, written: Sequence[int], platform: str | None, tenants: Sequence[str], lines: Sequence[bytes]
) -> Ready | None:
    """The lines made ready for these versions of the registry's key, or ``None``: see above.

    Raises:
        Unavailable: this process has no file with one of the keys.
    """
    stated = read_columns(lines) if len(lines) >= FEW else None
    if stated is None or stated.platform != platform or stated.tenant not in tenants:
        return None
    holdings = _holdings(keyring.under(written), stated)
    if holdings is None or len(set(stated.external_ids)) < len(lines):
        return None
    macs = content_macs(keyring, _contents(stated))
    days = {day: date.fromisoformat(day).toordinal() - EPOCH for day in set(stated.days)}
    columns = (
        texts(stated.external_ids),
        byteas(macs),
        bigints([days[day] for day in stated.days]),
        smallints(stated.counts),
        smallints([0] * len(lines)),
    )
    entry = committed(_leaves(stated, macs))
    return Ready(tuple(written), stated.tenant, platform, tuple(stated.counts), columns, *key_columns(holdings), entry)


def _holdings(versions: Versions, stated: Columns) -> Holdings | None:
    """The keys of all records under every version; ``None`` where one cannot be read, or two are the same."""
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
    months = [day[:MONTH_CHARACTERS] for day in days]
    parts = [
        Holdings(
            digests, stated.kinds, [version] * len(places), places, [digests_of[one][version] for one in enterprises],
            [SCHEME] * len(places), months, [one or 0 for one in fen], fen,
        )
        for version, digests in versions.columns(stated.kinds, named)
    ]  # fmt: skip
    if any(len(set(part.digests)) < len(places) for part in parts):
        return None
    return parts[0] if len(parts) == 1 else Holdings(*[list(chain(*columns)) for columns in zip(*parts, strict=True)])


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
