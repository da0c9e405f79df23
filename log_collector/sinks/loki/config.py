"""The settings of the sink for Grafana Loki."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from log_collector.sinks.http.config import Fault, TargetConfig, url_faults

LabelName = Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")]


class LokiConfig(TargetConfig, frozen=True, kw_only=True):
    """Lines by the push API. Labels are `service`, `env` and `level`, all else is structured metadata."""

    url: str
    """Of Loki itself, such as "http://loki:3100"; the path of the push API is added."""
    tenant: str = ""
    """Sent as X-Scope-OrgID; empty: not sent."""
    labels: dict[LabelName, str] = msgspec.field(default_factory=dict)
    """The same for all lines, such as cluster = "eu-1"."""
    label_values: Annotated[int, msgspec.Meta(ge=1)] = 100
    """So many services, and as many environments, become labels; any further one is `_other`, and its name
    stands in the metadata: each set of labels is a stream, and streams are what Loki suffers from."""
    metadata_fields: Annotated[int, msgspec.Meta(ge=0)] = 128
    """A record with more fields is sent as one line of JSON. Loki's own limit is 128."""
    metadata_bytes: Annotated[int, msgspec.Meta(ge=0)] = 48 << 10
    """And so is one whose fields are larger. Loki's own limit is 64 KiB; 0: each record is a line of JSON."""

    def find_faults(self) -> Iterator[Fault]:
        """Yields what the fields' types cannot say."""
        yield from TargetConfig.find_faults(self)
        yield from url_faults("url", self.url)
        if {"service", "env", "level"} & set(self.labels):
            yield "labels", "expected other names than service, env and level: each record has its own"
