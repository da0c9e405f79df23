"""The settings of the sinks for Elasticsearch and Logstash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from log_collector.sinks.http.config import Fault, TargetConfig, url_faults

_PART = r"^[^\\/*?\"<>| ,#:A-Z-][^\\/*?\"<>| ,#:A-Z-]{0,99}$"
"""Elasticsearch's rule for the parts of a data stream's name."""
StreamPart = Annotated[str, msgspec.Meta(pattern=_PART)]


class ElasticsearchConfig(TargetConfig, frozen=True, kw_only=True):
    """Documents with ECS names in a data stream, by the bulk API. Also takes OpenSearch."""

    url: str
    """Of the cluster, such as "https://elastic:9200"."""
    api_key: str = ""
    """The encoded form, as Elasticsearch hands it out. Empty: as `http` says."""
    dataset: StreamPart = "telecine"
    """The data stream is `logs-<dataset>-<namespace>`."""
    namespace: StreamPart = "default"
    """The last part of the data stream's name, such as an environment."""
    pipeline: str = ""
    """An ingest pipeline for the documents; empty: that of the index."""

    def find_faults(self) -> Iterator[Fault]:
        """Yields what the fields' types cannot say."""
        yield from TargetConfig.find_faults(self)
        yield from url_faults("url", self.url)
        if self.api_key and (self.http.token or self.http.username):
            yield "api_key", "expected either this or credentials below http, not both"


class LogstashConfig(TargetConfig, frozen=True, kw_only=True):
    """Documents with ECS names to Logstash's `http` input, as a JSON array."""

    url: str
    """Of the input, such as "http://logstash:8080"."""

    def find_faults(self) -> Iterator[Fault]:
        """Yields what the fields' types cannot say."""
        yield from TargetConfig.find_faults(self)
        yield from url_faults("url", self.url)
