-- ------------------------------------------------------------------------------------------------------- clawed back

-- Money that was paid and is asked back: never more than was paid, and never more recovered than was asked.
create table clawback (
    tenant      text not null,
    id          uuid not null,
    claim_id    uuid not null,
    amount_fen  bigint not null check (amount_fen > 0),
    reason      text not null,
    sanction_id uuid,
    made_by     text not null,
    made_at     timestamptz not null,
    primary key (tenant, id),
    foreign key (tenant, claim_id) references claim (tenant, id),
    foreign key (tenant, claim_id) references obligation (tenant, id),
    foreign key (tenant, sanction_id) references standing (tenant, id)
);
create index clawback_of on clawback (tenant, claim_id);

create table clawback_recovery (
    tenant         text not null,
    id             uuid not null,
    clawback_id    uuid not null,
    amount_fen     bigint not null check (amount_fen > 0),
    bank_reference text not null,
    recorded_by    text not null,
    recorded_at    timestamptz not null,
    primary key (tenant, id),
    constraint clawback_recovery_once unique (tenant, clawback_id, bank_reference),
    foreign key (tenant, clawback_id) references clawback (tenant, id)
);

create function keep_clawback() returns trigger language plpgsql security definer as $$
begin
    perform 1 from public.obligation o where o.tenant = new.tenant and o.id = new.claim_id for no key update;
    if public.payout_state(new.tenant, new.claim_id) is distinct from 'paid' then
        raise exception 'only what was paid is clawed back' using errcode = '23514', constraint = 'clawback_of_paid';
    end if;
    if new.amount_fen + (select coalesce(sum(k.amount_fen), 0) from public.clawback k
                          where k.tenant = new.tenant and k.claim_id = new.claim_id)
       > (select o.amount_fen from public.obligation o where o.tenant = new.tenant and o.id = new.claim_id) then
        raise exception 'more is clawed back than was paid' using errcode = '23514', constraint = 'clawback_within_paid';
    end if;
    return new;
end $$;
create trigger clawback_within before insert on clawback for each row execute function keep_clawback();

create function keep_recovery() returns trigger language plpgsql security definer as $$
declare asked bigint;
begin
    select k.amount_fen into asked from public.clawback k where k.tenant = new.tenant and k.id = new.clawback_id for update;
    if new.amount_fen + (select coalesce(sum(r.amount_fen), 0) from public.clawback_recovery r
                          where r.tenant = new.tenant and r.clawback_id = new.clawback_id) > asked then
        raise exception 'more is recovered than was asked back' using errcode = '23514',
            constraint = 'clawback_recovery_within';
    end if;
    return new;
end $$;
create trigger clawback_recovery_within before insert on clawback_recovery for each row execute function keep_recovery();
revoke all on function keep_clawback(), keep_recovery() from public;

do $$
declare t text;
begin
    foreach t in array array['clawback', 'clawback_recovery'] loop
        execute format('create trigger %I before update or delete on %I for each row execute function refuse_change()',
                       t || '_append_only', t);
        execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
                       t || '_never_emptied', t);
        execute format('alter table %I enable row level security, force row level security', t);
        execute format('create policy tenant_only on %I to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]))', t);
        execute format('revoke all on %I from public', t);
        execute format('grant select, insert on %I to clearing_app', t);
        execute format('grant select on %I to clearing_auditor', t);
    end loop;
end $$;

drop view claim_now;
create view claim_now with (security_invoker = true) as
select c.*, o.batch_id,
       case when c.state <> 'approved' or o.batch_id is null then c.state
            else case b.state when 'cut' then 'batched' when 'in_publicity' then 'in_publicity'
                              when 'sealed' then 'payable' when 'released' then 'payable'
                              else coalesce((select 'clawed_back' from clawback k
                                              where k.tenant = c.tenant and k.claim_id = c.id
                                             having sum(k.amount_fen) = c.award_fen), payout_state(c.tenant, c.id)) end
       end as state_now
  from claim c
  left join obligation o on o.tenant = c.tenant and o.id = c.id and o.released_at is null
  left join batch b on b.tenant = o.tenant and b.id = o.batch_id;
grant select on claim_now to clearing_app, clearing_auditor;
