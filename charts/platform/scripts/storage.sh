# shellcheck shell=bash
# What both stores do, with the store_* functions of the one that sources it.
#
# put    takes what dump.sh left in WORK_DIR, reads it back from the store, and marks it as complete
#        last of all. Then it prunes.
# get    brings a complete backup into WORK_DIR and checks it. Without an ID there is nothing to do.
# list   prints one JSON object for each backup, complete or incomplete.
# prune  removes complete backups after KEEP_DAYS, but never below KEEP_AT_LEAST, and incomplete ones
#        after a day.
: "${WORK_DIR:=/work}" "${KEEP_DAYS:=30}" "${KEEP_AT_LEAST:=7}"
readonly MARKER=complete.json
readonly ID='[0-9]{8}T[0-9]{6}Z'

say() { echo "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

format_id() { date --utc --date="$1" +%Y%m%dT%H%M%SZ; }

# Sets complete and incomplete: the IDs with a marker, and the others that have files; oldest first.
look() {
    local names
    names=$(store_names) || fail "The store cannot be read."
    complete=$(grep -E "^$ID/$MARKER$" <<<"$names" | cut -d/ -f1 | sort -u || true)
    incomplete=$(comm -23 <(grep -oE "^$ID/" <<<"$names" | tr -d / | sort -u) <(echo "$complete"))
}

put() {
    local id file sums now
    [[ -s $WORK_DIR/backup-id ]] || fail "There is no backup to store."
    id=$(<"$WORK_DIR/backup-id")
    sums=$(<"$WORK_DIR/$id/SHA256SUMS")
    say "Storing backup $id."
    store_folder "$WORK_DIR/$id" "$id" || fail "The store does not take the backup $id."
    say "Reading it back from the store."
    for file in database.dump manifest.tsv; do
        [[ $(store_read "$id/$file" | sha256sum | cut -d' ' -f1) == \
            $(grep " $file\$" <<<"$sums" | cut -d' ' -f1) ]] ||
            fail "The store does not give $file back as it was. The backup $id is not complete."
    done
    now=$(date --utc +%Y-%m-%dT%H:%M:%SZ)
    sed "1s/}[[:space:]]*\$/, \"storedAt\": \"$now\"}/" "$WORK_DIR/$id/backup.json" >"$WORK_DIR/$MARKER"
    store_file "$WORK_DIR/$MARKER" "$id/$MARKER" || fail "The backup $id cannot be marked as complete."
    cat "$WORK_DIR/$MARKER"
    say "The backup $id is complete."
    prune
}

get() {
    local id=${1:-} marker
    [[ -n $id ]] || return 0
    [[ $id =~ ^$ID$ ]] || fail "$id is no backup's ID."
    marker=$(store_read "$id/$MARKER") || fail "There is no complete backup $id in the store."
    rm -rf "${WORK_DIR:?}/$id"
    mkdir -p "$WORK_DIR/$id"
    say "Fetching backup $id."
    store_fetch "$id" "$WORK_DIR/$id" || fail "The store does not give the backup $id."
    (cd "$WORK_DIR/$id" && sha256sum --check --quiet SHA256SUMS) ||
        fail "The backup $id is damaged: its checksums do not fit."
    grep -qF "$(cut -d' ' -f1 "$WORK_DIR/$id/SHA256SUMS" | head -n 1)" <<<"$marker" ||
        fail "The backup $id is damaged: its archive is not the one that was stored."
}

list() {
    local id complete incomplete
    look
    for id in $complete; do
        store_read "$id/$MARKER" | sed '1s/^{/{"state": "complete", /'
    done
    for id in $incomplete; do
        echo "{\"state\": \"incomplete\", \"id\": \"$id\"}"
    done
}

prune() {
    local id oldest complete incomplete
    look
    oldest=$(format_id "-$KEEP_DAYS days")
    for id in $(head -n "-$KEEP_AT_LEAST" <<<"$complete"); do
        if [[ $id < $oldest ]]; then
            # The marker first: what is cut off here is incomplete.
            if store_remove "$id/$MARKER" && store_remove "$id"; then
                say "The backup $id is older than $KEEP_DAYS days and was removed."
            else
                say "The backup $id is older than $KEEP_DAYS days and cannot be removed."
            fi
        fi
    done
    for id in $incomplete; do
        if [[ $id < $(format_id '-1 day') ]]; then
            store_remove "$id"
            say "The incomplete backup $id was removed."
        fi
    done
}

case ${1:-} in
    put | list | prune) "$1" ;;
    get) get "${2:-}" ;;
    *) fail "Usage: $0 put | get ID | list | prune" ;;
esac
