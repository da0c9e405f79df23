"""The settings of records over HTTP; they stand in the collector's configuration as `http`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]

_ORIGIN: Final = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?", re.ASCII)


class HttpPortConfig(msgspec.Struct, frozen=True):
    """Records over HTTP; off where `http_listen` is empty."""

    origins: tuple[str, ...] = ()
    """Web pages that may send records, as browsers name them: "https://app.example", "http://localhost:3000".
    Requests of pages of other origins are refused. Programs, which have no origin, are not concerned."""
    records_per_second: Count = 200
    """Of the pages of one origin; ten times as many may come at once. More is refused with 429."""
    connections: Count = 256
    """At once. A newcomer beyond it takes the place of the one that has been idle longest; if all are busy,
    it is closed."""
    head_seconds: Seconds = 10.0
    """For a request's line and headers, between two requests of a connection, and for taking answers."""
    body_seconds: Seconds = 60.0
    """For a request's body."""
    head_bytes: Annotated[int, msgspec.Meta(ge=4096, le=1 << 20)] = 16 * 1024
    """Of a request's line and headers."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                expected = 'expected a scheme, a host and perhaps a port in small letters, no path and no "*"'
                yield "origins", f"{origin!r}: {expected}"
