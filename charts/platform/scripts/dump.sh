#!/usr/bin/env bash
# Dumps the database into WORK_DIR, with a manifest of the same snapshot: backup-id names the folder,
# which holds database.dump, manifest.tsv, SHA256SUMS and backup.json.
#
# Ends with 75 while another backup is made. What a dump that ended badly leaves has no backup-id.
set -Eeuo pipefail
here=$(dirname "$0")
# shellcheck source=charts/platform/scripts/connection.sh
source "$here/connection.sh"

: "${WORK_DIR:=/work}"
readonly BUSY=75
# Any number, as long as it is always the same.
readonly LOCK=7266137214

connect
require_same_version pg_dump

# One session lives as long as the dump: it holds the lock, and its snapshot is what all others see.
coproc SESSION { sql; }
trap 'kill "$SESSION_PID" 2>/dev/null || true' EXIT

# Asks the session for one line.
ask() {
    echo "$1" >&"${SESSION[1]}"
    read -r -t 60 REPLY <&"${SESSION[0]}" || fail "The database at $PGHOST has stopped answering."
}

ask "SELECT pg_try_advisory_lock($LOCK);"
if [[ $REPLY != t ]]; then
    say "Another backup of $PGDATABASE is being made."
    exit "$BUSY"
fi
echo 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;' >&"${SESSION[1]}"
ask 'SELECT pg_export_snapshot();'
snapshot=$REPLY

id=$(date --utc +%Y%m%dT%H%M%SZ)
began_at=$(date --utc +%s.%N)
rm -rf "${WORK_DIR:?}/backup-id" "$WORK_DIR"/[0-9]*
folder=$WORK_DIR/$id
mkdir -p "$folder"

say "Dumping $PGDATABASE as backup $id."
pg_dump --format=custom --snapshot="$snapshot" --lock-wait-timeout=60s --no-password \
    --file="$folder/database.dump" ||
    fail "The dump failed. No backup was made."

say "Counting and adding up what is in it."
{
    # Not read only: the manifest has a function for as long as it runs.
    echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '$snapshot';"
    cat "$here/manifest.sql"
    echo 'ROLLBACK;'
} | sql >"$folder/manifest.tsv" || fail "The manifest failed. No backup was made."

say "Reading the archive back."
pg_restore --file=/dev/null "$folder/database.dump" ||
    fail "The archive cannot be read back. No backup was made."
pg_restore --list "$folder/database.dump" | sed -n '/ SEQUENCE SET /p' >"$WORK_DIR/sequences"
pg_restore --use-list="$WORK_DIR/sequences" --file=- "$folder/database.dump" |
    sed -nE "s/^SELECT pg_catalog\.setval\('(.*)', (-?[0-9]+), (true|false)\);\$/sequence\t\1\t\2\t\3/p" |
    sed "s/''/'/g" >>"$folder/manifest.tsv"
LC_ALL=C sort --output="$folder/manifest.tsv" "$folder/manifest.tsv"

(cd "$folder" && sha256sum database.dump manifest.tsv >SHA256SUMS)
sha256=$(cut -d' ' -f1 "$folder/SHA256SUMS" | head -n 1)
read -r tables rows < <(awk -F'\t' '$1 == "table" { n++; rows += $3 } END { printf "%d %.0f\n", n, rows }' \
    "$folder/manifest.tsv")
seconds=$(awk -v from="$began_at" -v to="$(date --utc +%s.%N)" 'BEGIN { printf "%.1f", to - from }')
sql --set=id="$id" --set=bytes="$(stat --format=%s "$folder/database.dump")" --set=sha256="$sha256" \
    --set=tables="$tables" --set=rows="$rows" --set=seconds="$seconds" >"$folder/backup.json" <<'SQL'
SELECT json_build_object('id', :'id', 'database', current_database(),
    'serverVersion', split_part(current_setting('server_version'), ' ', 1),
    'bytes', :bytes, 'sha256', :'sha256', 'tables', :tables, 'rows', :rows, 'seconds', :seconds);
SQL
sync "$folder"/*
echo "$id" >"$WORK_DIR/backup-id.new"
mv "$WORK_DIR/backup-id.new" "$WORK_DIR/backup-id"
say "The dump is whole, after $seconds seconds. Tables: $tables, rows: $rows."
