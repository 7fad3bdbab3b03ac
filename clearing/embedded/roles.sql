-- Run once by the superuser in the database postgres; each command ends with a blank line.
-- The owner owns the schema and is used for migrations only; the app serves requests; the auditor verifies.
CREATE ROLE clearing_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

CREATE ROLE clearing_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

CREATE ROLE clearing_auditor LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS;

GRANT pg_read_all_data TO clearing_auditor;

ALTER ROLE clearing_owner SET lock_timeout = '10s';

ALTER ROLE clearing_app SET statement_timeout = '60s';

ALTER ROLE clearing_app SET lock_timeout = '10s';

ALTER ROLE clearing_app SET idle_in_transaction_session_timeout = '60s';

ALTER ROLE clearing_auditor SET default_transaction_read_only = on;

ALTER ROLE clearing_auditor SET idle_in_transaction_session_timeout = '10min';

CREATE DATABASE clearing OWNER clearing_owner TEMPLATE template0 ENCODING 'UTF8'
    LOCALE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8';

REVOKE ALL ON DATABASE clearing, postgres, template1 FROM PUBLIC;

GRANT CONNECT ON DATABASE clearing TO clearing_app, clearing_auditor;

