"""GetStats: the counters of ingest, journal, producers and sinks in one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector.condition import Condition
from log_collector.ingest.accounting import Accounting
from log_collector.journal import Journal, Origin, Producer
from log_collector.journal.ownership import shown_producer

_MAX_PRODUCERS: Final = 1000


class Stats:
    """Reads the counters where they are kept. Belongs to the event loop."""

    def __init__(
        self,
        journal: Journal,
        condition: Condition,
        accounting: Accounting,
        held_by: Callable[[str | None], int],
        sinks: Callable[[], Sequence[logs_pb2.SinkStats]],
        limit_bytes: int,
        started_unix_nano: int,
        name_of: Callable[[str], str],
    ) -> None:
        """`name_of`: a tenant's name, by what the journal has for it."""
        self._name_of = name_of
        self._journal = journal
        self._condition = condition
        self._accounting = accounting
        self._held_by = held_by
        self._sinks = sinks
        self._limit_bytes = limit_bytes
        self._started_unix_nano = started_unix_nano

    def message(self, tenant: str | None = None) -> pb.GetStatsResponse:
        """The counters as they are now: of one tenant ("" is the root one), or all there is (None).

        What a tenant sees ends with its own: sinks and journal are the operator's.
        """
        producers = [_producer(name, self._name_of(_tenant_of(name)), p) for name, p in self._newest(tenant)]
        started = _timestamp(self._started_unix_nano)
        if tenant is not None:
            ingest = self._ingest(self._accounting.of_tenant(tenant), tenant)
            return pb.GetStatsResponse(ingest=ingest, producers=producers, started=started)
        return pb.GetStatsResponse(
            ingest=self._ingest(self._accounting, None),
            sinks=self._sinks(),
            journal=logs_pb2.JournalStats(
                bytes=self._journal.size_bytes,
                limit_bytes=self._limit_bytes,
                damages=self._condition.damage_count,
                damaged_bytes=self._condition.damaged_bytes,
                is_gone=self._condition.is_gone,
            ),
            producers=producers,
            started=started,
        )

    def _newest(self, tenant: str | None) -> list[tuple[str, Producer]]:
        def is_seen(name: str) -> bool:
            return tenant is None or _tenant_of(name) == tenant

        return self._journal.producers.newest(_MAX_PRODUCERS, is_seen)

    def _ingest(self, books: Accounting, tenant: str | None) -> logs_pb2.IngestStats:
        return logs_pb2.IngestStats(
            received=books.received.total(),
            rejected=books.rejected.total(),
            refused=books.refused.total(),
            duplicate=books.duplicate.total(),
            accepted=books.accepted.total(),
            dropped=dict(books.dropped),
            redacted=dict(books.redacted),
            held=self._held_by(tenant),
            conflicting=books.conflicting,
        )


def _tenant_of(name: str) -> str:
    tenant, slash, _ = name.partition("/")
    return tenant if slash else ""


def _producer(name: str, tenant: str, producer: Producer) -> logs_pb2.ProducerStats:
    return logs_pb2.ProducerStats(
        producer=shown_producer(name),
        resource=_resource(producer.origin),
        last_seq=producer.durable_seq,
        lost=producer.lost,
        last_received=_timestamp(producer.received_unix_nano),
        conflicting=producer.conflicts,
        is_owned=bool(producer.proof),
        tenant=tenant,
    )


def _resource(origin: Origin) -> logs_pb2.Resource:
    return logs_pb2.Resource(
        service=origin.service,
        env=origin.env,
        service_version=origin.service_version,
        host=origin.host,
        pid=origin.pid,
    )


def _timestamp(unix_nano: int) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromNanoseconds(unix_nano)
    return timestamp
