#!/bin/sh
# STAND-IN for the entry point of the official image `postgres`: this project's own, and shorter.
#
# It knows POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_PASSWORD_FILE, POSTGRES_DB, PGDATA,
# POSTGRES_INITDB_ARGS and POSTGRES_HOST_AUTH_METHOD, runs what is in /docker-entrypoint-initdb.d,
# and may be started as root or as any other user.
#
# A database is made in $PGDATA/.unfinished and moved up when it is whole, PG_VERSION last. So one
# is there, with its users and passwords, or there is none; a volume's own folder can be PGDATA.
set -eu
umask 077

PGDATA=${PGDATA:-/var/lib/postgresql/data}
unfinished=$PGDATA/.unfinished
scripts=/docker-entrypoint-initdb.d

say() { echo "postgres stand-in: $*"; }

fail() {
    echo "postgres stand-in: $*" >&2
    exit 78
}

# Gives the folders to the user postgres and goes on as that user.
step_down() {
    mkdir -p "$PGDATA" /var/run/postgresql
    find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres:postgres {} +
    # By its path: by its name, busybox's shell would take busybox's own, which cannot do this.
    exec /usr/bin/setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
}

read_password() {
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        [ -z "${POSTGRES_PASSWORD:-}" ] ||
            fail "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE exclude each other; set one."
        [ -r "$POSTGRES_PASSWORD_FILE" ] || fail "$POSTGRES_PASSWORD_FILE cannot be read."
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    fi
    [ -n "${POSTGRES_PASSWORD:-}" ] ||
        fail "POSTGRES_PASSWORD is missing or empty; set it, or POSTGRES_PASSWORD_FILE."
}

# What a making that was cut off left has never been used. Any other files are somebody's.
clear_leftovers() {
    if [ -e "$unfinished" ]; then
        say "the making of the database was cut off; beginning anew"
        find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
    elif ls -A "$PGDATA" | grep -qvx lost+found; then
        fail "$PGDATA holds files but no database; empty it or set PGDATA to a folder in it."
    fi
}

# initdb wants its user to have a name; a user of the pod's own choice has none.
name_user() {
    getent passwd "$(id -u)" >/dev/null && return
    NSS_WRAPPER_PASSWD=$(mktemp)
    NSS_WRAPPER_GROUP=$(mktemp)
    echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" >"$NSS_WRAPPER_PASSWD"
    echo "postgres:x:$(id -g):" >"$NSS_WRAPPER_GROUP"
    LD_PRELOAD=libnss_wrapper.so
    export LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
}

forget_name() {
    [ -n "${NSS_WRAPPER_PASSWD:-}" ] || return 0
    unset LD_PRELOAD
    rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
}

make_cluster() {
    # Of an argument that is given twice, initdb takes the last; they are words, as in the image.
    # shellcheck disable=SC2086
    printf '%s\n' "$POSTGRES_PASSWORD" |
        initdb --pgdata="$unfinished" --username="$POSTGRES_USER" --pwfile=/dev/stdin \
            --auth-local=trust --auth-host=scram-sha-256 --no-instructions \
            ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$unfinished/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$unfinished/postgresql.conf"
}

ask() {
    psql --set=ON_ERROR_STOP=1 --no-psqlrc --no-password --quiet --username="$POSTGRES_USER" "$@"
}

run_script() {
    case $1 in
    *.sql)
        say "running $1"
        ask --dbname="$POSTGRES_DB" --file="$1"
        ;;
    *.sh)
        say "running $1"
        # As the official image does: run what can be run, read what cannot.
        if [ -x "$1" ]; then "$1"; else . "$1"; fi
        ;;
    esac
}

# With a server that nobody else can reach: the database, and what the user wants in it.
fill_cluster() {
    pg_ctl --pgdata="$unfinished" --options="-c listen_addresses=''" --silent --wait start
    [ "$POSTGRES_DB" = postgres ] ||
        createdb --username="$POSTGRES_USER" --no-password "$POSTGRES_DB"
    for script in "$scripts"/*; do
        run_script "$script"
    done
    pg_ctl --pgdata="$unfinished" --mode=fast --silent --wait stop
}

move_up() {
    find "$unfinished" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv {} "$PGDATA" \;
    sync -f "$PGDATA"
    mv "$unfinished/PG_VERSION" "$PGDATA"
    rmdir "$unfinished"
    sync -f "$PGDATA"
}

make_database() {
    read_password
    POSTGRES_USER=${POSTGRES_USER:-postgres}
    POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
    export POSTGRES_USER POSTGRES_DB POSTGRES_PASSWORD
    clear_leftovers
    say "making the database $POSTGRES_DB"
    name_user
    make_cluster
    fill_cluster
    forget_name
    move_up
    say "the database $POSTGRES_DB is there"
}

main() {
    case ${1:-} in
    '' | -*) set -- postgres "$@" ;;
    esac
    if [ "$1" != postgres ]; then exec "$@"; fi
    if [ "$(id -u)" = 0 ]; then step_down "$@"; fi
    say "a STAND-IN of the local cluster, not the official image"
    mkdir -p "$PGDATA"
    [ -O "$PGDATA" ] ||
        fail "$PGDATA belongs to another user; set PGDATA to a folder in it, like $PGDATA/data."
    chmod 700 "$PGDATA"
    export PGDATA
    rmdir "$unfinished" 2>/dev/null || true
    # Not with ||, which would make the shell pass over every error on the way.
    if [ ! -s "$PGDATA/PG_VERSION" ]; then make_database; fi
    unset POSTGRES_PASSWORD
    exec "$@"
}

# Else the kernel would keep the signal from the first process of a container.
trap 'exit 143' TERM INT
main "$@"
