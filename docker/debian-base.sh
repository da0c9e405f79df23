#!/bin/sh
# Makes the images' base without a registry: Debian with its own Python, by debootstrap (root, and a mirror of Debian).
# Usage: docker/debian-base.sh TAG. Variables: ENGINE, DEBIAN_SUITE, DEBIAN_MIRROR, BUILD_CA (authorities that pip trusts while
# it builds, beside Debian's; they reach no image that is shipped).
set -eu
tag="$1"
: "${ENGINE:=docker}" "${DEBIAN_SUITE:=bookworm}" "${DEBIAN_MIRROR:=http://deb.debian.org/debian}" "${BUILD_CA:=}"

if ! command -v debootstrap >/dev/null; then
    echo "debootstrap is missing: apt-get install debootstrap, or leave BASE at registry" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "debootstrap needs root: sudo make images BASE=debootstrap" >&2
    exit 1
fi
directory="$(mktemp -d)"
trap 'rm -rf "$directory"' EXIT
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates,libstdc++6 \
    "$DEBIAN_SUITE" "$directory" "$DEBIAN_MIRROR" >"$directory.log" 2>&1 || { tail -n 20 "$directory.log" >&2; exit 1; }
rm -f "$directory.log"
if [ -n "$BUILD_CA" ]; then
    install -D -m 644 "$BUILD_CA" "$directory/usr/local/share/build-ca.crt"
fi
tar -C "$directory" -c . | "$ENGINE" import - "$tag" >/dev/null
