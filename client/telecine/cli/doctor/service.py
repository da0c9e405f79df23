"""Checks of the encoder service: can it be reached (or started here), and what does it make?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from telecine.cli.connection import configured_server, connect_for_capabilities, server_tls
from telecine.cli.doctor.secure import check_configured
from telecine.cli.show.documents import CheckDocument
from telecine.cli.show.failures import explain
from telecine.cli.show.terminal import seconds_text
from telecine.exceptions import TelecineError
from telecine.results.values import Capabilities, Sandbox

_EXPECTED_FORMATS = ("mp4", "webm", "webp", "png")
"""What most users ask for; the rest is shown by `telecine capabilities`."""


def check_service(server: str | None) -> Iterator[CheckDocument]:
    """Calls the server, or starts the embedded service, and asks what it can make."""
    name = f"server {server}" if server else "embedded service"
    begin = time.perf_counter()
    try:
        server = server or configured_server()
        name = f"server {server}" if server else name
        with connect_for_capabilities(server) as client:
            found = client.capabilities()
    except TelecineError as error:
        if server:
            yield from check_configured("server", server, server_tls)
        failure = explain(error, "telecine doctor")
        status = "problem" if server else "warning"
        yield CheckDocument(name=name, status=status, message=failure.message, advice=failure.advice)
        return
    took = seconds_text(time.perf_counter() - begin)
    message = f"Telecine {found.server_version} answered in {took}, {found.workers} workers"
    yield CheckDocument(name=name, status="ok", message=message, advice="")
    if server:
        yield from check_configured("server", server, server_tls)
    yield _check_formats(found)
    if found.sandbox is not None:
        yield _check_sandbox(found.sandbox)


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


def _check_sandbox(sandbox: Sandbox) -> CheckDocument:
    """Which walls stand around the processes in which codecs read clients' data."""
    if sandbox.mode == "off":
        return CheckDocument(
            name="sandbox",
            status="warning",
            message="workers are not sandboxed: worker_sandbox is off",
            advice="set worker_sandbox to auto or required unless every client is trusted",
        )
    if sandbox.missing:
        reasons = "; ".join(f"{wall} ({reason})" for wall, reason in sandbox.missing.items())
        return CheckDocument(
            name="sandbox",
            status="warning",
            message=f"{len(sandbox.walls)} of 6 limits on workers are in force; missing: {reasons}",
            advice="run the service on Linux 6.2 or later; in a container, allow Landlock's system calls",
        )
    message = f"all limits on workers are in force: {', '.join(sandbox.walls)}"
    return CheckDocument(name="sandbox", status="ok", message=message, advice="")
