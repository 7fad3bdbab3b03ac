"""The fiscal account that a tenant pays from (拨付账户), its number sealed at rest."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import Connection

from settlement.office import Office
from settlement.payouts.instruction import Account
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.errors import Conflict, not_found
from tenants.kernel.sealing import Place, mask_account

DEMONSTRATION_BANK: Final = "演示银行（虚构）"
DEMONSTRATION_CNAPS: Final = "000000000000"
_DEMONSTRATION_NUMBER: Final = "0000{:012d}"


@dataclass(frozen=True, slots=True)
class ShownAccount:
    """The account as people may see it: ``account_number`` is masked."""

    account_name: str
    account_number: str
    bank_name: str
    cnaps: str
    demonstration: bool
    set_by: str
    set_at: datetime

    def json(self) -> dict[str, Json]:
        """The account in the form of the API."""
        return {
            "account_name": self.account_name,
            "account_number": self.account_number,
            "bank_name": self.bank_name,
            "cnaps": self.cnaps,
            "demonstration": self.demonstration,
            "set_by": self.set_by,
            "set_at": plain(self.set_at),
        }


def set_payout_account(
    connection: Connection,
    tenant: str,
    account: Account,
    office: Office,
    actor: str,
    at: datetime,
    *,
    demonstration: bool = False,
) -> ShownAccount:
    """Set the account that the tenant's next batches are paid from; sealed batches keep nothing of the one before.

    In a sandbox every account is a demonstration account, so that it pays nowhere else.
    """
    demonstration = demonstration or office.sandbox
    sealed = office.sealer.seal(account.account_number, _place(tenant))
    shown = mask_account(account.account_number)
    connection.exec_driver_sql(
        "insert into payout_account (tenant, account_name, account_number_sealed, account_number_tail, bank_name, "
        "cnaps, demonstration, set_by, set_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "on conflict (tenant) do update set account_name = excluded.account_name, "
        "account_number_sealed = excluded.account_number_sealed, account_number_tail = excluded.account_number_tail, "
        "bank_name = excluded.bank_name, cnaps = excluded.cnaps, demonstration = excluded.demonstration, "
        "set_by = excluded.set_by, set_at = excluded.set_at",
        (tenant, account.account_name, sealed, shown, account.bank_name, account.cnaps, demonstration, actor, at),
    )
    details: dict[str, Json] = {"account_name": account.account_name, "account_number": shown, "cnaps": account.cnaps}
    record(connection, [Change(tenant, actor, "payout_account.set", _subject(tenant), details=details)], at)
    return show_payout_account(connection, tenant)


def show_payout_account(connection: Connection, tenant: str) -> ShownAccount:
    """The tenant's account with its number masked.

    Raises:
        NotFound: it was never set.
    """
    row = connection.exec_driver_sql(
        "select account_name, account_number_tail, bank_name, cnaps, demonstration, set_by, set_at "
        "from payout_account where tenant = %s",
        (tenant,),
    ).one_or_none()
    if row is None:
        raise not_found("拨付账户", "payout account")
    return ShownAccount(*row)


def debtor_account(connection: Connection, tenant: str, office: Office) -> Account:
    """The account to pay from, opened.

    Raises:
        Conflict: ``payout_account.unset``, or ``payout_account.demonstration`` outside demonstration mode.
    """
    row = connection.exec_driver_sql(
        "select account_name, account_number_sealed, bank_name, cnaps, demonstration from payout_account "
        "where tenant = %s",
        (tenant,),
    ).one_or_none()
    if row is None:
        raise Conflict(
            "payout_account.unset",
            "尚未设置该区域的拨付账户，请先设置。",
            "The tenant's payout account is not set; set it first.",
        )
    if row.demonstration and not office.demonstration:
        raise Conflict(
            "payout_account.demonstration",
            "拨付账户是演示账户，不能用于真实拨付，请先设置真实账户。",
            "The payout account is a demonstration account and pays nothing real; set the real one first.",
        )
    number = office.sealer.unseal(bytes(row.account_number_sealed), _place(tenant))
    return Account(row.account_name, number, row.bank_name, row.cnaps)


def seed_demonstration_accounts(connection: Connection, tenants: dict[str, str], office: Office, at: datetime) -> None:
    """Give each tenant (id to name) without an account one that says of itself that it is a demonstration (演示账户).

    Raises:
        ValueError: the service does not run in demonstration mode.
    """
    if not office.demonstration:
        raise ValueError("demonstration accounts exist in demonstration mode only")
    taken = {tenant for (tenant,) in connection.exec_driver_sql("select tenant from payout_account")}
    for number, (tenant, name) in enumerate(sorted(tenants.items()), start=1):
        if tenant not in taken:
            account = Account(
                f"演示账户·{name}财政专户",
                _DEMONSTRATION_NUMBER.format(number),
                DEMONSTRATION_BANK,
                DEMONSTRATION_CNAPS,
            )
            set_payout_account(connection, tenant, account, office, "system", at, demonstration=True)


def _place(tenant: str) -> Place:
    return Place("payout_account", "account_number_sealed", tenant, tenant)


def _subject(tenant: str) -> UUID:
    """The id under which the audit chain speaks of a tenant's account."""
    return uuid5(NAMESPACE_OID, f"payout-account/{tenant}")
