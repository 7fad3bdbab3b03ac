"""Where claims in a state are found: each state from the side that has few others, never from all approved claims.

What a claim's state is, ``claim_now`` alone says; a source only names the claims that may be in it. States that follow
from a batch are looked for in the batches that can make them; what came back and what was asked back in the rows that
tell of it; what waits for a batch among the obligations that are in none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

OPEN: Final = frozenset({"on_hold", "in_review", "needs_correction"})
"""States that are a claim's own, whatever batch there may be."""
ENDED: Final = frozenset({"rejected", "withdrawn"})
"""The same, and nothing more happens to it."""
UNDER_WAY: Final = {
    "batched": ("cut",),
    "in_publicity": ("in_publicity",),
    "payable": ("sealed", "released"),
    "instructed": ("instructed",),
}
"""The states of a batch that make a claim's state while it is on its way to the bank."""
PAID_IN: Final = ("instructed", "settled", "closed")
"""The states of a batch in which claims may be paid."""
FEW_BATCHES: Final = 30
"""Up to so many batches each is asked for its first claims; where more have paid, most claims that were approved are
paid, and going through those is shorter."""


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of ``claim_now``, named ``c``, of the tenant ``t.bound``.

    ``sql`` is a ``from`` clause: ``{c}`` stands for the claims, ``{after}`` for where the page goes on. ``where`` says
    which claims are this source's. ``values`` fill the places of the ``sql``, ``own`` those of ``where``. Where a row
    beside them has ``many`` claims, only the first of each are looked at.
    """

    sql: str = "{c}"
    where: str = ""
    values: tuple[object, ...] = ()
    own: tuple[object, ...] = ()
    many: bool = False
    one: bool = False
    """Whether ``x.claim`` names each claim, in the order of ids, and is looked at by itself."""


ALL: Final = Source()
NONE: Final = Source(where=" and false")
"""Of states that there are not."""


def sources_of(states: Sequence[str], *, many_paid: bool) -> list[Source]:
    """Where the claims in these states are; no claim is in two of them."""
    wanted = set(states)
    found = [_of_their_own(sorted(own & wanted), own) for own in (OPEN, ENDED) if own & wanted]
    for state in sorted(wanted & UNDER_WAY.keys()):
        found += [_in_batches(state, UNDER_WAY[state]), _issued_again(state, UNDER_WAY[state])]
    if "paid" in wanted:
        found.append(_AMONG_APPROVED if many_paid else _IN_PAID_BATCHES)
    if "approved" in wanted:
        found.append(_IN_NO_BATCH)
    if "returned" in wanted:
        found.append(_told("returned", _CAME_BACK))
    if "clawed_back" in wanted:
        found.append(_told("clawed_back", _ASKED_BACK))
    return found or [NONE]


def _of_their_own(states: list[str], group: frozenset[str]) -> Source:
    listed = ", ".join(f"'{state}'" for state in sorted(group))
    return Source(where=f" and state = any(%s) and state in ({listed})", own=(states,))


def _in_batches(state: str, of: tuple[str, ...]) -> Source:
    return Source(
        "(select b.id as batch from batch b where b.tenant = t.bound and b.state = any(%s)) x cross join lateral {c}",
        " and batch_id = x.batch and state = 'approved' and state_now = %s", ([*of],), (state,), many=True,
    )  # fmt: skip


def _issued_again(state: str, of: tuple[str, ...]) -> Source:
    """Claims whose payment came back and was issued again: they are where the latest payment is."""
    return Source(
        "(select distinct u.id as claim from batch b join obligation o on o.tenant = b.tenant and o.batch_id = b.id "
        "and o.kind = 'reissue' and o.released_at is null cross join lateral (with recursive up (id) as (select o.id "
        "union all select r.of_obligation from up join reissue r on r.tenant = o.tenant and r.obligation_id = up.id) "
        "select id from up) u where b.tenant = t.bound and b.state = any(%s)) x cross join lateral {c}",
        " and id = x.claim and state = 'approved' and state_now = %s", ([*of],), (state,),
    )  # fmt: skip


def _told(state: str, told: str) -> Source:
    return Source(
        f"({told}) x cross join lateral {{c}}",
        " and id = x.claim and state = 'approved' and state_now = %s",
        own=(state,),
    )


_TOLD: Final = (
    "exists (select 1 from instruction_claim i join instruction_outcome u on u.tenant = i.tenant "
    "and u.instruction_id = i.instruction_id where i.tenant = claim_now.tenant and i.claim_id = claim_now.id and "
)
_IS_PAID: Final = (
    f"state = 'approved' and (({_TOLD} u.outcome = 'paid' offset 0) "  # noqa: S608 - our own words
    f"and not {_TOLD} u.outcome in ('returned', 'rejected') offset 0) and not exists (select 1 from clawback k "
    "where k.tenant = claim_now.tenant and k.claim_id = claim_now.id offset 0)) or state_now = 'paid')"
)
"""What the bank paid and nobody touched since is paid; only of the others it is asked what ``claim_now`` says.

Each is asked for by an index (``offset 0``): no list of all payments is made to look it up in.
"""
_AMONG_APPROVED: Final = Source(
    "(select o.id as claim from claim o where o.tenant = t.bound and o.state = 'approved'{after} order by o.id "
    "offset 0) x cross join lateral {c}",
    f" and id = x.claim and {_IS_PAID}",
    one=True,
)
_IN_PAID_BATCHES: Final = Source(
    "(select b.id as batch from batch b where b.tenant = t.bound and (b.state in ('settled', 'closed') "
    "or (b.state = 'instructed' and exists (select 1 from instruction_outcome u join instruction i "
    "on i.tenant = u.tenant and i.id = u.instruction_id where u.tenant = b.tenant and u.outcome <> 'accepted' "
    "and u.at >= b.instructed_at and i.batch_id = b.id offset 0)))) x cross join lateral {c}",
    f" and batch_id = x.batch and {_IS_PAID}",
    many=True,
)
"""A batch of which the bank has told nothing yet has nothing that is paid."""
_IN_NO_BATCH: Final = Source(
    "(select o.id as claim from obligation o where o.tenant = t.bound and o.batch_id is null and o.released_at is null "
    "and o.kind is null{after}) x cross join lateral {c}",
    " and id = x.claim and state_now = 'approved'",
)
_CAME_BACK: Final = (
    "select distinct i.claim_id as claim from instruction_outcome u join instruction_claim i on i.tenant = u.tenant "
    "and i.instruction_id = u.instruction_id where u.tenant = t.bound and u.outcome in ('returned', 'rejected')"
)
_ASKED_BACK: Final = "select distinct k.claim_id as claim from clawback k where k.tenant = t.bound"
