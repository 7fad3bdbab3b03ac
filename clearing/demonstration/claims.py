"""Realistic claims of four platforms, some of them planted: the same list for the same seed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

from clearing.demonstration.claim_body import Body, Order, claim_body, payee, some_amount
from clearing.demonstration.disguises import CORRECTIONS, DISGUISES, DUPLICATES, re_submitted
from clearing.demonstration.parties import DELTA_SELLERS, PILOT, Party, Seller, enterprise_in, provider_of
from clearing.demonstration.programmes import JIANGSU_PROVINCIAL, PROGRAMMES, WUJIANG_DELTA, Programme
from tenants.kernel.clock import SHANGHAI
from tenants.kernel.money import ZERO, Money

DUPLICATES_PERCENT: Final = 12
CORRECTIONS_PERCENT: Final = 4
RETURNING_PERCENT: Final = 30
"""Claims of an enterprise that has claimed before."""
FIRST_DAY: Final = datetime(2024, 8, 29, 8, 30, tzinfo=SHANGHAI)
DAYS: Final = 27
"""Days of submission: with a clock at 27 September none is older than the 30 days that a late delivery may be."""
_TWIN_WITHIN_DAYS: Final = 5
_MINUTES_OF_A_DAY: Final = 9 * 60
_PLAIN_BELOW: Final = Money(4_000_000)
"""Only claims that meet no cap are planted upon, so that the planted fault alone decides."""
_PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class GeneratedClaim:
    """A claim to be submitted through ``platform``.

    ``planted`` names the fault (a key of ``disguises.PLANTED_STATES``) and ``twin_of`` the external id of the honest
    claim for the same spending, which comes earlier in the list.
    """

    platform: str
    body: Body
    planted: str | None = None
    twin_of: str | None = None


@dataclass(frozen=True, slots=True)
class _Made:
    """A generated claim with what it was made from."""

    claim: GeneratedClaim
    order: Order


def generate(seed: int, count: int) -> list[GeneratedClaim]:
    """``count`` claims in the order of their submission, about an eighth of them planted duplicates."""
    maker = _Maker(seed)
    corrections = [CORRECTIONS[number % len(CORRECTIONS)] for number in range(count * CORRECTIONS_PERCENT // _PERCENT)]
    duplicates = [DUPLICATES[number % len(DUPLICATES)] for number in range(count * DUPLICATES_PERCENT // _PERCENT)]
    crossing = duplicates.count("other_platform")
    made = [maker.honest(maker.crossing_order()) for _ in range(crossing)]
    made += [maker.honest() for _ in range(count - crossing - len(duplicates) - len(corrections))]
    plain = _plain(made)
    made += [maker.duplicate(kind, plain) for kind in duplicates]
    made += [maker.faulty(kind) for kind in corrections]
    made.sort(key=lambda one: (one.order.submitted_at, str(one.claim.body["external_id"])))
    return [one.claim for one in made]


def cross_redemption(seed: int, reservation_id: UUID | None, face_value: Money) -> GeneratedClaim:
    """A Wujiang enterprise's claim for a Jiashan provider, which is paid the voucher's face value (通兑).

    The same seed always buys the same; without a reservation it is the draft whose enterprise, provider and contract
    are to be reserved. The enterprise has paid the rest of the price.

    Raises:
        ValueError: the face value is not below the price.
    """
    maker = _Maker(seed)
    seller = next(seller for seller in DELTA_SELLERS if seller.division == PILOT["jiashan"].division)
    order = replace(maker.order(WUJIANG_DELTA), provider=maker.seller(seller), provider_kind=seller.kind)
    order = replace(order, amount=Money(2_000_000 + 100_000 * maker.rng.randrange(60)))
    body = claim_body(maker.rng, maker.external_id(order), order)
    rest = order.amount - face_value
    if rest <= ZERO:
        raise ValueError("the face value of a voucher is below the price")
    receipts = [body["receipts"][0] | {"amount": str(rest)}]
    body |= {
        "mode": "cross_redemption",
        "receipts": receipts,
        "payee": payee(order.provider),
        "reservation_id": None if reservation_id is None else str(reservation_id),
    }
    return GeneratedClaim(order.programme.platform, body)


def support_record(body: Body, platform: str, tenant: str, external_id: str) -> Body:
    """The record of a local platform that has already supported the spending that a claim states."""
    return {
        "platform": platform,
        "external_id": external_id,
        "tenant": tenant,
        "enterprise_uscc": body["enterprise"]["uscc"],
        "keys": [
            {"kind": "invoice", "value": (invoice["code"] or "") + invoice["number"], "amount": invoice["amount"]}
            for invoice in body["invoices"]
        ],
        "supported_on": body["receipts"][0]["paid_on"],
    }


def _plain(made: list[_Made]) -> list[_Made]:
    """Honest claims early enough to have a twin, below every cap, of enterprises that claim once."""
    claims_of: dict[str, int] = {}
    for one in made:
        claims_of[one.order.enterprise.uscc] = claims_of.get(one.order.enterprise.uscc, 0) + 1
    latest = FIRST_DAY + timedelta(days=DAYS - _TWIN_WITHIN_DAYS)
    return [
        one
        for one in made
        if claims_of[one.order.enterprise.uscc] == 1
        and one.order.amount < _PLAIN_BELOW
        and one.order.submitted_at < latest
    ]


def _suits(kind: str, one: _Made) -> bool:
    invoices = one.claim.body["invoices"]
    match kind:
        case "joined":
            return all(invoice["code"] is not None for invoice in invoices)
        case "taken_apart":
            return all(invoice["code"] is None for invoice in invoices)
        case "other_platform":
            order = one.order
            in_wujiang = order.enterprise.division == PILOT["wujiang"].division
            return order.programme == JIANGSU_PROVINCIAL and in_wujiang and order.enterprise_type == "tech_sme"
        case _:
            return True


class _Maker:
    """Makes claims one after the other from one stream of random numbers."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)  # noqa: S311 - made-up data, no secret
        self._count = 0
        self._known: dict[Programme, list[tuple[Party, str]]] = {}
        self._sellers: dict[Seller, Party] = {}

    def honest(self, order: Order | None = None) -> _Made:
        """A claim that states nothing wrong, for this order or for any."""
        order = self.order(self._programme()) if order is None else order
        return self._made(order, claim_body(self.rng, self.external_id(order), order))

    def crossing_order(self) -> Order:
        """An order at the provincial platform by a Wujiang enterprise, which the Delta platform would serve as well."""
        return replace(
            self.order(JIANGSU_PROVINCIAL, returning=False),
            enterprise=enterprise_in(self.rng, PILOT["wujiang"]),
            enterprise_type="tech_sme",
            amount=Money(100_000 * self.rng.randrange(5, 40)),
            submitted_at=FIRST_DAY + timedelta(minutes=self.rng.randrange(_MINUTES_OF_A_DAY)),
        )

    def duplicate(self, kind: str, plain: list[_Made]) -> _Made:
        """A claim of this kind for the spending of a plain claim, which is then used up; honest where none suits."""
        crossing_first = plain if kind == "other_platform" else reversed(plain)
        original = next((one for one in crossing_first if _suits(kind, one)), None)
        if original is None:
            return self.honest(self.order(self._programme(), returning=False))
        plain.remove(original)
        later = timedelta(days=self.rng.randrange(1, _TWIN_WITHIN_DAYS), minutes=self.rng.randrange(60))
        order = replace(original.order, submitted_at=original.order.submitted_at + later)
        if kind == "other_platform":
            order = replace(order, programme=WUJIANG_DELTA, service=self.rng.choice(WUJIANG_DELTA.services))
        return self._made(order, self._twin(kind, original, order), kind, original)

    def faulty(self, kind: str) -> _Made:
        """A claim that has to be sent back."""
        made = self.honest(self.order(self._programme(), returning=False))
        DISGUISES[kind](self.rng, made.claim.body)
        return self._made(made.order, made.claim.body, kind)

    def order(self, programme: Programme, *, returning: bool = True) -> Order:
        """An order in the programme, by a new enterprise or, where that is allowed, by one that returns."""
        known = self._known.setdefault(programme, []) if returning else []
        if known and self.rng.randrange(_PERCENT) < RETURNING_PERCENT:
            enterprise, kind = self.rng.choice(known)
        else:
            enterprise, kind = self._new_enterprise(programme), self.rng.choice(programme.types)
            known.append((enterprise, kind))
        seller = self.rng.choice(programme.sellers)
        return Order(
            programme=programme,
            enterprise=enterprise,
            enterprise_type=kind,
            provider=self.seller(seller),
            provider_kind=seller.kind,
            service=self.rng.choice(programme.services),
            amount=some_amount(self.rng),
            submitted_at=FIRST_DAY
            + timedelta(
                days=self.rng.randrange(DAYS),
                minutes=self.rng.randrange(_MINUTES_OF_A_DAY),
                seconds=self.rng.randrange(60),
            ),
        )

    def seller(self, seller: Seller) -> Party:
        """The seller, with the same codes in every claim."""
        if seller not in self._sellers:
            self._sellers[seller] = provider_of(self.rng, seller)
        return self._sellers[seller]

    def external_id(self, order: Order) -> str:
        """The next order number of the platform, such as ``CXQ202408291003``."""
        self._count += 1
        return f"{order.programme.serial}{order.submitted_at:%Y%m%d}{1000 + self._count}"

    def _programme(self) -> Programme:
        return self.rng.choices(PROGRAMMES, weights=[programme.weight for programme in PROGRAMMES])[0]

    def _new_enterprise(self, programme: Programme) -> Party:
        weights = [region.weight for region in programme.regions]
        return enterprise_in(self.rng, self.rng.choices(programme.regions, weights=weights)[0])

    def _twin(self, kind: str, original: _Made, order: Order) -> Body:
        external_id = self.external_id(order)
        honest = original.claim.body
        if kind == "same_document":
            body = claim_body(self.rng, external_id, order)
            body["documents"][1] |= {"sha256": honest["documents"][1]["sha256"]}
            return body
        body = re_submitted(self.rng, honest, external_id) | {"submitted_at": order.submitted_at.isoformat()}
        body |= {"tenant": order.programme.tenant, "scheme": order.programme.scheme}
        body["services"][0]["item"] = order.service[0]
        if kind == "other_enterprise":
            self._change_hands(body, replace(order, enterprise=self._new_enterprise(order.programme)))
        else:
            DISGUISES[kind](self.rng, body)
        return body

    def _change_hands(self, body: Body, order: Order) -> None:
        """Another enterprise claims with the same invoices."""
        other = claim_body(self.rng, body["external_id"], order)
        body |= {name: other[name] for name in ("enterprise", "payee")}
        body["contract"]["number"] = other["contract"]["number"]
        for invoice in body["invoices"]:
            invoice.pop("buyer_uscc", None)

    @staticmethod
    def _made(order: Order, body: Body, planted: str | None = None, original: _Made | None = None) -> _Made:
        twin_of = None if original is None else str(original.claim.body["external_id"])
        return _Made(GeneratedClaim(order.programme.platform, body, planted, twin_of), order)
