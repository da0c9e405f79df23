"""Notices before clients do that a certificate expires: a warning a day in the log, and a metric."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from service_host.tls.certificate_files import CertificateFiles

_DAY_SECONDS = 86400.0
_LOOK_SECONDS = 60.0
"""A file that cannot be used is reported within this time, also where nobody connects."""

_log = structlog.get_logger("service_host")


class _Reloads(Collector):
    def __init__(self, files: CertificateFiles) -> None:
        self._files = files

    def collect(self) -> list[CounterMetricFamily]:
        family = CounterMetricFamily(
            "telecine_tls_certificate_changes",
            "Times that the certificate files changed, by whether they could be used.",
            labels=["outcome"],
        )
        family.add_metric(["taken"], self._files.taken)
        family.add_metric(["refused"], self._files.refused)
        return [family]


class ExpiryWatch:
    """Watches one certificate. `run` ends when it is cancelled."""

    def __init__(self, files: CertificateFiles, warning_seconds: float, registry: CollectorRegistry) -> None:
        """`warning_seconds`: from so long before the expiry it is warned. 0: never."""
        self._files = files
        self._warning_seconds = warning_seconds
        self._warned: tuple[datetime, datetime] | None = None
        """The expiry that was warned of last, and when."""
        gauge = Gauge(
            "telecine_tls_certificate_expiry_timestamp_seconds",
            "When the certificate that is shown expires, in seconds since 1970.",
            registry=registry,
        )
        gauge.set_function(self._expiry)
        registry.register(_Reloads(files))

    def _expiry(self) -> float:
        return self._files.in_force.validity.not_after.timestamp()

    async def run(self, look_seconds: float = _LOOK_SECONDS) -> None:
        """Reads the files again from time to time, and warns."""
        while True:
            await asyncio.to_thread(self._files.look)
            self.warn(datetime.now(UTC))
            await asyncio.sleep(look_seconds)

    def warn(self, now: datetime) -> None:
        """Logs a warning where one is due: at first sight of a certificate that expires soon, then daily."""
        validity = self._files.in_force.validity
        left = validity.seconds_left(now)
        if left > self._warning_seconds or not self._warning_seconds:
            return
        if self._warned is not None:
            expiry, last = self._warned
            if expiry == validity.not_after and (now - last).total_seconds() < _DAY_SECONDS:
                return
        self._warned = (validity.not_after, now)
        days = round(left / _DAY_SECONDS, 1)
        expires = validity.not_after.isoformat()
        _log.warning(
            "certificate_expires_soon" if left > 0 else "certificate_expired", expires=expires, days=days
        )
