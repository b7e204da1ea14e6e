#!/usr/bin/env bash
# Gives the role of a URL the password of that URL. PASSWORD_FROM is a key of the Secret with the
# URLs, which are files beside DATABASE_URL_FILE.
#
# psql hashes the password itself: the server, and its log, only ever see the hash.
set -Eeuo pipefail
here=$(dirname "$0")
# shellcheck source=charts/platform/scripts/connection.sh
source "$here/connection.sh"

connect
wanted=$(dirname "$DATABASE_URL_FILE")/${PASSWORD_FROM:?is a key of the Secret}

# Who has no superuser asks as the role itself, which has the password of one of the URLs.
is_let_in() { sql --command='SELECT 1' >/dev/null 2>&1; }
for url in "$wanted" "$(dirname "$wanted")"/*-database-url; do
    is_let_in && break
    [[ -r $url ]] && read_url "$url"
done
is_let_in || fail "The database at $PGHOST does not let $PGUSER in, or does not answer."

password=$(read_url "$wanted" && printf '%s' "$PGPASSWORD")
# Without a terminal it reads the password, twice, from stdin.
printf '%s\n%s\n' "$password" "$password" |
    sql --command="\\password \"$DATABASE_ROLE\"" >/dev/null 2>"${TMPDIR:-/tmp}/psql" ||
    fail "The password of $DATABASE_ROLE cannot be changed: $(tail -n 1 "${TMPDIR:-/tmp}/psql")."

(
    read_url "$wanted"
    is_let_in
) || fail "The role $DATABASE_ROLE is not let in with its new password."
say "The role $DATABASE_ROLE has the password of $PASSWORD_FROM."
