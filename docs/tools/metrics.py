"""Writes the page of every metric of both services: name, type, unit, labels, meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from telecine.retry.prometheus import CircuitMetrics

from docs.tools.tables import cell, page, table
from encoder_service.metrics import EncoderMetrics
from log_collector.condition import Condition
from log_collector.fanout.fanout import FanoutMetrics
from log_collector.ingest.accounting import Accounting, AccountingMetrics
from service_host.metrics import CallMetrics
from service_host.tls.expiry import ExpiryWatch

_HEAD = """\
What `/metrics` of each service's admin port says (`host.admin_listen`, off unless it is set). Counters
begin at 0 with each start of
the service. Beside these stand the usual figures of the process: `process_*` and `python_*`. Which of them
are worth an
alert is on [Alerts](../operate/alerts.md)."""

LABELS = {
    "circuit": "the name of the circuit breaker",
    "code": "a code of [Errors](../errors.md) or [Codes in the manifest](../warnings.md)",
    "format": "the output's format, such as `mp4`",
    "grpc_code": "the gRPC status, such as `OK` or `UNAVAILABLE`",
    "grpc_method": "the method of the service",
    "grpc_type": "`unary`, `client_stream`, `server_stream` or `bidi_stream`",
    "outcome": "`taken` or `refused`",
    "quota": "the setting below `quotas` that was used up",
    "reason": "why, as a stable word or a reason of [Errors](../errors.md)",
    "result": "what became of it",
    "rule": "the id of the redaction rule",
    "sink": "the sink's name, such as `files` or `loki`",
    "state": "the state that is counted",
    "step": "`read`, `encoded` or `decoded`",
    "tenant": "the tenant; the 20 busiest have a label of their own, the others are `other`",
    "way": "how records came: `ship`, `otlp`, `otlp_http`, `records`, `browser`; `own`: the collector's",
}
"""What each label says; a metric with another one cannot be written."""

_UNITS = (("_timestamp_seconds", "seconds since 1970"), ("_seconds", "seconds"), ("_bytes", "bytes"))


class Row(msgspec.Struct, frozen=True):
    """One metric."""

    name: str
    """As it is asked for in PromQL: counters end in `_total`, histograms are named by their family."""
    kind: str
    unit: str
    labels: tuple[str, ...]
    meaning: str


def pages() -> dict[str, str]:
    """Name in docs/reference/ to text."""
    parts = []
    used: set[str] = set()
    for title, about, rows in sections():
        parts += [f"## {title}", about, _table(rows)]
        used |= {label for row in rows for label in row.labels}
    parts += ["## Labels", table(("label", "says"), [(f"`{name}`", LABELS[name]) for name in sorted(used)])]
    return {"metrics.md": page("Metrics", _HEAD, parts)}


def sections() -> list[tuple[str, str, list[Row]]]:
    """Title, introduction and rows of each part of the page."""
    return [
        ("Encoder", "Of `telecine serve encoder`.", _encoder()),
        ("Log collector", "Of `telecine serve collector`.", _collector()),
        (
            "Both services",
            "Of the calls of either service, under the names that gRPC dashboards know.",
            _both(),
        ),
        ("TLS", "Of a service with `host.tls.cert_file`.", _tls()),
        (
            "Circuit breakers of a program",
            "Of a program of your own that registers `telecine.retry.prometheus.CircuitMetrics`.",
            _rows(CircuitMetrics(list).collect()),
        ),
    ]


class _Levels:
    """Stands for a service that has nothing to do."""

    def damaged(self) -> dict[str, int]:
        return {}

    def jobs_by_state(self) -> dict[str, int]:
        return {}

    def __getattr__(self, name: str) -> Any:
        return lambda: 0


def _encoder() -> list[Row]:
    registry = CollectorRegistry()
    EncoderMetrics(registry).watch(_Levels())
    return _rows(registry.collect(), _own_labels(registry))


def _collector() -> list[Row]:
    journal: Any = SimpleNamespace(damages=(), rotten=())
    cursors: Any = SimpleNamespace(damages=())
    condition = Condition(journal, cursors, lambda: True, structlog.get_logger())
    families = [
        *AccountingMetrics(Accounting(), int).collect(),
        *condition.collect(),
        *FanoutMetrics({}).collect(),
    ]
    return _rows(families)


def _both() -> list[Row]:
    registry = CollectorRegistry()
    CallMetrics(registry)
    return _rows(registry.collect(), _own_labels(registry))


def _tls() -> list[Row]:
    registry = CollectorRegistry()
    now = SimpleNamespace(validity=SimpleNamespace(not_after=datetime.now(UTC)))
    files: Any = SimpleNamespace(taken=0, refused=0, in_force=now)
    ExpiryWatch(files, 0, registry)
    return _rows(registry.collect())


def _own_labels(registry: CollectorRegistry) -> dict[str, tuple[str, ...]]:
    """The labels of the library's own counters and gauges; their families show none before they count."""
    collectors = registry._collector_to_names  # noqa: SLF001 - the library has no other list of them
    return {
        family.name: getattr(collector, "_labelnames", ())
        for collector in collectors
        for family in collector.collect()
    }


def _rows(families: Iterable[Metric], own: Mapping[str, tuple[str, ...]] | None = None) -> list[Row]:
    found = []
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = tuple(getattr(family, "_labelnames", ())) or (own or {}).get(family.name, ())
        if unknown := set(labels) - set(LABELS):
            raise ValueError(f"{name} has labels that docs/tools/metrics.py does not explain: {unknown}")
        unit = next((unit for suffix, unit in _UNITS if family.name.endswith(suffix)), "")
        found.append(Row(name, family.type, unit, labels, family.documentation))
    return sorted(found, key=lambda row: row.name)


def _table(rows: list[Row]) -> str:
    head = ("metric", "type", "unit", "labels", "meaning")
    return table(
        head,
        [
            (
                f"`{row.name}`",
                row.kind,
                row.unit,
                ", ".join(f"`{label}`" for label in row.labels),
                cell(row.meaning),
            )
            for row in rows
        ],
    )
