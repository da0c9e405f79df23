"""Puts a sink over HTTP together from its configuration."""

from __future__ import annotations

import time
from collections.abc import Callable

from log_collector.data_files import DEAD_LETTERS
from log_collector.sinks.elastic.config import ElasticsearchConfig, LogstashConfig
from log_collector.sinks.elastic.elasticsearch import ElasticsearchWire
from log_collector.sinks.elastic.logstash import LogstashWire
from log_collector.sinks.http.config import TargetConfig
from log_collector.sinks.http.dead_letters import DeadLetters
from log_collector.sinks.http.door import HttpDoor
from log_collector.sinks.http.sink import HttpSink, Limits, Wire
from log_collector.sinks.loki.config import LokiConfig
from log_collector.sinks.loki.wire import LokiWire
from log_collector.sinks.sentry.config import SentryConfig
from log_collector.sinks.sentry.wire import SentryWire
from log_collector.sinks.table import Place
from log_collector.sinks.wanted import wanted
from log_collector.sinks.webhook import WebhookWire
from log_collector.sinks.webhook_config import WebhookConfig


def open_http_sink(
    config: TargetConfig, place: Place, wall_clock: Callable[[], float] = time.time
) -> HttpSink:
    """Opens the sink that a configuration asks for; it connects at its first record."""
    dead_letters = place.data_dir / DEAD_LETTERS / f"{place.name}.log"
    return HttpSink(
        _wire(config, wall_clock),
        HttpDoor(config.http),
        Limits(config.request_records, config.request_bytes, config.most_wait_seconds),
        wanted(config),
        DeadLetters(dead_letters, config.dead_letter_bytes),
    )


def _wire(config: TargetConfig, wall_clock: Callable[[], float] = time.time) -> Wire:
    match config:
        case SentryConfig():
            return SentryWire(config, wall_clock)
        case ElasticsearchConfig():
            return ElasticsearchWire(config, wall_clock)
        case LogstashConfig():
            return LogstashWire(config, wall_clock)
        case LokiConfig():
            return LokiWire(config, wall_clock)
        case WebhookConfig():
            return WebhookWire(config, wall_clock)
        case _:
            raise TypeError(f"no sink for {type(config).__name__}")
