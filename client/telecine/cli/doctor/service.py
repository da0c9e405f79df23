"""Checks of the encoder service: can it be reached (or started here), and what does it make?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from telecine.cli.connection import connect_for_capabilities
from telecine.cli.documents import CheckDocument
from telecine.cli.failures import explain
from telecine.cli.terminal import seconds_text
from telecine.exceptions import TelecineError
from telecine.results import Capabilities

_EXPECTED_FORMATS = ("mp4", "webm", "webp", "png")
"""What most users ask for; the rest is shown by `telecine capabilities`."""


def check_service(server: str | None) -> Iterator[CheckDocument]:
    """Calls the server, or starts the embedded service, and asks what it can make."""
    name = f"server {server}" if server else "embedded service"
    begin = time.perf_counter()
    try:
        with connect_for_capabilities(server) as client:
            found = client.capabilities()
    except TelecineError as error:
        failure = explain(error)
        status = "problem" if server else "warning"
        yield CheckDocument(name=name, status=status, message=failure.message, advice=failure.advice)
        return
    took = seconds_text(time.perf_counter() - begin)
    message = f"Telecine {found.server_version} answered in {took}, {found.workers} workers"
    yield CheckDocument(name=name, status="ok", message=message, advice="")
    yield _check_formats(found)


def _check_formats(found: Capabilities) -> CheckDocument:
    usable = [item.format for item in found.formats if item.is_available]
    missing = [name for name in _EXPECTED_FORMATS if name not in usable]
    if missing:
        return CheckDocument(
            name="formats",
            status="problem",
            message=f"cannot be made: {', '.join(missing)}",
            advice="`telecine capabilities` shows why, encoder by encoder",
        )
    return CheckDocument(name="formats", status="ok", message=", ".join(usable), advice="")
