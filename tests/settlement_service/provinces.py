"""A province and a linked tenant, whose bank answers to both."""

from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from sqlalchemy import Connection, Engine

from settlement import ledger
from settlement.batches.batch import Batch
from settlement.batches.delivery import instruct
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, transaction
from tenants.kernel.money import Money
from tests.settlement_service.bench import OFFICE, OVER, Bench, new_tenant, shanghai

SEALED = shanghai("2024-10-15")
_DIVISIONS = count(700_000)
"""Six digits that no real region and no other test has."""


@dataclass
class Province:
    """A province's bench, a linked tenant's, and the division of each linked region."""

    bench: Bench
    linked: Bench
    own: str
    outside: str
    claims: list[UUID] = field(default_factory=list)

    @property
    def tenants(self) -> tuple[str, ...]:
        return self.bench.tenant, self.linked.tenant

    def match(self, claim_id: UUID, division: str, fen: int) -> None:
        """Post the claim's matching, as its approval does."""
        sides = (
            ledger.matching_account("provincial", 2024, division, "91320300MA1TEST00X"),
            ledger.matching_payable_account("provincial", 2024, division),
        )

        def post(connection: Connection) -> None:
            ledger.open_accounts(connection, self.bench.tenant, {sides[0]: True, sides[1]: False})
            transfer = ledger.posted(*sides, Money(fen), "matching", claim_id)
            ledger.append(connection, self.bench.tenant, [transfer], OVER)

        self.bench.do(post)

    def instruct(self, batch: Batch, tenant: str | None = None) -> Batch:
        at = OVER if tenant is None else SEALED
        with transaction(self.bench.app, Scope(self.tenants), FixedClock(at)) as work:
            return instruct(work.connection, tenant or self.bench.tenant, batch.id, OFFICE, at)

    def pay_out(self) -> Batch:
        """A batch of three claims, matched by the linked tenant, by another region, and not at all."""
        self.bench.set_account()
        self.claims = self.bench.approve("100.00", "200.00", "300.00")
        self.match(self.claims[0], self.own, 10_000)
        self.match(self.claims[1], self.outside, 5_000)
        batch = self.bench.release(self.bench.seal(self.bench.publish(self.bench.cut())))
        return self.instruct(batch)


def open_province(app: Engine, owner: Engine) -> Province:
    """A province whose awards a tenant and an outside region match."""
    own, outside = str(next(_DIVISIONS)), str(next(_DIVISIONS))
    made = Province(Bench(app, new_tenant(owner)), Bench(app, new_tenant(owner)), own, outside)
    with owner.begin() as connection:
        connection.exec_driver_sql(
            "update tenant set divisions = %s where tenant = %s", ([made.own], made.linked.tenant)
        )
    return made
