#!/bin/sh
# Leaves of a Debian base (a registry's python:*-slim, or debootstrap's) what a service needs: Python, the C library, TLS
# with its authorities, zones of time, a shell and its tools. No package manager, no pip, nothing that raises privileges.
# Packages are purged, not deleted, so that dpkg's status, which scanners read, says what is there.
set -eu

unwanted="
    apt libapt-pkg6.0 libapt-pkg7.0 debian-archive-keyring gpgv sqv
    adduser debconf openssl login login.defs passwd mount util-linux util-linux-extra bsdutils hostname
    libpam-runtime libpam-modules libpam-modules-bin libsemanage2 libsemanage-common libsepol2 libaudit1 libaudit-common
    e2fsprogs libext2fs2 libcom-err2 logsave libmount1 libfdisk1 libsystemd0 libudev1 sysvinit-utils init-system-helpers
    libgnutls30 libgnutls30t64 libp11-kit0 libnettle8 libnettle8t64 libhogweed6 libhogweed6t64 libgmp10 libtasn1-6
    libgcrypt20 libgpg-error0 libidn2-0 libunistring2 libunistring5
    bash perl-base ncurses-bin diffutils gzip mawk
    python3-pip-whl python3-setuptools-whl python3-venv python3.11-venv python3.12-venv python3.13-venv
    python3-lib2to3 python3-distutils
"

# What these scripts prepare for does not happen: the image is never upgraded from within.
rm -f /var/lib/dpkg/info/*.prerm /var/lib/dpkg/info/*.postrm
installed=""
for package in $unwanted; do
    if dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
        installed="$installed $package"
    fi
done
# shellcheck disable=SC2086 # a list of names
dpkg --force-all --purge $installed >/dev/null 2>&1

for library in /usr/lib/python3* /usr/local/lib/python3*; do
    [ -d "$library" ] || continue
    rm -rf "$library"/ensurepip "$library"/idlelib "$library"/lib2to3 "$library"/pydoc_data "$library"/test \
        "$library"/tkinter "$library"/turtledemo "$library"/config-3* \
        "$library"/site-packages/pip* "$library"/site-packages/setuptools* "$library"/site-packages/wheel*
done
rm -f /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/bin/pydoc* /usr/local/bin/2to3*

rm -rf /usr/share/man /usr/share/locale /usr/share/info /usr/share/lintian /usr/share/bash-completion \
    /usr/share/python-wheels /usr/lib/*-linux-gnu/gconv /usr/local/share/build-ca.crt \
    /var/lib/apt /var/cache /var/log /root/.cache
# Copyright files stay: licences want to be handed on.
find /usr/share/doc -type f ! -name copyright -delete
find /usr/share/doc -type d -empty -delete
mkdir -p /var/cache /var/log

# dpkg goes last, with its status left for scanners.
python3 -c '
from pathlib import Path
status = Path("/var/lib/dpkg/status")
packages = status.read_text().split("\n\n")
status.write_text("\n\n".join(p for p in packages if not p.startswith("Package: dpkg\n")))
'
rm -rf /usr/bin/dpkg* /usr/sbin/dpkg* /usr/lib/dpkg /usr/share/dpkg /var/lib/dpkg/info /var/lib/dpkg/*-old

find / -xdev -type f -perm /6000 -exec chmod a-s {} +
