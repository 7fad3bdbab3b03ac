-- An objection to an item without a claim of its own is upheld by two people: nothing of the item is paid (withdrawn), less
-- of it (lowered), or, where it is issued again, it is back with what came back, for another account (returned).

create table objection_upholding (
    tenant        text not null,
    id            uuid not null,
    objection_id  uuid not null,
    obligation_id uuid not null,
    outcome       text not null check (outcome in ('withdrawn', 'lowered', 'returned')),
    keeps_fen     bigint not null check (keeps_fen >= 0),
    reason        text not null,
    proposed_by   text not null,
    proposed_at   timestamptz not null,
    primary key (tenant, id),
    unique (tenant, id, objection_id, obligation_id, proposed_by),
    foreign key (tenant, objection_id, obligation_id) references objection (tenant, id, claim_id),
    check ((keeps_fen > 0) = (outcome = 'lowered'))
);
comment on column objection_upholding.keeps_fen is 'what is still paid of the item, by another obligation';
create index objection_upholding_of on objection_upholding (tenant, obligation_id);

create table objection_upholding_decision (
    tenant        text not null,
    upholding_id  uuid not null,
    objection_id  uuid not null,
    obligation_id uuid not null,
    proposed_by   text not null,
    outcome       text not null check (outcome in ('approve', 'refuse')),
    reason        text,
    instead_id    uuid,
    decided_by    text not null,
    decided_at    timestamptz not null,
    primary key (tenant, upholding_id),
    unique (tenant, upholding_id, objection_id, obligation_id),
    foreign key (tenant, upholding_id, objection_id, obligation_id, proposed_by)
        references objection_upholding (tenant, id, objection_id, obligation_id, proposed_by),
    foreign key (tenant, instead_id) references obligation (tenant, id),
    constraint objection_upholding_four_eyes check (decided_by <> proposed_by),
    check (outcome = 'approve' or (reason is not null and instead_id is null))
);
create unique index objection_upheld_once on objection_upholding_decision (tenant, objection_id) where outcome = 'approve';
create index objection_upholding_decision_of on objection_upholding_decision (tenant, obligation_id);
create unique index objection_upheld_instead on objection_upholding_decision (tenant, instead_id) where instead_id is not null;

-- An objection is resolved by letting the item be paid, or by upholding it.
alter table objection_resolution add column upholding_id uuid,
    add constraint objection_resolution_upheld foreign key (tenant, upholding_id, objection_id, obligation_id)
        references objection_upholding_decision (tenant, upholding_id, objection_id, obligation_id);
comment on column objection_resolution.upholding_id is 'the decision that upheld the objection; null where the item may be paid';

-- What was upheld is paid nothing: its obligation has ended; less of it is another obligation, of what is kept.
create function check_upheld_item() returns trigger language plpgsql security definer as $$
begin
    if new.outcome = 'approve' and not exists (
        select 1 from public.objection_upholding u
          join public.obligation o on o.tenant = u.tenant and o.id = u.obligation_id
          join public.objection_resolution r on r.tenant = u.tenant and r.objection_id = u.objection_id
          left join public.obligation i on i.tenant = u.tenant and i.id = new.instead_id
         where u.tenant = new.tenant and u.id = new.upholding_id and r.upholding_id = u.id
           and o.released_at is not null and u.keeps_fen < o.amount_fen and coalesce(i.amount_fen, 0) = u.keeps_fen) then
        raise exception 'an item whose objection is upheld has ended' using errcode = '23514', constraint = 'objection_upheld_ends';
    end if;
    if new.outcome = 'refuse' and exists (select 1 from public.objection_resolution r
                                           where r.tenant = new.tenant and r.upholding_id = new.upholding_id) then
        raise exception 'what was refused upholds nothing' using errcode = '23514', constraint = 'objection_upheld_ends';
    end if;
    return null;
end $$;
create constraint trigger objection_upheld_ends after insert on objection_upholding_decision
    deferrable initially deferred for each row execute function check_upheld_item();
revoke all on function check_upheld_item() from public;

do $$
declare t text;
begin
    foreach t in array array['objection_upholding', 'objection_upholding_decision'] loop
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

-- ------------------------------------------------------------------------------- what is issued again, more than once

-- What came back is taken up once; where an objection to that was upheld because of its account, once more, by another
-- correction, and so on.
alter table reissue add column attempt smallint not null default 1 check (attempt > 0),
    drop constraint reissue_once,
    add constraint reissue_once unique (tenant, of_obligation, attempt),
    add constraint reissue_by_its_correction unique (tenant, correction_id);
alter table reissue alter column attempt drop default;

create view reissue_undone with (security_invoker = true) as
select u.tenant, u.obligation_id, d.decided_at from objection_upholding u
  join objection_upholding_decision d on d.tenant = u.tenant and d.upholding_id = u.id and d.outcome = 'approve'
 where u.outcome = 'returned';
comment on view reissue_undone is 'payments issued again that are back with what came back, by an objection that was upheld';
grant select on reissue_undone to clearing_app, clearing_auditor;

create function keep_reissue_once() returns trigger language plpgsql security definer as $$
begin
    if new.attempt > 1 and not exists (
        select 1 from public.reissue r join public.reissue_undone e on e.tenant = r.tenant and e.obligation_id = r.obligation_id
         where r.tenant = new.tenant and r.of_obligation = new.of_obligation and r.attempt = new.attempt - 1) then
        raise exception 'what came back is issued again once' using errcode = '23505', constraint = 'reissue_once';
    end if;
    return new;
end $$;
create trigger reissue_once_more before insert on reissue for each row execute function keep_reissue_once();
revoke all on function keep_reissue_once() from public;

-- What became of a payment that came back is what became of the last attempt to issue it again.
create or replace function payout_state(wanted_tenant text, wanted_id uuid) returns text language sql stable as $$
    select case b.state
               when 'cut' then 'batched' when 'in_publicity' then 'in_publicity'
               when 'sealed' then 'payable' when 'released' then 'payable'
               else case when b.instructed_at is null then case b.state when 'closed' then 'paid' end
                         when s.back then coalesce(public.payout_state(o.tenant, r.obligation_id), 'returned')
                         when s.paid then 'paid' else 'instructed' end end
      from public.obligation o
      join public.batch b on b.tenant = o.tenant and b.id = o.batch_id
      left join public.reissue r on r.tenant = o.tenant and r.of_obligation = o.id
       and r.attempt = (select max(l.attempt) from public.reissue l where l.tenant = r.tenant and l.of_obligation = r.of_obligation)
      left join lateral (
           select bool_or(x.outcome in ('returned', 'rejected')) as back, bool_or(x.outcome = 'paid') as paid
             from public.instruction_claim i join public.instruction_outcome x
               on x.tenant = i.tenant and x.instruction_id = i.instruction_id
            where i.tenant = o.tenant and i.claim_id = o.id) s on b.instructed_at is not null
     where o.tenant = wanted_tenant and o.id = wanted_id and o.released_at is null
$$;
