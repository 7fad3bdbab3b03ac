-- What a linked region recovers of a matching that it had paid on an award that was asked back since: in parts or whole,
-- never more than is to be recovered, each by its voucher. Recorded by the region where it is a tenant (`linked`).
create table matching_recovery (
    tenant       text not null,
    id           uuid not null,
    claim_id     uuid not null,
    linked       text references tenant check (linked <> tenant),
    amount_fen   bigint not null check (amount_fen > 0),
    recovered_on date not null,
    document     text not null,
    recorded_by  text not null,
    recorded_at  timestamptz not null,
    primary key (tenant, id),
    constraint matching_recovery_once unique (tenant, claim_id, document),
    foreign key (tenant, claim_id) references matching_due (tenant, claim_id),
    check (recovered_on <= (recorded_at at time zone 'Asia/Shanghai')::date)
);

create function keep_matching_recovery() returns trigger language plpgsql as $$
declare
    due public.matching_due;
begin
    select d.* into due from public.matching_due d where d.tenant = new.tenant and d.claim_id = new.claim_id
        for no key update;
    if due.paid_on is null or due.linked is distinct from new.linked
       or new.amount_fen + (select coalesce(sum(r.amount_fen), 0) from public.matching_recovery r
                             where r.tenant = new.tenant and r.claim_id = new.claim_id) > due.recover_fen then
        raise exception 'no more is recovered of a matching than was paid and asked back'
            using errcode = '23514', constraint = 'matching_recovery_within';
    end if;
    return new;
end $$;
create trigger matching_recovery_within before insert on matching_recovery
    for each row execute function keep_matching_recovery();
create trigger matching_recovery_append_only before update or delete on matching_recovery
    for each row execute function refuse_change();
create trigger matching_recovery_never_emptied before truncate on matching_recovery
    for each statement execute function refuse_change();

alter table matching_recovery enable row level security, force row level security;
create policy either_side on matching_recovery to clearing_app using (tenant = any ((select bound_tenants())::text[])
                                                                      or linked = any ((select bound_tenants())::text[]));
revoke all on matching_recovery from public;
revoke all on function keep_matching_recovery() from public;
grant select, insert on matching_recovery to clearing_app;
grant select on matching_recovery to clearing_auditor;
