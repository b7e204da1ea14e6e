#!/bin/sh
# Makes the API's role and its database. The image runs it once, at the first start, with a server
# that nobody else can reach yet.
set -eu

# psql reads the password itself: it is in no argument, and the server is told not to log it.
psql --no-psqlrc --quiet --no-password --set=ON_ERROR_STOP=1 \
    --username="${POSTGRES_USER:-postgres}" --dbname=postgres \
    --set=role="$AWARE_ROLE" --set=database="$AWARE_DATABASE" <<'SQL'
\set password `cat "$AWARE_PASSWORD_FILE"`
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET password_encryption = 'scram-sha-256';
CREATE ROLE :"role" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"role" TEMPLATE template0;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
SQL

# The guard takes what is there for whole from now on.
sync -f "$PGDATA"
rm -f "$PGDATA.begun"
echo "The role $AWARE_ROLE and the database $AWARE_DATABASE are there." >&2
