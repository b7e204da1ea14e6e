#!/usr/bin/env bash
# Restores the backup BACKUP_ID from WORK_DIR into a fresh database and compares it with the manifest
# of the backup. When all is equal, the database gets its name, RESTORE_INTO, and one JSON object is
# printed; else it is dropped again. No other database is ever written to.
#
# With DROP_DATABASE it only drops that one, which must not be the one of the URL.
set -Eeuo pipefail
here=$(dirname "$0")
# shellcheck source=charts/platform/scripts/connection.sh
source "$here/connection.sh"

: "${WORK_DIR:=/work}" "${MAINTENANCE_DATABASE:=postgres}"

connect
in_use=$PGDATABASE
PGDATABASE=$MAINTENANCE_DATABASE
require_same_version pg_restore

drop() { sql --set=name="$1" <<<'DROP DATABASE IF EXISTS :"name" WITH (FORCE);'; }

if [[ -n ${DROP_DATABASE:-} ]]; then
    [[ $DROP_DATABASE != "$in_use" ]] || fail "The database $DROP_DATABASE is the one in use."
    drop "$DROP_DATABASE" || fail "The database $DROP_DATABASE cannot be dropped."
    say "The database $DROP_DATABASE is dropped."
    exit 0
fi

id=${BACKUP_ID:?is the backup to restore}
into=${RESTORE_INTO:-${in_use}_${id,,}}
folder=$WORK_DIR/$id
# What has this name is what a restore left that was cut off.
unfinished=restoring_${id,,}
finished="aware: restored from $id"

[[ $into != "$in_use" ]] || fail "The database $into is the one in use. Restore into another."
(cd "$folder" && sha256sum --check --quiet SHA256SUMS) ||
    fail "The backup $id is damaged: its checksums do not fit."

# Compares a database with the manifest; prints the first differences. Takes the database.
find_differences() {
    { echo 'BEGIN;'; cat "$here/manifest.sql"; echo 'ROLLBACK;'; } |
        sql --dbname="$1" --set=with_sequences=on | LC_ALL=C sort >"$WORK_DIR/restored.tsv" || return 2
    # 1 is for a difference.
    { diff --unchanged-line-format= --old-line-format='the backup has %L' \
        --new-line-format='the database has %L' "$folder/manifest.tsv" "$WORK_DIR/restored.tsv" ||
        (($? == 1)); } | tr '\t' ' ' | head -n 4
}

report() {
    sql --set=backup="$id" --set=database="$into" --set=seconds="$SECONDS" \
        --set=bytes="$(stat --format=%s "$folder/database.dump")" \
        --set=tables="$(grep -c '^table' "$folder/manifest.tsv" || true)" \
        --set=rows="$(awk -F'\t' '$1 == "table" { n += $3 } END { printf "%.0f", n }' "$folder/manifest.tsv")" <<'SQL'
SELECT json_build_object('backup', :'backup', 'database', :'database', 'tables', :tables,
    'rows', :rows, 'bytes', :bytes, 'seconds', :seconds);
SQL
}

there=$(sql --set=name="$into" <<'SQL'
SELECT coalesce(shobj_description(oid, 'pg_database'), 'unknown') FROM pg_database WHERE datname = :'name';
SQL
) || fail "The database at $PGHOST has stopped answering."

case $there in
    '') ;;
    "$finished")
        say "The database $into was restored before. Comparing it again."
        differences=$(find_differences "$into") || fail "The database $into cannot be compared."
        [[ -z $differences ]] ||
            fail "The database $into is there and has changed since. Restore into another, or drop it."
        report
        exit 0
        ;;
    *) fail "The database $into is there already. Restore into another, or drop it." ;;
esac

give_up() {
    trap - EXIT
    say "Dropping the unfinished database."
    drop "$unfinished" || true
    exit 1
}
trap give_up EXIT
drop "$unfinished"

say "Restoring backup $id into the new database $into."
# With the encoding and the order of the one in use, as far as it is there.
sql --set=name="$unfinished" --set=owner="$DATABASE_ROLE" --set=like="$in_use" <<'SQL'
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0%s', :'name', :'owner', (
    SELECT format(' ENCODING %L LC_COLLATE %L LC_CTYPE %L%s', pg_encoding_to_char(encoding),
        datcollate, datctype, CASE datlocprovider
            WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', locale)
            WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', locale)
            ELSE '' END)
    FROM (
        -- The column has had two names.
        SELECT d.*, coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale
        FROM pg_database AS d WHERE datname = :'like'
    ) AS described
)) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'name') \gexec
SQL

# Who is no superuser can give nothing to other roles.
owners=()
[[ $PGUSER != "$DATABASE_ROLE" ]] || owners=(--no-owner)
is_whole=yes
pg_restore --exit-on-error --no-password "${owners[@]}" --dbname="$unfinished" "$folder/database.dump" ||
    is_whole=no
sql --dbname="$unfinished" --command=ANALYZE || true

say "Comparing it with the backup's manifest."
differences=$(find_differences "$unfinished") || {
    say "The new database cannot be compared."
    exit 1
}
if [[ -n $differences ]]; then
    say "The restored database differs: ${differences//$'\n'/; }."
    exit 1
fi
# What comes last in an archive, such as rights, is not in the manifest.
[[ $is_whole == yes ]] || {
    say "The restore failed before its end, though all contents are there."
    exit 1
}
sql --set=old="$unfinished" --set=new="$into" --set=text="$finished" <<'SQL'
COMMENT ON DATABASE :"old" IS :'text';
ALTER DATABASE :"old" RENAME TO :"new";
SQL
trap - EXIT
report
