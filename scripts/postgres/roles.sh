#!/bin/sh
# Run once by the image of PostgreSQL, on an empty volume, as its superuser: makes the roles that docker-compose.yml works with. `millrace_owner` owns the
# database and migrates it; `millrace` reads and writes what is there, and can neither make nor drop anything; `millrace_reader` only reads, for dashboards.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv owner_password MILLRACE_OWNER_PASSWORD
\getenv worker_password MILLRACE_WORKER_PASSWORD
\getenv reader_password MILLRACE_READER_PASSWORD
CREATE ROLE millrace_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE millrace LOGIN PASSWORD :'worker_password';
CREATE ROLE millrace_reader LOGIN PASSWORD :'reader_password';
ALTER ROLE millrace_reader SET default_transaction_read_only = on;
ALTER DATABASE millrace OWNER TO millrace_owner;
REVOKE ALL ON DATABASE millrace FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE millrace TO millrace;
GRANT CONNECT ON DATABASE millrace TO millrace_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE millrace_owner GRANT USAGE ON SCHEMAS TO millrace;
ALTER DEFAULT PRIVILEGES FOR ROLE millrace_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO millrace;
ALTER DEFAULT PRIVILEGES FOR ROLE millrace_owner GRANT USAGE ON SEQUENCES TO millrace;
ALTER DEFAULT PRIVILEGES FOR ROLE millrace_owner GRANT USAGE ON SCHEMAS TO millrace_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE millrace_owner GRANT SELECT ON TABLES TO millrace_reader;
SQL
