"""Puts a sink over HTTP together from its configuration."""

from __future__ import annotations

from pathlib import Path

from telecine.logging.catalogue import Level

from log_collector.expression import Condition, Fields, compile_expression
from log_collector.record import LEVEL_NUMBERS
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
from log_collector.sinks.webhook import WebhookWire
from log_collector.sinks.webhook_config import WebhookConfig


def open_http_sink(config: TargetConfig, dead_letters: Path) -> HttpSink:
    """The sink that a configuration asks for; connects at its first record.

    `dead_letters`: the file for records that are refused for ever.
    """
    return HttpSink(
        _wire(config),
        HttpDoor(config.http),
        Limits(config.request_records, config.request_bytes, config.most_wait_seconds),
        wanted(config),
        DeadLetters(dead_letters, config.dead_letter_bytes),
    )


def wanted(config: TargetConfig) -> Condition:
    """Whether a record is for this sink."""
    least = LEVEL_NUMBERS[config.level]
    services = frozenset(config.services)
    condition = compile_expression(config.expression) if config.expression else None

    def is_wanted(fields: Fields) -> bool:
        level = LEVEL_NUMBERS.get(str(fields.get("level")), Level.INFO)
        if level < least or (services and fields.get("service") not in services):
            return False
        return condition is None or condition(fields)

    return is_wanted


def _wire(config: TargetConfig) -> Wire:
    match config:
        case SentryConfig():
            return SentryWire(config)
        case ElasticsearchConfig():
            return ElasticsearchWire(config)
        case LogstashConfig():
            return LogstashWire(config)
        case LokiConfig():
            return LokiWire(config)
        case WebhookConfig():
            return WebhookWire(config)
        case _:
            raise TypeError(f"no sink for {type(config).__name__}")
