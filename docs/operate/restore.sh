#!/bin/sh
# restore.sh ARCHIVE DATA_DIR: unpacks an archive of backup.sh. What DATA_DIR held is kept beside it, as DATA_DIR.before.
set -eu
archive="${1:?name the archive}"
data="${2:?name the data directory}"
if [ -e "$data/lock/held" ]; then
    exec 9<"$data/lock/held"
    flock --nonblock 9 || { echo "a service holds $data: stop it first" >&2; exit 1; }
fi
[ ! -e "$data.before" ] || { echo "$data.before is there: remove it or move it away" >&2; exit 1; }
mkdir -m 700 "$data.restored"
tar --extract --preserve-permissions --same-owner --gzip --file "$archive" --directory "$data.restored" ||
    { rm -rf "$data.restored"; exit 1; }
[ ! -e "$data" ] || mv "$data" "$data.before"
mv "$data.restored" "$data"
