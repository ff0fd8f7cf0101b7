#!/bin/sh
# The gateway's own login, with no more rights than it needs. `veilgate init` prints the same for a database of one's own.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$VEILGATE_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE veilgate LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
GRANT CONNECT ON DATABASE crm TO veilgate;
GRANT USAGE ON SCHEMA public TO veilgate;
GRANT SELECT ON TABLE customers, orders, employees, events TO veilgate;
SQL
