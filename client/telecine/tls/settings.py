"""What every client takes for secure connections: TELECINE_TLS_*, or section `tls` of a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from telecine.settings.address import is_socket
from telecine.settings.config_file import SHARED_VARIABLE
from telecine.settings.loading import load_config
from telecine.tls.options import Tls, TlsFiles

PREFIX = "TELECINE_TLS_"
SECTION = "tls"


def common_tls(environ: Mapping[str, str] | None = None, path: Path | None = None) -> Tls | None:
    """What the environment and, behind it, the file for everything say; None: nothing.

    `path`: a file to read instead. Raises ConfigError with every fault.
    """
    environ = os.environ if environ is None else environ
    known = {name: text for name, text in environ.items() if name.startswith(PREFIX) and text.strip()}
    if environ.get(SHARED_VARIABLE):
        known[SHARED_VARIABLE] = environ[SHARED_VARIABLE]
    loaded = load_config(
        TlsFiles, prefix=PREFIX, section=SECTION, path=path, environ=known, needs_sections=True
    )
    return loaded.value.options()


def tls_variables() -> frozenset[str]:
    """The variables of TLS."""
    return frozenset(PREFIX + name.upper() for name in TlsFiles.__struct_fields__)


def tls_for(address: str, chosen: Tls | None, common: Tls | None) -> Tls | None:
    """How an address is spoken to; None: plainly, unless the address asks for TLS.

    `chosen`: for this very client; `common`: for all, but not for a socket of this machine.
    """
    if chosen is not None:
        return chosen
    return None if is_socket(address) else common
