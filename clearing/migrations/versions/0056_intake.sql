-- Intake costs the database less: what a statement's transfers refer to is looked up together, not row by row.

alter table ledger_transfer drop constraint ledger_transfer_tenant_debit_fkey;
alter table ledger_transfer drop constraint ledger_transfer_tenant_credit_fkey;
alter table ledger_transfer drop constraint ledger_transfer_tenant_pending_id_of_pending_debit_credit__fkey;
alter table ledger_transfer drop constraint ledger_transfer_tenant_reverses_of_moved_credit_debit_amou_fkey;

create function keep_references() returns trigger language plpgsql security definer as $$
begin
    if exists (select 1 from (select a.tenant, a.debit as code from added a union select a.tenant, a.credit from added a) w
                where not exists (select 1 from public.ledger_account l where l.tenant = w.tenant and l.code = w.code)) then
        raise exception 'an account of the transfer is not open'
            using errcode = '23503', constraint = 'ledger_transfer_of_open_accounts', table = 'ledger_transfer';
    end if;
    -- a post or void repeats the accounts and the amount of a pending transfer, which it ends
    if exists (select 1 from added a where a.pending_id is not null and not exists (
            select 1 from public.ledger_transfer t
             where (t.tenant, t.id, t.is_pending, t.debit, t.credit, t.amount_fen)
                 = (a.tenant, a.pending_id, true, a.debit, a.credit, a.amount_fen))) then
        raise exception 'no such pending transfer'
            using errcode = '23503', constraint = 'ledger_transfer_ends_a_pending_one', table = 'ledger_transfer';
    end if;
    -- a reversal mirrors the accounts of a transfer that moved its amount
    if exists (select 1 from added a where a.reverses is not null and not exists (
            select 1 from public.ledger_transfer t
             where (t.tenant, t.id, t.is_pending, t.debit, t.credit, t.amount_fen)
                 = (a.tenant, a.reverses, false, a.credit, a.debit, a.amount_fen))) then
        raise exception 'no such transfer to be reversed'
            using errcode = '23503', constraint = 'ledger_transfer_reverses_a_moved_one', table = 'ledger_transfer';
    end if;
    return null;
end $$;
create trigger ledger_transfer_refers after insert on ledger_transfer
    referencing new table as added for each statement execute function keep_references();

-- An account that transfers may name stays, under its name: nothing above looks again.
create function keep_account() returns trigger language plpgsql as $$
begin
    raise exception 'an account is never closed or renamed' using errcode = '42501';
end $$;
create trigger ledger_account_stays before delete or update of tenant, code on ledger_account
    for each row execute function keep_account();
create trigger ledger_account_never_emptied before truncate on ledger_account
    for each statement execute function keep_account();
revoke execute on function keep_references(), keep_account() from public;
