# shellcheck shell=bash
# Tells libpq where the database is, from the URL that the API uses. Sourced by the other scripts.
#
# Sets the PG* variables and DATABASE_ROLE, the role of the URL. PGSSLMODE and PGSSLROOTCERT hold
# where the URL says nothing of its own. With ADMIN_PASSWORD_FILE the one who
# asks is postgres, the superuser; without it, as for a database elsewhere, it is that role itself.
# Secrets come from files and never stand in an argument, for every user of a node can read those.

say() { echo "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# %41 is A. A backslash stays one.
decode() {
    local text=${1//\\/\\\\}
    printf '%b' "${text//%/\\x}"
}

# Takes a file with a URL.
read_url() {
    local url host_and_port query pair
    [[ -r $1 ]] || fail "There is no file $1 with the URL of the database."
    url=$(<"$1")
    local user_part='([^:@/]+)(:([^@/]*))?@'
    local address_part='(\[[0-9a-fA-F:]+\]|[^]:/?,@[]+)(:([0-9]+))?'
    [[ $url =~ ^postgres(ql)?://$user_part$address_part/([^/?]+)(\?(.*))?$ ]] ||
        fail "The URL of the database does not look like postgresql://ROLE:PASSWORD@HOST:5432/NAME."
    PGUSER=$(decode "${BASH_REMATCH[2]}")
    PGPASSWORD=$(decode "${BASH_REMATCH[4]}")
    host_and_port=${BASH_REMATCH[5]//[\[\]]/}
    PGHOST=$host_and_port PGPORT=${BASH_REMATCH[7]:-5432}
    PGDATABASE=$(decode "${BASH_REMATCH[8]}")
    query=${BASH_REMATCH[10]}
    for pair in ${query//&/ }; do
        case $pair in
            sslmode=*) export PGSSLMODE="${pair#*=}" ;;
            sslrootcert=*) PGSSLROOTCERT=$(decode "${pair#*=}") && export PGSSLROOTCERT ;;
        esac
    done
    export PGUSER PGPASSWORD PGHOST PGPORT PGDATABASE
}

connect() {
    read_url "${DATABASE_URL_FILE:=/secrets/aware/database-url}"
    DATABASE_ROLE=$PGUSER
    : "${ADMIN_PASSWORD_FILE:=/secrets/postgres/postgres}"
    if [[ -s $ADMIN_PASSWORD_FILE ]]; then
        PGUSER=postgres
        PGPASSWORD=$(<"$ADMIN_PASSWORD_FILE")
    fi
    export DATABASE_ROLE PGAPPNAME=aware-backup PGCONNECT_TIMEOUT=10
    export PGOPTIONS="-c client_min_messages=warning"
}

# Runs SQL from stdin or --command: no start-up file, no question, plain rows, an end at an error.
sql() { psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }

# The database has to answer, and the tools have to be of its major version: older ones cannot read
# it, and what newer ones write it cannot take back.
require_same_version() {
    local server tool
    server=$(sql --command='SHOW server_version_num') ||
        fail "The database at $PGHOST does not let $PGUSER in, or does not answer."
    tool=$("$1" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
    ((server / 10000 == tool)) ||
        fail "The server is PostgreSQL $((server / 10000)), and $1 is of version $tool." \
            "Let postgres.image have the server's version."
}
