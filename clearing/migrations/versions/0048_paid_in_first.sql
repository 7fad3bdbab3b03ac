-- A batch that a settlement agent pays is not sent before its total is paid in: by the bank's word about the pay-in, or, where no bank
-- was called and none has spoken, by a person's who did not release the batch.

create table agent_paid_in (
    tenant   text not null,
    batch_id uuid not null,
    order_id uuid not null,
    reason   text not null check (reason <> ''),
    said_by  text not null check (said_by <> ''),
    said_at  timestamptz not null,
    primary key (tenant, batch_id),
    unique (tenant, order_id),
    foreign key (tenant, batch_id) references batch (tenant, id),
    foreign key (tenant, order_id) references clearing_order (tenant, id)
);
comment on table agent_paid_in is 'a person''s word that the batch''s pay-in has arrived, where no bank tells';

-- Whether the batch is an agent's to pay and its pay-in that stands has not arrived, or came back.
create function waits_for_pay_in(of_tenant text, of_batch uuid) returns boolean language sql stable as $$
    select exists (select 1 from public.batch b where b.tenant = of_tenant and b.id = of_batch and b.form = 'agent')
       and not exists (select 1 from public.agent_paid_in p join public.clearing_order o on o.tenant = p.tenant and o.id = p.order_id
                        where p.tenant = of_tenant and p.batch_id = of_batch and not exists (
                              select 1 from public.clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id))
       and not exists (select 1 from public.clearing_order o
                        where o.tenant = of_tenant and o.batch_id = of_batch
                          and not exists (select 1 from public.clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id)
                          and exists (select 1 from public.clearing_order_outcome x where x.tenant = o.tenant and x.order_id = o.id
                                         and x.outcome = 'paid')
                          and not exists (select 1 from public.clearing_order_outcome x where x.tenant = o.tenant
                                             and x.order_id = o.id and x.outcome = 'returned'))
$$;

create function check_paid_in_word() returns trigger language plpgsql security definer as $$
begin
    perform 1 from public.batch b where b.tenant = new.tenant and b.id = new.batch_id for no key update;
    if not exists (select 1 from public.clearing_order o join public.batch b on b.tenant = o.tenant and b.id = o.batch_id
                    where o.tenant = new.tenant and o.id = new.order_id and o.batch_id = new.batch_id and b.form = 'agent'
                      and not exists (select 1 from public.clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id)) then
        raise exception 'this is not the pay-in that stands' using errcode = '23514', constraint = 'agent_paid_in_of_batch';
    end if;
    if exists (select 1 from public.bank_submission s where s.tenant = new.tenant and s.order_id = new.order_id)
       or exists (select 1 from public.clearing_order_outcome x where x.tenant = new.tenant and x.order_id = new.order_id
                     and x.outcome <> 'accepted') then
        raise exception 'the bank tells of this pay-in' using errcode = '23514', constraint = 'agent_paid_in_by_bank';
    end if;
    if exists (select 1 from public.batch b where b.tenant = new.tenant and b.id = new.batch_id and b.released_by = new.said_by) then
        raise exception 'who released the batch does not say so' using errcode = '23514', constraint = 'agent_paid_in_four_eyes';
    end if;
    return new;
end $$;
create trigger agent_paid_in_true before insert on agent_paid_in for each row execute function check_paid_in_word();

create function check_batch_sent() returns trigger language plpgsql security definer as $$
begin
    perform 1 from public.batch b where b.tenant = new.tenant and b.id = new.batch_id for no key update;
    if public.waits_for_pay_in(new.tenant, new.batch_id) then
        raise exception 'the batch is not paid in to its agent' using errcode = '23514', constraint = 'bank_submission_batch_paid_in';
    end if;
    return new;
end $$;
create trigger bank_submission_of_batch before insert on bank_submission
    for each row when (new.batch_id is not null) execute function check_batch_sent();

-- The agent's account of a batch is back at zero once that is instructed, whatever is posted to it later: not only when the batch
-- changes, but whenever the account does.
create function check_agent_account_itself() returns trigger language plpgsql security definer as $$
begin
    if exists (select 1 from public.ledger_account a join public.batch b on b.tenant = a.tenant and b.batch_no = split_part(a.code, '/', 4)
                where a.tenant = new.tenant and a.code = new.code and a.credits_posted_fen <> a.debits_posted_fen
                  and b.instructed_at is not null) then
        raise exception 'the agent''s account of % is not back at zero', split_part(new.code, '/', 4)
            using errcode = '23514', constraint = 'ledger_agent_account_zero';
    end if;
    return null;
end $$;
create constraint trigger ledger_agent_account_zero after insert or update on ledger_account
    deferrable initially deferred for each row when (new.code like 'agent/%') execute function check_agent_account_itself();

create trigger agent_paid_in_append_only before update or delete on agent_paid_in
    for each row execute function refuse_change();
create trigger agent_paid_in_never_emptied before truncate on agent_paid_in
    for each statement execute function refuse_change();
alter table agent_paid_in enable row level security, force row level security;
create policy tenant_only on agent_paid_in to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]));
revoke all on agent_paid_in from public;
grant select, insert on agent_paid_in to clearing_app;
grant select on agent_paid_in to clearing_auditor;

-- ------------------------------------------------------------------------------------------- orders that go by themselves

alter table agreement add column sends_orders boolean not null default false,
    add constraint agreement_sends_orders check (not sends_orders or form = 'home_region');
comment on column agreement.sends_orders is 'whether orders between the two are sent to their banks without being asked for, once the window is confirmed';

revoke all on function waits_for_pay_in(text, uuid), check_paid_in_word(), check_batch_sent(), check_agent_account_itself() from public;
grant execute on function waits_for_pay_in(text, uuid) to clearing_app, clearing_owner;
