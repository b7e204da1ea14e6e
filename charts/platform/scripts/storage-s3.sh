#!/usr/bin/env bash
# Keeps backups in S3, below s3://S3_BUCKET/S3_PREFIX: put, get ID, list, prune. See storage.sh.
set -Eeuo pipefail

: "${S3_BUCKET:?is the bucket}" "${S3_PREFIX:=}"
root=s3://$S3_BUCKET/${S3_PREFIX:+$S3_PREFIX/}

store_names() {
    local keys
    keys=$(aws s3api list-objects-v2 --bucket "$S3_BUCKET" --prefix "${S3_PREFIX:+$S3_PREFIX/}" \
        --query 'Contents[].[Key]' --output text) || return 1
    [[ $keys == None ]] || cut -c "$((${#S3_PREFIX} + (${#S3_PREFIX} > 0) + 1))-" <<<"$keys"
}

store_folder() { aws s3 cp --only-show-errors --recursive "$1" "$root$2"; }

store_file() { aws s3 cp --only-show-errors "$1" "$root$2"; }

store_read() { aws s3 cp --only-show-errors "$root$1" -; }

store_fetch() { aws s3 cp --only-show-errors --recursive "$root$1" "$2"; }

store_remove() {
    if [[ $1 == */* ]]; then
        aws s3 rm --only-show-errors "$root$1"
    else
        aws s3 rm --only-show-errors --recursive "$root$1/"
    fi
}

# shellcheck source=charts/platform/scripts/storage.sh
source "$(dirname "$0")/storage.sh"
