#!/usr/bin/env bash
# Keeps backups in a folder, BACKUP_DIR: put, get ID, list, prune. See storage.sh.
set -Eeuo pipefail

: "${BACKUP_DIR:=/backups}"

# Prints the names of a backup's files, or of all backups' files, below the store.
store_names() { (cd "$BACKUP_DIR" && find . -mindepth 2 -type f -printf '%P\n') || return 1; }

# In a function whose failure is looked at bash does not end at an error, hence the &&.

# Takes a folder and the ID that its files are stored under.
store_folder() {
    mkdir -p "$BACKUP_DIR/$2" && cp "$1"/* "$BACKUP_DIR/$2/" && sync "$BACKUP_DIR/$2"/*
}

# Takes a file and its name in the store, which it has when it is whole.
store_file() {
    cp "$1" "$BACKUP_DIR/$2.new" && sync "$BACKUP_DIR/$2.new" &&
        mv "$BACKUP_DIR/$2.new" "$BACKUP_DIR/$2" && sync "$BACKUP_DIR/$(dirname "$2")"
}

# Prints what the store has under a name.
store_read() { cat "$BACKUP_DIR/$1"; }

# Takes an ID and the folder that its files go to.
store_fetch() { cp "$BACKUP_DIR/$1"/* "$2/"; }

# Takes a name, or a backup's ID for all of it.
store_remove() { rm -rf "${BACKUP_DIR:?}/${1:?}"; }

# shellcheck source=charts/platform/scripts/storage.sh
source "$(dirname "$0")/storage.sh"
