"""What settlement needs of the running service: its secrets, and whether it only demonstrates."""

from dataclasses import dataclass, field

from tenants.kernel.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Office:
    """The secrets at hand while batches are worked on; ``demonstration`` lets demonstration accounts pay.

    ``sealer`` seals account numbers, contacts and files at rest; ``kek`` wraps the signing keys.
    """

    sealer: Sealer
    kek: bytes = field(repr=False)
    demonstration: bool
