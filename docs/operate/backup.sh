#!/bin/sh
# backup.sh DATA_DIR ARCHIVE: packs the data directory of a stopped service into ARCHIVE (.tar.gz), whole or not at all.
# Holds the directory's lock meanwhile, so that no service starts on it; refuses one that a service holds.
set -eu
data="${1:?name the data directory}"
archive="${2:?name the archive to write}"
[ -f "$data/.telecine-data" ] || { echo "$data is no data directory of Telecine" >&2; exit 2; }
exec 9<"$data/lock/held"
flock --nonblock 9 || { echo "a service holds $data: stop it first" >&2; exit 1; }
tar --create --gzip --file "$archive.part" --directory "$data" .
tar --list --gzip --file "$archive.part" >/dev/null
sync "$archive.part"
mv "$archive.part" "$archive"
