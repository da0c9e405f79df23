"""Takes one OTLP export: maps it, leaves out what is stored already, and ends when the rest is durable."""

from __future__ import annotations

import math
from collections import Counter
from functools import partial

import msgspec

from log_collector import errors
from log_collector.ingest.accounting import Way
from log_collector.ingest.budget import ByteBudget
from log_collector.ingest.ingest import Envelope, Ingest
from log_collector.ingest.opening import OpenedBatch
from log_collector.ingest.quarantine import Quarantine
from log_collector.journal import (
    UNSEQUENCED,
    JournalClosedError,
    JournalFailedError,
    JournalFullError,
)
from log_collector.otlp.mapping import MappedLogs, map_request
from log_collector.processors.lanes import Lanes
from log_collector.processors.redact import CostlyError
from log_collector.record import Rejection

_INLINE_BYTES = 16 * 1024
"""A request so small is mapped at once: a thread would cost more than it gains."""
_INLINE_SUSPECT_BYTES = 4 * 1024
"""If so little of it looks as if it held secrets: to open that costs some microseconds a byte."""


class ExportLimits(msgspec.Struct, frozen=True):
    """What bounds the calls."""

    record_bytes: int
    retry_seconds: float
    requests_at_once: int


class _Prepared(msgspec.Struct):
    mapped: MappedLogs
    opened: OpenedBatch


class Exporter:
    """Belongs to the event loop."""

    def __init__(self, ingest: Ingest, lanes: Lanes, budget: ByteBudget, limits: ExportLimits) -> None:
        self._ingest = ingest
        self._lanes = lanes
        self._budget = budget
        self.limits = limits
        self._running = 0

    async def export(self, request: bytes, sender: str) -> tuple[Rejection, ...]:
        """Returns when every record is durable; what it returns is wrong for ever and quarantined.

        Senders take turns where there is much to do.

        Raises ServiceError: malformed bytes, or UNAVAILABLE with a delay for all that is worth trying again.
        """
        if self._ingest.is_draining:
            raise errors.draining(self.limits.retry_seconds)
        if self._running >= self.limits.requests_at_once:
            raise errors.busy(self.limits.retry_seconds)
        self._running += 1
        await self._budget.acquire(len(request))
        try:
            return await self._export(request, sender)
        finally:
            self._budget.release(len(request))
            self._running -= 1

    async def _export(self, request: bytes, sender: str) -> tuple[Rejection, ...]:
        now = self._ingest.now_unix_nano()
        try:
            prepared = self._prepare_if_cheap(request, now) if len(request) <= _INLINE_BYTES else None
            if prepared is None:
                prepared = await self._lanes.run(sender, partial(self._prepare, request, now))
        except ValueError as error:
            raise errors.malformed(str(error)) from error
        mapped = prepared.mapped
        if not mapped.received_count:
            return ()
        try:
            return await self._store(prepared, now)
        except (JournalFullError, JournalFailedError, JournalClosedError) as error:
            reason = errors.refusal_reason(error)
            self._ingest.accounting.count_refused(Way.OTLP, reason, mapped.received_count)
            raise errors.not_stored(error, self.limits.retry_seconds) from error

    def _prepare_if_cheap(self, request: bytes, now: int) -> _Prepared | None:
        try:
            return self._prepare(request, now, _INLINE_SUSPECT_BYTES)
        except CostlyError:
            return None

    def _prepare(self, request: bytes, now: int, limit_bytes: float = math.inf) -> _Prepared:
        opener = self._ingest.opener
        looked_at = 0

        def redact_bytes(raw: bytes, counts: dict[str, int]) -> bytes:
            nonlocal looked_at
            if opener.redaction.is_suspect(raw):
                looked_at += len(raw)
                if looked_at > limit_bytes:
                    raise CostlyError
            return opener.redaction.redact_bytes(raw, counts)

        mapped = map_request(request, now, self.limits.record_bytes, redact_bytes)
        mapped.origin = opener.redaction.redact_origin(mapped.origin)
        opened = opener.open_mapped(mapped.lines, limit_bytes)
        if mapped.redacted:
            opened = msgspec.structs.replace(
                opened, redacted=dict(Counter(opened.redacted) + Counter(mapped.redacted))
            )
        return _Prepared(mapped, opened)

    async def _store(self, prepared: _Prepared, now: int) -> tuple[Rejection, ...]:
        mapped, opened = prepared.mapped, prepared.opened
        journal = self._ingest.journal
        journal.require_room()
        producer = f"otlp:{mapped.origin.service}"
        quarantine = Quarantine(producer, UNSEQUENCED, mapped.origin.service, now)
        for reason, message in mapped.rejected:
            quarantine.add_line(reason, message, UNSEQUENCED, b"")
        fresh = self._fresh(mapped.uids)
        duplicates = len(mapped.uids) - len(fresh)
        waits_for_others = any(journal.uids.is_pending(uid) for uid in mapped.uids) if duplicates else False
        if duplicates:
            opened = self._without(opened, fresh)
        opened = msgspec.structs.replace(
            opened, rejections=quarantine.rejections, quarantine=quarantine.lines
        )
        if opened.record_count or opened.rejections:
            uids = b"".join(mapped.uids[i] for i in fresh)
            count = opened.record_count + len(mapped.rejected)
            envelope = Envelope(Way.OTLP, producer, UNSEQUENCED, count, now, mapped.origin, uids=uids)
            await self._ingest.store(envelope, opened)
        elif waits_for_others:
            await journal.wait_until_durable()
        self._ingest.accounting.count_duplicate(Way.OTLP, duplicates)
        return opened.rejections

    def _fresh(self, uids: list[bytes]) -> list[int]:
        """Which records are not stored yet and not twice in the request."""
        known, seen = self._ingest.journal.uids, set()
        fresh = []
        for index, uid in enumerate(uids):
            if uid:
                if uid in known or uid in seen:
                    continue
                seen.add(uid)
            fresh.append(index)
        return fresh

    def _without(self, opened: OpenedBatch, fresh: list[int]) -> OpenedBatch:
        """The batch with the lines of these indexes alone."""
        lines = opened.lines.split(b"\n")
        kept = self._ingest.opener.open_mapped([lines[i] for i in fresh])
        return msgspec.structs.replace(kept, redacted=opened.redacted)
