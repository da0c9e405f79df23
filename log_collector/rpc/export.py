"""Takes one OTLP export: maps it, leaves out what is stored already, and ends when the rest is durable."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import msgspec

from log_collector import errors
from log_collector.ingest.accounting import Way
from log_collector.ingest.ingest import Envelope, Ingest
from log_collector.ingest.opening import OpenedBatch
from log_collector.ingest.quarantine import Quarantine
from log_collector.ingest.turnstile import Turnstile
from log_collector.journal import (
    UNSEQUENCED,
    JournalClosedError,
    JournalFailedError,
    JournalFullError,
)
from log_collector.journal.entry import UID_BYTES, pack
from log_collector.otlp.mapping import MappedLogs, map_request
from log_collector.processors.lanes import Lanes
from log_collector.processors.redact import CostlyError
from log_collector.quotas.intake_pace import ROOT, Sender
from log_collector.record import Rejection, RejectionReason

_INLINE_BYTES = 16 * 1024
"""A request so small is mapped at once: a thread would cost more than it gains."""
_INLINE_SUSPECT_BYTES = 4 * 1024
"""If so little of it looks as if it held secrets: to open that costs some microseconds a byte."""


Translate: TypeAlias = Callable[[bytes], tuple[bytes, list[tuple[RejectionReason, str]]]]
"""Makes an ExportLogsServiceRequest of another form of it; beside it, why records are missing in it.

Raises ValueError. Runs in a thread.
"""


class _Request(msgspec.Struct, frozen=True):
    data: bytes
    way: Way
    translate: Translate | None
    tenant: str


class _Prepared(msgspec.Struct):
    mapped: MappedLogs
    opened: OpenedBatch


def _owned_uid(uid: bytes, tenant: str) -> bytes:
    """Of a record of one tenant: nobody can make another's records pass for stored by sending their uids."""
    if not uid:
        return uid
    return hashlib.blake2b(uid, key=tenant.encode(), digest_size=UID_BYTES).digest()


class Exporter:
    """Belongs to the event loop."""

    def __init__(self, ingest: Ingest, lanes: Lanes, turnstile: Turnstile, record_bytes: int) -> None:
        self._ingest = ingest
        self._lanes = lanes
        self._turnstile = turnstile
        self.record_bytes = record_bytes
        """The limit of one record; may be changed at any time."""

    async def export(
        self,
        data: bytes,
        peer: str,
        way: Way = Way.OTLP,
        translate: Translate | None = None,
        sender: Sender = ROOT,
    ) -> tuple[Rejection, ...]:
        """Returns when every record is durable; what it returns is wrong for ever and quarantined.

        Senders take turns where there is much to do. `translate` None: the bytes are the message.

        `sender`: whose the records are.

        Raises ServiceError: malformed bytes, or UNAVAILABLE with a delay for all that is worth trying again.
        """
        async with self._turnstile.admit(len(data), sender):
            return await self._export(_Request(data, way, translate, sender.tenant), peer, sender)

    async def _export(self, request: _Request, peer: str, sender: Sender) -> tuple[Rejection, ...]:
        now = self._ingest.now_unix_nano()
        try:
            is_small, tenant = len(request.data) <= _INLINE_BYTES, sender.tenant
            prepared = self._prepare_if_cheap(request, now) if is_small else None
            if prepared is None:
                work = partial(self._prepare, request, now)
                prepared = await self._lanes.run(peer, work, tenant)
        except ValueError as error:
            raise errors.malformed(str(error)) from error
        mapped = prepared.mapped
        if not mapped.received_count:
            return ()
        sender.count(mapped.received_count)
        try:
            return await self._store(prepared, request, now)
        except (JournalFullError, JournalFailedError, JournalClosedError) as error:
            reason = errors.refusal_reason(error)
            for books in self._ingest.accounting.books_of(tenant):
                books.count_refused(request.way, reason, mapped.received_count)
            raise errors.not_stored(error, self._turnstile.retry_seconds) from error

    def _prepare_if_cheap(self, request: _Request, now: int) -> _Prepared | None:
        try:
            return self._prepare(request, now, _INLINE_SUSPECT_BYTES)
        except CostlyError:
            return None

    def _prepare(self, request: _Request, now: int, limit_bytes: float = math.inf) -> _Prepared:
        opener = self._ingest.opener
        looked_at = 0

        def redact_bytes(raw: bytes, counts: dict[str, int]) -> bytes:
            nonlocal looked_at
            if opener.redaction.is_suspect(raw):
                looked_at += len(raw)
                if looked_at > limit_bytes:
                    raise CostlyError
            return opener.redaction.redact_bytes(raw, counts)

        data, unreadable = (
            (request.data, []) if request.translate is None else request.translate(request.data)
        )
        mapped = map_request(data, now, self.record_bytes, redact_bytes)
        mapped.rejected += unreadable
        mapped.received_count += len(unreadable)
        mapped.origin = opener.redaction.redact_origin(mapped.origin)
        tenant = request.tenant
        mapped.uids = [_owned_uid(uid, tenant) for uid in mapped.uids] if tenant else mapped.uids
        opened = opener.open_mapped(mapped.lines, limit_bytes, tenant)
        if mapped.redacted:
            opened = msgspec.structs.replace(
                opened, redacted=dict(Counter(opened.redacted) + Counter(mapped.redacted))
            )
        return _Prepared(mapped, opened)

    async def _store(self, prepared: _Prepared, request: _Request, now: int) -> tuple[Rejection, ...]:
        way, tenant = request.way, request.tenant
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
            envelope = Envelope(
                way, producer, UNSEQUENCED, count, now, mapped.origin, uids=uids, tenant=tenant
            )
            await self._ingest.store(envelope, opened)
        elif waits_for_others:
            await journal.wait_until_durable()
        for books in self._ingest.accounting.books_of(tenant):
            books.count_duplicate(way, duplicates)
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
        kept = b"".join(lines[i] + b"\n" for i in fresh)
        keys = self._ingest.opener.read_keys(kept)
        return OpenedBatch(kept, pack(kept), len(fresh), (), b"", opened.redacted, keys)
