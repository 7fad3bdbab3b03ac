-- Everything that the database enforces, one line each: see structure.py. Only what the service's own schema and roles
-- say; what the superuser's installation says differs from place to place.
with ours as (
    select c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity
      from pg_class c where c.relnamespace = 'public'::regnamespace
), granted as (
    select format('table %I', c.relname) as what, coalesce(c.relacl, acldefault('r', c.relowner)) as acl, c.relowner as owner
      from ours c where c.relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select format('column %I.%I', c.relname, a.attname), a.attacl, c.relowner
      from ours c join pg_attribute a on a.attrelid = c.oid where a.attnum > 0 and a.attacl is not null
    union all
    select format('sequence %I', c.relname), coalesce(c.relacl, acldefault('s', c.relowner)), c.relowner
      from ours c where c.relkind = 'S'
    union all
    select format('function %s', p.oid::regprocedure), coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner
      from pg_proc p
     where p.pronamespace = 'public'::regnamespace
        or p.oid = 'pg_catalog.set_config(text, text, boolean)'::regprocedure
    union all
    select format('language %I', l.lanname), coalesce(l.lanacl, acldefault('l', l.lanowner)), l.lanowner
      from pg_language l where l.lanname = 'plpgsql'
    union all
    select 'schema public', coalesce(n.nspacl, acldefault('n', n.nspowner)), n.nspowner
      from pg_namespace n where n.nspname = 'public'
    union all
    select 'database', coalesce(d.datacl, acldefault('d', d.datdba)), d.datdba
      from pg_database d where d.datname = current_database()
)
select regexp_replace(line, '\s+', ' ', 'g') as line from (
select format('%s: owner %s, row-level security %s', case relkind when 'v' then 'view ' else 'table ' end || relname,
              pg_get_userbyid(relowner),
              case when relrowsecurity and relforcerowsecurity then 'forced' when relrowsecurity then 'on' else 'off' end)
       as line
  from ours where relkind in ('r', 'p', 'v', 'm', 'f', 'S')
union all
select format('grant on %s: %s may %s%s', g.what,
              case a.grantee when 0 then 'public' else pg_get_userbyid(a.grantee) end,
              string_agg(lower(a.privilege_type), ', ' order by a.privilege_type),
              case when bool_or(a.is_grantable) then ', and may grant it' else '' end)
  from granted g cross join lateral aclexplode(g.acl) a
 where a.grantee <> g.owner
 group by g.what, a.grantee
union all
select format('column %I.%I: %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
              case when a.attnotnull then ' not null' else '' end,
              coalesce(case a.attgenerated when '' then ' default ' else ' generated ' end
                       || pg_get_expr(d.adbin, d.adrelid), ''))
  from ours c join pg_attribute a on a.attrelid = c.oid
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
 where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
union all
select format('constraint %I.%I: %s%s%s', c.relname, k.conname, pg_get_constraintdef(k.oid),
              case when k.convalidated then '' else ', not validated' end,
              case when k.conenforced then '' else ', not enforced' end)
  from ours c join pg_constraint k on k.conrelid = c.oid where k.contype <> 'n'
union all
select format('index %s%s', pg_get_indexdef(i.indexrelid), case when i.indisvalid then '' else ', not valid' end)
  from ours c join pg_index i on i.indrelid = c.oid where c.relkind in ('r', 'p')
union all
select format('trigger %I.%I: %s, %s', c.relname, t.tgname, pg_get_triggerdef(t.oid),
              case t.tgenabled when 'O' then 'enabled' when 'D' then 'disabled' else t.tgenabled::text end)
  from ours c join pg_trigger t on t.tgrelid = c.oid where not t.tgisinternal
union all
select format('foreign key trigger of %I.%I: not enabled', c.relname, k.conname)
  from ours c join pg_trigger t on t.tgrelid = c.oid join pg_constraint k on k.oid = t.tgconstraint
 where t.tgisinternal and t.tgenabled <> 'O'
 group by c.relname, k.conname
union all
select format('policy %I.%I: %s for %s to %s using %s with check %s', tablename, policyname, permissive, cmd, roles, qual,
              coalesce(with_check, '-'))
  from pg_policies where schemaname = 'public'
union all
select format('function %s: owner %s%s%s, %s, %s, body %s', p.oid::regprocedure, pg_get_userbyid(p.proowner),
              case when p.prosecdef then ', as its owner' else '' end,
              case when p.proleakproof then ', leakproof' else '' end,
              case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
              coalesce(p.proconfig::text, 'no settings'), encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'))
  from pg_proc p where p.pronamespace = 'public'::regnamespace
   and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')
union all
select format('view %I: %s', c.relname, regexp_replace(pg_get_viewdef(c.oid), '\s+', ' ', 'g'))
  from ours c where c.relkind in ('v', 'm')
union all
select format('options of %I: %s', c.relname, array_to_string(p.reloptions, ', '))
  from ours c join pg_class p on p.oid = c.oid where p.reloptions is not null
union all
select format('rule %I.%I: %s', c.relname, r.rulename, pg_get_ruledef(r.oid))
  from ours c join pg_rewrite r on r.ev_class = c.oid where r.rulename <> '_RETURN'
union all
select format('role %I: %s', r.rolname, array_to_string(array_remove(array[
              case when r.rolsuper then 'superuser' end, case when r.rolbypassrls then 'sees all rows' end,
              case when r.rolcreaterole then 'makes roles' end, case when r.rolcreatedb then 'makes databases' end,
              case when r.rolreplication then 'replicates' end, case when r.rolcanlogin then 'logs in' end], null), ', '))
  from pg_roles r where r.rolname like 'clearing\_%'
union all
select format('setting of role %I: %s', pg_get_userbyid(s.setrole), unnest(s.setconfig))
  from pg_db_role_setting s where s.setrole <> 0 and pg_get_userbyid(s.setrole) like 'clearing\_%'
union all
select format('member: %I is in %I', pg_get_userbyid(m.member), pg_get_userbyid(m.roleid))
  from pg_auth_members m
 where pg_get_userbyid(m.member) like 'clearing\_%' or pg_get_userbyid(m.roleid) like 'clearing\_%'
union all
select format('schema revision: %s', version_num) from public.alembic_version
union all
select format('event trigger %I: %s', evtname, evtenabled) from pg_event_trigger
union all
select format('setting %s: %s', name, setting) from pg_settings
 where name in ('fsync', 'full_page_writes', 'synchronous_commit')
) as facts order by line collate "C"
