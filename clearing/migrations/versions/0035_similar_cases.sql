-- Two claims that look alike are a case of the register: owned, due, late, decided once, seen from both sides.

alter table duplicate_case drop constraint duplicate_case_kind_check;
alter table duplicate_case add constraint duplicate_case_kind_check
    check (kind in ('hold', 'collision', 'red_letter', 'similar'));
alter table duplicate_case drop constraint duplicate_case_kinds;
alter table duplicate_case add constraint duplicate_case_kinds check (case kind
    when 'hold' then later_kind = 'claim'
    when 'collision' then later_kind = 'support' and earlier_kind = 'claim'
    when 'red_letter' then later_kind = 'support'
    when 'similar' then later_kind = 'claim' and earlier_kind = 'claim' and code = 'duplicate.similar' end);
comment on column duplicate_case.kind is 'hold: the later claim is held; collision: the earlier claim is held or was paid; red_letter: the earlier was paid; similar: the later is like the earlier, and held where it is unpaid';
-- a pair that was dismissed never comes back
create unique index duplicate_case_similar_once on duplicate_case (later_id, earlier_id) where kind = 'similar';

-- What was found is a case, and what was decided about the pair is decided in the register, and the other way round.
create function check_similar_case() returns trigger language plpgsql security definer as $$
declare
    decided boolean;
    said text;
begin
    select c.resolved_at is not null, c.outcome into decided, said from public.duplicate_case c
     where c.kind = 'similar' and c.later_tenant = new.tenant and c.later_id = new.claim_id
       and c.earlier_id = new.other_reference;
    if not found then
        if tg_op = 'INSERT' then
            raise exception 'the pair is no case' using errcode = '23514', constraint = 'similar_pair_is_case';
        end if;
        return null; -- found before pairs were cases
    end if;
    if new.outcome is not null and (not decided or said is distinct from
           case new.outcome when 'dismissed' then 'distinct' else 'earlier_stands' end) then
        raise exception 'the pair is decided otherwise than its case' using errcode = '23514',
            constraint = 'similar_pair_as_case';
    end if;
    return null;
end $$;
create constraint trigger similar_pair_is_case after insert or update on similar_pair
    deferrable initially deferred for each row execute function check_similar_case();
revoke all on function check_similar_case() from public;
