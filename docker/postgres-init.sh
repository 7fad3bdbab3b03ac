#!/bin/sh
# Run by the PostgreSQL image on an empty volume: the same roles and rights as those of the embedded server.
set -eu
export PGPASSWORD="${PGPASSWORD:-$(cat /run/secrets/postgres-password)}"
run() { psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" "$@"; }

run --dbname=postgres --file=/etc/clearing/roles.sql
run --dbname=clearing --file=/etc/clearing/rights.sql
for role in owner app auditor; do
    # psql quotes the variable; the password stands in no argument and in no log
    { printf '\\set password `cat /run/secrets/%s-password`\n' "$role"
      printf "ALTER ROLE clearing_%s PASSWORD :'password';\n" "$role"
    } | run --dbname=postgres
done
