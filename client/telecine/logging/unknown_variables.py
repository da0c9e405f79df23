"""Variables that begin like Telecine's and are none: a typo is reported, with what it was meant to be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from telecine.logging.configuration import PREFIX, log_variables
from telecine.logging.logger import Logger
from telecine.logging.record.sampling import SAMPLING_VARIABLE_PREFIX
from telecine.tls.settings import tls_variables

_OURS: Final = "TELECINE_"
_ALONE: Final = frozenset(
    (
        "TELECINE_CONFIG",
        "TELECINE_SERVER",
        "TELECINE_DATA_DIR",
        "TELECINE_COLLECTOR",
        "TELECINE_TOKEN",
        "TELECINE_TOKEN_FILE",
        "TELECINE_TRACEBACK",
        "TELECINE_FAULT",
        "TELECINE_WORKER_FAULT",
        "TELECINE_WORKER_NICE",
    )
)
_CHECKED_ELSEWHERE: Final = (f"{_OURS}ENCODER_", f"{_OURS}COLLECTOR_", f"{_OURS}SDK_")
"""Prefixes of settings whose own loader names what it does not know."""
_OF_KUBERNETES: Final = re.compile(
    r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$"
)
"""What Kubernetes sets in every container about a Service that is called telecine-something."""
_reported: set[str] = set()


def unknown_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields each variable that is none of Telecine's, and the one that it resembles; empty: none."""
    logging = log_variables() | tls_variables()
    for name in sorted(environ):
        if not name.startswith(_OURS) or name in _ALONE or name in logging:
            continue
        if name.startswith((*_CHECKED_ELSEWHERE, SAMPLING_VARIABLE_PREFIX)) or _OF_KUBERNETES.search(name):
            continue
        yield name, _resembled(name, (*_ALONE, *logging))


def new_complaints(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields each unknown variable, and a sentence about it, once in the life of the process."""
    for name, resembled in unknown_variables(environ):
        if name not in _reported:
            _reported.add(name)
            hint = f"; did you mean {resembled}?" if resembled else ""
            yield name, f"{name} is no setting of Telecine and has no effect{hint}"


def report_unknown_variables(environ: Mapping[str, str], log: Logger) -> None:
    """Logs a warning for each unknown variable that was not reported before. Values are not shown."""
    for name, complaint in new_complaints(environ):
        log.warning("%s", complaint, event="settings:unknown_variable", variable=name)


def _resembled(name: str, known: tuple[str, ...]) -> str:
    found = difflib.get_close_matches(name, known, 1, 0.8)
    if found:
        return found[0]
    sections = [prefix.rstrip("_") for prefix in (*_CHECKED_ELSEWHERE, PREFIX)]
    words = name.split("_")
    section = difflib.get_close_matches("_".join(words[:2]), sections, 1, 0.8)
    return "_".join((section[0], *words[2:])) if section and section[0] != "_".join(words[:2]) else ""
