"""Checks of this installation: Python, Telecine, its optional parts, and how the allocator is set."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from importlib import metadata

from telecine.cli.show.documents import CheckDocument
from telecine.installation import PARTS, install_command, missing_parts

_OLDEST_PYTHON = (3, 11)
_NEEDED_FOR = {
    "watch": "`telecine logs watch` needs it",
    "encoder": "encoding on this machine, reading video files and verifying need it",
    "collector": "running the log collector needs it",
}


def check_python() -> CheckDocument:
    """Checks that the interpreter is recent enough."""
    is_old = sys.version_info[:2] < _OLDEST_PYTHON
    return CheckDocument(
        name="python",
        status="problem" if is_old else "ok",
        message=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        advice="use Python 3.11 or later" if is_old else "",
    )


def check_parts() -> list[CheckDocument]:
    """Telecine itself and each optional part."""
    return [
        CheckDocument(name="telecine", status="ok", message=_version("telecine"), advice=""),
        *map(_check_part, _NEEDED_FOR),
    ]


def _check_part(extra: str) -> CheckDocument:
    missing = missing_parts(extra)
    if missing:
        return CheckDocument(
            name=f"telecine[{extra}]",
            status="warning",
            message=f"not installed: {', '.join(missing)}; {_NEEDED_FOR[extra]}",
            advice=install_command(extra),
        )
    versions = ", ".join(f"{name} {_version(name)}" for name in PARTS[extra])
    return CheckDocument(name=f"telecine[{extra}]", status="ok", message=versions, advice="")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown version"


def _malloc_variables() -> Mapping[str, str]:
    try:
        from service_host.malloc import MALLOC_VARIABLES
    except ModuleNotFoundError:
        return {}
    return MALLOC_VARIABLES


def check_malloc() -> CheckDocument:
    """Whether glibc's allocator is set for messages of a megabyte; services set it for themselves."""
    variables = _malloc_variables()
    is_glibc = platform.libc_ver()[0] == "glibc"
    chosen = [name for name in (*variables, "GLIBC_TUNABLES", "LD_PRELOAD") if name in os.environ]
    if chosen:
        return CheckDocument(name="malloc", status="ok", message=f"set by {', '.join(chosen)}", advice="")
    if not is_glibc or not variables:
        message = "no setting is known for this C library"
        return CheckDocument(name="malloc", status="ok", message=message, advice="")
    exports = " ".join(f"{name}={value}" for name, value in variables.items())
    return CheckDocument(
        name="malloc",
        status="ok",
        message="glibc's defaults here; services set it for themselves",
        advice=f"for less CPU while sending, start your worker with: {exports}",
    )
