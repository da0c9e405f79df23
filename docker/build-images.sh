#!/bin/sh
# Builds both images and lays their bills of materials and lists of licences into dist/images. `make images` runs it.
# Variables: BASE (registry: python:3.12-slim; debootstrap: Debian's own Python, without a registry), TAG, ENGINE,
# BUILD_FLAGS (for the engine's build command), BUILD_CA (authorities that pip trusts), and pip's own PIP_INDEX_URL,
# PIP_EXTRA_INDEX_URL and PIP_DEFAULT_TIMEOUT.
set -eu
cd "$(dirname "$0")/.."
: "${BASE:=registry}" "${ENGINE:=docker}" "${TAG:=latest}" "${BUILD_FLAGS:=}" "${DEBIAN_SUITE:=bookworm}" "${BUILD_CA:=}"

if ! "$ENGINE" version >/dev/null 2>&1; then
    echo "$ENGINE does not answer: start it, or name another one: make images ENGINE=podman" >&2
    exit 1
fi

case "$BASE" in
registry)
    image="${BASE_IMAGE:-python:3.12-slim}"
    ;;
debootstrap)
    image="telecine-base:$DEBIAN_SUITE"
    if "$ENGINE" image inspect "$image" >/dev/null 2>&1; then
        echo "base: $image as it is here; to renew it: $ENGINE rmi $image"
    else
        echo "base: $image, made by debootstrap"
        ENGINE="$ENGINE" DEBIAN_SUITE="$DEBIAN_SUITE" BUILD_CA="$BUILD_CA" docker/debian-base.sh "$image"
    fi
    [ -z "$BUILD_CA" ] || BUILD_FLAGS="$BUILD_FLAGS --build-arg PIP_CERT=/usr/local/share/build-ca.crt"
    ;;
*)
    echo "BASE is $BASE: expected registry or debootstrap" >&2
    exit 2
    ;;
esac

for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_DEFAULT_TIMEOUT; do
    # The value is taken from the environment, so that a password in it stands in no list of processes.
    if printenv "$name" >/dev/null; then
        BUILD_FLAGS="$BUILD_FLAGS --build-arg $name"
    fi
done
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)"
revision="$(git rev-parse HEAD 2>/dev/null || echo unknown)"
mkdir -p dist/images

for service in encoder collector; do
    echo "building telecine-$service:$TAG from $image"
    # shellcheck disable=SC2086 # flags are words
    "$ENGINE" build $BUILD_FLAGS --build-arg BASE_IMAGE="$image" --build-arg VERSION="$version" \
        --build-arg REVISION="$revision" -f docker/Dockerfile --target "$service" -t "telecine-$service:$TAG" .
    container="$("$ENGINE" create "telecine-$service:$TAG")"
    "$ENGINE" cp "$container:/usr/share/telecine/sbom.cdx.json" "dist/images/telecine-$service.cdx.json"
    "$ENGINE" cp "$container:/usr/share/telecine/licences.txt" "dist/images/telecine-$service-licences.txt"
    "$ENGINE" rm -f -v "$container" >/dev/null
done
for service in encoder collector; do
    bytes="$("$ENGINE" image inspect --format '{{.Size}}' "telecine-$service:$TAG")"
    echo "telecine-$service:$TAG $((bytes / 1000000)) MB; dist/images/telecine-$service.cdx.json"
done
