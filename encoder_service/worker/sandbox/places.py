"""Which places of the disk the program needs, wherever it is installed: modules, libraries, devices."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_LIBRARIES = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64", "/etc/ld.so.cache",
)  # fmt: skip
_SYSTEM = (
    # Codecs and the C library ask how many cores and how much memory there are.
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu", "/sys/devices/system/node",
    "/dev/null", "/dev/random", "/dev/urandom",
    "/etc/localtime", "/usr/share/zoneinfo", "/usr/share/locale",
)  # fmt: skip
_INSTALLED = ("site-packages", "dist-packages")
_DISTRIBUTIONS = {"PIL": "pillow"}


@cache
def program_paths() -> tuple[str, ...]:
    """What may be read by every worker. Call it when all is imported, and before a fork: it takes 2 ms."""
    search = [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if path]
    places: dict[str, None] = {}
    for path in (*_LIBRARIES, *_SYSTEM, *search, *_of_python(), *_of_packages()):
        # Each is opened for each worker; one below another says nothing new.
        if path not in places and not any(str(parent) in places for parent in Path(path).parents):
            places[path] = None
    return tuple(places)


def _of_python() -> Iterator[str]:
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield sysconfig.get_path(name)
    for entry in sys.path:
        if Path(entry).is_absolute() and (Path(entry).name in _INSTALLED or Path(entry).is_file()):
            yield entry


def _of_packages() -> Iterator[str]:
    """Each package that was imported from elsewhere, such as a checkout; not what lies beside it."""
    for name, module in sorted(sys.modules.items()):
        if "." in name or name == "__main__":
            continue
        places = [*(getattr(module, "__path__", None) or [])] or [getattr(module, "__file__", None)]
        for place in places:
            if isinstance(place, str) and Path(place).is_absolute():
                yield place
                yield from _libraries_beside(Path(place))


def _libraries_beside(package: Path) -> Iterator[str]:
    """Where wheels put shared libraries, which some load at first use: `av.libs` beside `av`."""
    beside = package.with_name(f"{_DISTRIBUTIONS.get(package.name, package.name)}.libs")
    if beside.is_dir():
        yield str(beside)
