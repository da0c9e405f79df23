"""The settings of the sink for Sentry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from log_collector.record import LevelName
from log_collector.sinks.http.config import Bytes, Fault, TargetConfig


class Dsn(msgspec.Struct, frozen=True):
    """Where a project's events go, and with which key."""

    url: str
    """Of the envelope endpoint."""
    public_key: str


class SentryConfig(TargetConfig, frozen=True, kw_only=True):
    """Errors as events, what came before them as breadcrumbs."""

    dsn: str
    """As Sentry shows it for the project: "https://<key>@<host>/<project>"."""
    level: LevelName = "ERROR"
    """Records below it are breadcrumbs alone, counted as "filtered"."""
    release: str = ""
    """Of all events. Empty: `service_version` of the record."""
    environment: str = ""
    """Of all events. Empty: `env` of the record."""
    breadcrumbs: Annotated[int, msgspec.Meta(ge=0, le=100)] = 50
    """At most so many of an event's job, or of its request where it has no job; 0: none."""
    breadcrumb_jobs: Annotated[int, msgspec.Meta(ge=1)] = 1000
    """Of so many jobs the latest records are remembered."""
    breadcrumb_bytes: Bytes = 8 << 20
    """Of all that is remembered; beyond it, the job unseen for longest is forgotten."""
    event_bytes: Bytes = 512 << 10
    """A larger event goes without breadcrumbs, then without its own fields. Sentry's limit is 1 MiB."""

    def find_faults(self) -> Iterator[Fault]:
        """Yields what the fields' types cannot say."""
        yield from TargetConfig.find_faults(self)
        try:
            parse_dsn(self.dsn)
        except ValueError as error:
            yield "dsn", str(error)


def parse_dsn(dsn: str) -> Dsn:
    """Reads a DSN. Raises ValueError, which does not repeat it: it holds a key."""
    expected = 'expected a DSN such as "https://<key>@<host>/<project>"'
    try:
        parts = urlsplit(dsn)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise ValueError(expected) from error
    path, _, project = parts.path.rpartition("/")
    is_sound = parts.scheme in ("http", "https") and host and parts.username and project.isascii()
    if not is_sound or not project.isdecimal() or not dsn.isprintable():
        raise ValueError(expected)
    return Dsn(f"{parts.scheme}://{host}{port}{path}/api/{project}/envelope/", parts.username or "")
