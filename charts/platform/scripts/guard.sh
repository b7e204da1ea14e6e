#!/bin/sh
# Looks at the volume before Postgres starts, then runs its arguments.
#
# Refuses, in plain words, data of another major version: the image would call it unknown, or make a
# new and empty database beside it. Sets aside what a first start left that was cut off half-way,
# since the image would take it for a whole database. Deletes nothing that ever held data.
#
# PGDATA is /var/lib/postgresql/<major version>/docker, as in the official image of 18 and newer.
set -eu

volume=${PGDATA%/*/*}
begun=$PGDATA.begun
unfinished=$PGDATA.unfinished

say() { echo "guard: $*" >&2; }

refuse() {
    say "$*"
    exit 1
}

# Prints folder and major version of each data directory there is.
list_data() {
    for folder in "$volume" "$volume/data" "$volume/pgdata" "$volume"/*/docker "$volume"/*/main; do
        if [ -s "$folder/PG_VERSION" ]; then
            echo "$folder $(cut -d. -f1 "$folder/PG_VERSION")"
        fi
    done
}

check_image() {
    image_version=$(postgres --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
    [ "$image_version" = "$POSTGRES_MAJOR_VERSION" ] ||
        refuse "The image holds PostgreSQL $image_version, and postgres.majorVersion is" \
            "$POSTGRES_MAJOR_VERSION. Make the two agree. Nothing was changed."
}

check_volume() {
    [ -w "$volume" ] ||
        refuse "The user $(id -u) cannot write to the volume at $volume. It needs a storage class" \
            "whose volumes obey fsGroup, or a folder that this user may write to."
    # shellcheck disable=SC3067 # dash and busybox know -O, too.
    if [ -e "$PGDATA" ] && [ ! -O "$PGDATA" ]; then
        refuse "$PGDATA belongs to another user than $(id -u), and Postgres would not start." \
            "Give it and all in it to this user. Nothing was changed."
    fi
}

is_in_use() { [ "$folder" = "$PGDATA" ] && [ "$version" = "$POSTGRES_MAJOR_VERSION" ]; }

# Older data beside data of this version is what an upgrade left. Newer data is not: then it is this
# version's that is out of date.
is_left_over() {
    [ -s "$PGDATA/PG_VERSION" ] && [ "$folder" != "$PGDATA" ] &&
        [ "$version" -le "$POSTGRES_MAJOR_VERSION" ]
}

check_data() {
    list_data | while read -r folder version; do
        if is_in_use; then continue; fi
        if is_left_over; then
            say "$folder holds data of PostgreSQL $version that is not in use."
        elif [ "$version" = "$POSTGRES_MAJOR_VERSION" ]; then
            refuse "The volume holds data of PostgreSQL $version in $folder, and it belongs in" \
                "$PGDATA. Move it there. Nothing was changed."
        else
            refuse "The volume holds data of PostgreSQL $version in $folder, and this image is" \
                "PostgreSQL $POSTGRES_MAJOR_VERSION, which cannot use it. Nothing was changed." \
                "To go on as before, set postgres.majorVersion to $version with an image of that" \
                "version. To change the version, back up with PostgreSQL $version and restore the" \
                "backup into a new volume."
        fi
    done
}

# The image's first server listens to no network, and the file tells how the last one was started.
has_served() {
    [ -s "$PGDATA/postmaster.opts" ] && ! grep -qF '"listen_addresses="' "$PGDATA/postmaster.opts"
}

is_empty() { [ -z "$(ls -A "$PGDATA" 2>/dev/null)" ]; }

# init.sh removes the mark as its last act.
set_unfinished_aside() {
    [ -e "$begun" ] || return 0
    if has_served; then
        rm -f "$begun"
    elif ! is_empty; then
        say "The first start was cut off before any client could connect. It begins anew."
        rm -rf "$unfinished"
        mv "$PGDATA" "$unfinished"
    fi
}

check_passwords() {
    for file in "$POSTGRES_PASSWORD_FILE" "$AWARE_PASSWORD_FILE"; do
        [ -s "$file" ] ||
            refuse "The Secret with the passwords has no key ${file##*/}, or an empty one." \
                "Add it, as a password for the role of that name."
    done
}

mark_beginning() {
    mkdir -p "$PGDATA"
    : >"$begun"
}

check_image
check_volume
check_data
set_unfinished_aside
if is_empty; then
    check_passwords
    mark_beginning
fi
exec "$@"
