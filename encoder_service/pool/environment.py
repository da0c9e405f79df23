"""What a worker's environment holds: what is named here and by the operator, and nothing else.

The service's own environment holds secrets (of webhooks, credentials of other programs) and settings that
are meant for it alone, such as those of malloc: with them each codec thread keeps up to 128 MB.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

_NAMES = frozenset({
    "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "SVT_LOG", "TMPDIR", "TZ", "VIRTUAL_ENV",
    # Where Python finds itself and its packages; what changes its behaviour is left out.
    "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONPLATLIBDIR", "PYTHONPYCACHEPREFIX",
    "PYTHONUSERBASE",
    "TELECINE_WORKER_FAULT",
})  # fmt: skip
_PREFIXES = ("LC_",)

_OWN_ROOT = Path(__file__).resolve().parents[2]
_INSTALLED = ("site-packages", "dist-packages")

# A second thread in the zygote could hold a lock while it is forked.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def worker_environment(environ: Mapping[str, str], named: Sequence[str], niceness: int) -> dict[str, str]:
    """Chooses from the service's environment; `named`: further variables, from the configuration."""
    kept = {
        name: value
        for name, value in environ.items()
        if name in _NAMES or name in named or name.startswith(_PREFIXES)
    }
    if search := _search_path(environ.get("PYTHONPATH", "")):
        kept["PYTHONPATH"] = os.pathsep.join(search)
    return {**_ONE_THREAD, **kept, "TELECINE_WORKER_NICE": str(niceness)}


def _search_path(variable: str) -> list[str]:
    """Where the operator and the service find packages; never the working directory, which is anybody's."""
    named = [entry for entry in variable.split(os.pathsep) if Path(entry).is_absolute()]
    # A checkout that is not installed is found by no other way.
    is_checkout = _OWN_ROOT.name not in _INSTALLED and str(_OWN_ROOT) not in named
    return [*named, str(_OWN_ROOT)] if is_checkout else named
