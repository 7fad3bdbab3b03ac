alter table claim add constraint claim_legs_within_base check (award_fen + matching_fen <= base_fen);

-- What a linked region comes to owe is what the claim's matching is, at most.
create function bound_matching_due() returns trigger language plpgsql as $$
begin
    if new.amount_fen > (select matching_fen from public.claim where tenant = new.tenant and id = new.claim_id) then
        raise exception 'more is due than the claim is matched with'
            using errcode = '23514', constraint = 'matching_due_within_matching';
    end if;
    return new;
end $$;
create trigger matching_due_bounded before insert on matching_due for each row execute function bound_matching_due();
revoke all on function bound_matching_due() from public;
