-- Run once by the superuser in the database clearing; each command ends with a blank line.
REVOKE ALL ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA public TO clearing_app, clearing_auditor;

-- An injected set_config would change the tenant: only functions of the owner may call it.
REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO clearing_owner;

-- The app runs functions that migrations made; it writes none, not even in a DO block.
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;

GRANT USAGE ON LANGUAGE plpgsql TO clearing_owner;

-- Large objects know no row-level security.
REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),
    pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;

