"""Which web pages may send records: those of the origins on the list, and no others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from log_collector import errors
from service_host.status.http_status import HttpError

_PREFLIGHT: Final = {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "authorization, content-encoding, content-type, idempotency-key, "
    "traceparent, tracestate, x-request-id",
    "access-control-max-age": "600",
    "access-control-allow-private-network": "true",
}
_EXPOSED: Final = "retry-after, x-request-id"


def require_origin(origin: str | None, allowed: Collection[str]) -> None:
    """Raises HttpError 403 for a page of another origin; None: the client is no web page.

    Refused and not merely unanswered: a form or a beacon needs no answer to do harm.
    """
    if origin is not None and origin not in allowed:
        expected = "expected an origin of the setting http.origins"
        raise HttpError(403, errors.invalid_field("origin", expected))


def headers_for(
    origin: str | None, allowed: Collection[str], *, is_preflight: bool = False
) -> dict[str, str]:
    """What lets a page of an allowed origin see the answer."""
    headers = {"vary": "origin"}
    if origin is None or origin not in allowed:
        return headers
    headers["access-control-allow-origin"] = origin
    if is_preflight:
        return headers | _PREFLIGHT
    headers["access-control-expose-headers"] = _EXPOSED
    return headers
