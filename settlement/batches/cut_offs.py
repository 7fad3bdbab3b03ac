"""Up to when a batch takes claims: as a rule up to an instant of approval.

Where the policy publishes cut-offs for applications, as Shanxi's two a year (运市科函〔2024〕6号 四（四）), they say
which claims belong to which batch: those applied for by then, whenever their review ends.
"""

from collections.abc import Sequence
from datetime import datetime

from tenants.kernel.clock import SHANGHAI, shanghai_day
from tenants.kernel.errors import Conflict
from tenants.policy import Policy


def published_cut_offs(versions: Sequence[Policy]) -> tuple[datetime, ...]:
    """The cut-offs for applications that the scheme's versions publish, in their order; most have none."""
    return tuple(sorted({at for version in versions for year in version.quota_year.cut_offs for at in year.at}))


def application_cut_off(published: Sequence[datetime], named: datetime | None, now: datetime) -> datetime:
    """Up to which instant of application a batch takes claims; on a published cut-off's day it is that cut-off.

    By default the last of the published ones that has passed: what was applied for since then waits for the next.

    Raises:
        Conflict: ``batch.cut_off_ahead``: none is named, and none has passed.
    """
    if named is not None:
        return next((at for at in published if at <= named and shanghai_day(at) == shanghai_day(named)), named)
    passed = [at for at in published if at <= now]
    if not passed:
        first = f"{published[0].astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
        raise Conflict(
            "batch.cut_off_ahead",
            f"本券种按申请截止时间分批兑付，首个截止时间 {first} 未到；到时再切批，或指明截止时刻。",
            f"This scheme is paid by cut-offs for applications, and the first, {first}, lies ahead. Cut the batch "
            "then, or name a cut-off.",
        )
    return passed[-1]
