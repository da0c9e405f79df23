"""Checks of the secure connection: what the server shows, until when, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from telecine.cli.show.documents import CheckDocument
from telecine.exceptions import TelecineError
from telecine.tls.certificate import validities
from telecine.tls.handshake import diagnose
from telecine.tls.options import Tls

_DAY_SECONDS = 86400.0
_SOON_DAYS = 14


def check_configured(name: str, address: str, find: Callable[[str], Tls | None]) -> Iterator[CheckDocument]:
    """Does as `check_secure` with what is configured. A wrong configuration is a problem of its own check."""
    try:
        tls = find(address)
    except TelecineError:
        return
    yield from check_secure(name, address, tls)


def check_secure(name: str, address: str, tls: Tls | None) -> Iterator[CheckDocument]:
    """Shakes hands with a server. `name`: what it is; `tls` None: plain, unless tls:// asks for more."""
    if tls is None and address.startswith("tls://"):
        tls = Tls()
    now = datetime.now(UTC)
    title = f"{name} TLS"
    found = diagnose(address, tls)
    if found is not None and found.fault is not None:
        yield CheckDocument(name=title, status="problem", message=found.message, advice=found.advice)
    elif found is not None:
        is_soon = found.not_after is not None and _days(found.not_after, now) < _SOON_DAYS
        advice = "renew the server's host.tls.cert_file; it needs no restart" if is_soon else ""
        status = "warning" if is_soon else "ok"
        yield CheckDocument(name=title, status=status, message=found.message, advice=advice)
    if tls is not None and not tls.insecure and tls.cert_file is not None:
        yield from _own_certificate(f"{name} TLS client", Path(tls.cert_file), now)


def _own_certificate(title: str, path: Path, now: datetime) -> Iterator[CheckDocument]:
    try:
        found = validities(path.read_bytes())
    except (OSError, ValueError):
        return  # the handshake has said so
    if not found:
        return
    days = _days(found[0].not_after, now)
    message = f"{path} is valid until {found[0].not_after:%Y-%m-%d %H:%M} UTC ({days:.0f} days)"
    status = "ok" if days >= _SOON_DAYS else "warning" if days > 0 else "problem"
    advice = "" if status == "ok" else "renew it; it is read again by itself"
    yield CheckDocument(name=title, status=status, message=message, advice=advice)


def _days(moment: datetime, now: datetime) -> float:
    return (moment - now).total_seconds() / _DAY_SECONDS
