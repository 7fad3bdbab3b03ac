-- Where the policy publishes cut-offs for applications (运市科函〔2024〕6号 四（四）), a batch takes what was applied for by then.

alter table obligation add column applied_at timestamptz,
    add constraint obligation_applied_for_as_a_claim check (applied_at is null or kind is null);
comment on column obligation.applied_at is 'when the claim was submitted; null for what is no claim of the tenant''s own';

drop trigger obligation_kept on obligation;
alter table obligation no force row level security;
alter table claim no force row level security;
alter table obligation disable trigger obligation_taken_in;  -- which looks for batches, that an unbound owner does not see
update obligation o set applied_at = c.submitted_at
  from claim c where c.tenant = o.tenant and c.id = o.id and o.kind is null;
alter table obligation enable trigger obligation_taken_in;
alter table obligation force row level security;
alter table claim force row level security;

-- taking an open obligation into a batch is the common case and needs no look
create trigger obligation_kept before update on obligation for each row
    when (old.batch_id is not null or old.released_at is not null or new.batch_id is null or
          (old.tenant, old.id, old.claim_no, old.platform, old.scheme, old.mode, old.quota_year, old.enterprise_name,
           old.provider_name, old.provider_uscc, old.payee_name, old.account_name, old.account_sealed, old.payee_digest,
           old.bank_name, old.cnaps, old.amount_fen, old.approved_at, old.kind, old.funder, old.origin_id, old.due_on,
           old.provider_division, old.applied_at) is distinct from
          (new.tenant, new.id, new.claim_no, new.platform, new.scheme, new.mode, new.quota_year, new.enterprise_name,
           new.provider_name, new.provider_uscc, new.payee_name, new.account_name, new.account_sealed, new.payee_digest,
           new.bank_name, new.cnaps, new.amount_fen, new.approved_at, new.kind, new.funder, new.origin_id, new.due_on,
           new.provider_division, new.applied_at))
    execute function keep_obligation();
