-- In a table that grew since it was last looked at, any index of a tenant's rows looks as good as the key: of each
-- instruction all that the bank had told was read. Here each is looked up by its key, as settlement.statements does.

create or replace function check_settled_batch() returns trigger language plpgsql security definer as $$
begin
    if old.settled_at is not null and new.settled_at is distinct from old.settled_at then
        raise exception 'a settled batch stays settled' using errcode = '42501';
    end if;
    if old.settled_at is null and new.settled_at is not null and exists (
        select 1 from public.instruction i left join lateral (
               select 1 as told from public.instruction_outcome
                where tenant is not distinct from i.tenant and instruction_id = i.id and outcome in ('paid', 'rejected')
               offset 0) o on true
         where i.tenant = new.tenant and i.batch_id = new.id and o.told is null) then
        raise exception 'the bank has not told of each instruction' using errcode = '23514', constraint = 'batch_settled';
    end if;
    return new;
end $$;

create or replace function check_batch_settlement() returns trigger language plpgsql security definer as $$
begin
    if not exists (select 1 from public.batch b where b.tenant = new.tenant and b.id = new.batch_id
                      and b.settled_at <= new.made_at and (b.item_count, b.total_fen) = (new.item_count, new.total_fen)) then
        raise exception 'the statement is not of a settled batch' using errcode = '23514',
            constraint = 'batch_settlement_of_settled';
    end if;
    if not exists (
        select 1 from (
            select count(*) filter (where s.is_paid and not s.is_back) as paid,
                   coalesce(sum(s.fen) filter (where s.is_paid and not s.is_back), 0) as paid_fen,
                   count(*) filter (where s.is_back) as back, coalesce(sum(s.fen) filter (where s.is_back), 0) as back_fen,
                   count(*) filter (where s.is_rejected) as rejected,
                   coalesce(sum(s.fen) filter (where s.is_rejected), 0) as rejected_fen
              from (select i.id, i.amount_fen as fen, bool_or(o.outcome = 'paid') as is_paid,
                           bool_or(o.outcome = 'returned') as is_back, bool_or(o.outcome = 'rejected') as is_rejected
                      from public.instruction i
                      left join lateral (select outcome from public.instruction_outcome
                           where tenant is not distinct from i.tenant and instruction_id = i.id offset 0) o on true
                     where i.tenant = new.tenant and i.batch_id = new.batch_id group by i.id, i.amount_fen) s) f
         where (f.paid, f.paid_fen, f.back, f.back_fen, f.rejected, f.rejected_fen)
             = (new.paid_count, new.paid_fen, new.returned_count, new.returned_fen, new.rejected_count, new.rejected_fen)) then
        raise exception 'the statement is not what the bank told' using errcode = '23514',
            constraint = 'batch_settlement_as_told';
    end if;
    return new;
end $$;
