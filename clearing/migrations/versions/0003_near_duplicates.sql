-- Near duplicates: pairs of claims that look like one spending, and the models that found them.

create table similar_pair (
    tenant            text not null references tenant,
    id                uuid not null,
    claim_id          uuid not null,
    place             text not null,
    other_reference   uuid not null,
    other_platform    text not null,
    other_month       text not null check (other_month ~ '^[0-9]{4}-[0-9]{2}$'),
    other_place       text,
    probability_parts integer check (probability_parts between 1 and 1000000),
    fields            text,
    model_sha256      text not null check (model_sha256 ~ '^[0-9a-f]{64}$'),
    hold_id           uuid,
    found_at          timestamptz not null,
    resolved_at       timestamptz,
    resolved_by       text,
    outcome           text check (outcome in ('dismissed', 'confirmed')),
    reason            text,
    primary key (tenant, id),
    constraint similar_pair_once unique (tenant, claim_id, other_reference),
    foreign key (tenant, claim_id) references claim (tenant, id),
    foreign key (tenant, hold_id) references hold (tenant, id),
    check (num_nulls(other_place, probability_parts, fields) in (0, 3)),
    check (num_nulls(resolved_at, resolved_by, outcome, reason) in (0, 4)),
    check (hold_id is null or outcome is null)
);
comment on table similar_pair is 'the later claim''s tenant''s; a pair of claims is found once, whatever became of it';
comment on column similar_pair.probability_parts is 'in parts of a million; absent, like the fields, where the other claim is another tenant''s';
comment on column similar_pair.hold_id is 'the hold that decides the pair; without one it is an audit case, decided here';

create table similarity_model (
    id           uuid primary key,
    content      text not null,
    sha256       text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    pairs        integer not null check (pairs > 0),
    trained_by   text not null,
    trained_at   timestamptz not null
);
comment on column similarity_model.pairs is 'known pairs of the registry''s own that it was counted over';

create trigger similarity_model_append_only before update or delete on similarity_model
    for each row execute function refuse_change();
create trigger similarity_model_never_emptied before truncate on similarity_model
    for each statement execute function refuse_change();

create function keep_similar_pair() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.outcome is not null
       or to_jsonb(new) - array['resolved_at', 'resolved_by', 'outcome', 'reason']
          is distinct from to_jsonb(old) - array['resolved_at', 'resolved_by', 'outcome', 'reason'] then
        raise exception 'a pair that was found stays, and is decided once' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger similar_pair_kept before update or delete on similar_pair
    for each row execute function keep_similar_pair();

alter table similar_pair enable row level security, force row level security;
create policy tenant_only on similar_pair to clearing_app, clearing_owner
    using (tenant = any ((select bound_tenants())::text[]));

revoke all on similar_pair, similarity_model from public;
revoke all on function keep_similar_pair() from public;
grant select, insert on similar_pair, similarity_model to clearing_app;
grant update (resolved_at, resolved_by, outcome, reason) on similar_pair to clearing_app;
grant select on similar_pair, similarity_model to clearing_auditor;
