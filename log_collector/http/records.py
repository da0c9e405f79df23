"""Plain records: newline-delimited JSON, answered line by line once all of it is durable."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec
from telecine.errors.v1 import error_reason_pb2 as reasons

from log_collector import errors
from log_collector.ingest.accounting import Way
from log_collector.ingest.ingest import Envelope, Ingest
from log_collector.ingest.opening import OpenedBatch, ReceivedBatch
from log_collector.ingest.turnstile import Turnstile
from log_collector.journal import (
    UNSEQUENCED,
    Encoding,
    JournalClosedError,
    JournalFailedError,
    JournalFullError,
    Origin,
)
from log_collector.journal.entry import UID_BYTES
from log_collector.processors.lanes import Lanes
from log_collector.processors.redact import CostlyError
from log_collector.quotas.intake_pace import ROOT, Sender
from service_host.auth.principal import current_principal
from service_host.status.http_status import HttpError
from service_host.status.status import ServiceError

UNKNOWN_SERVICE: Final = "unknown_service"
_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}", re.ASCII)
_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
_INLINE_BYTES: Final = 16 * 1024
_INLINE_SUSPECT_BYTES: Final = 4 * 1024
_BLANK: Final = b" \t\r"
_MAY_BE_BLANK: Final = re.compile(rb"\A[\n \t]|\n[\n \t]|\r")


class Lines(msgspec.Struct, frozen=True):
    """The lines of a request."""

    data: bytes
    sender: str
    way: Way
    service: str = ""
    """Of records that name none. Empty: "unknown_service"."""
    key: str = ""
    """With it, the same lines are stored once, however often they come. Empty: each time."""


class RejectedAt(msgspec.Struct, frozen=True):
    """One line that is wrong for ever."""

    line: int
    """Its number in the request, blank lines counted, from 1 on."""
    reason: str
    message: str
    """What was wrong and what was expected."""


class Taken(msgspec.Struct, frozen=True):
    """What became of the lines; all of it is durable."""

    accepted: int
    duplicate: int
    """Stored already, under the same key."""
    rejected: int
    rejections: list[RejectedAt]
    """The first hundred."""


class _Prepared(msgspec.Struct, frozen=True):
    opened: OpenedBatch
    numbers: Sequence[int]
    """Of the lines that are not blank."""


class RecordTaker:
    """Belongs to the event loop. `max_records` may be changed at any time."""

    def __init__(
        self,
        ingest: Ingest,
        lanes: Lanes,
        turnstile: Turnstile,
        max_records: int,
        whose: Callable[[], Sender] = lambda: ROOT,
    ) -> None:
        """`whose`: who sends the request of the task that asks."""
        self._whose = whose
        self._ingest = ingest
        self._lanes = lanes
        self._turnstile = turnstile
        self.max_records = max_records

    async def take(self, lines: Lines) -> Taken:
        """Returns when every line is durable, the wrong ones in the quarantine.

        Raises ServiceError or HttpError: wrong parameters, a key that stood for other lines, or UNAVAILABLE
        with a delay for all that is worth trying again.
        """
        if lines.service and not _SERVICE.fullmatch(lines.service):
            expected = "expected 1 to 64 characters of [A-Za-z0-9._-], beginning with a letter or digit"
            raise errors.invalid_field("service", expected)
        if lines.key and not _KEY.fullmatch(lines.key):
            raise errors.invalid_field("idempotency-key", "expected 1 to 255 printable characters of ASCII")
        sender = self._whose()
        async with self._turnstile.admit(len(lines.data), sender):
            return await self._take(lines, sender)

    async def _take(self, lines: Lines, sender: Sender) -> Taken:
        tenant = sender.tenant
        now = self._ingest.now_unix_nano()
        # A name may be a secret by mistake: it stands in records, file names and the list of producers.
        origin = self._ingest.opener.redaction.redact_origin(Origin(lines.service or UNKNOWN_SERVICE))
        service = origin.service
        producer = f"{lines.way}:{service}"
        prepared = None
        if len(lines.data) <= _INLINE_BYTES:
            try:
                prepared = self._prepare(lines.data, producer, service, now, tenant, _INLINE_SUSPECT_BYTES)
            except CostlyError:
                pass
        if prepared is None:
            work = partial(self._prepare, lines.data, producer, service, now, tenant)
            prepared = await self._lanes.run(lines.sender, work, tenant)
        count = len(prepared.numbers)
        if not count:
            return Taken(0, 0, 0, [])
        sender.count(count)
        opened = prepared.opened
        uids = _uids_of(lines) if lines.key else ()
        rejected = sum(rejection.count for rejection in opened.rejections)
        try:
            self._ingest.journal.require_room()
            if uids and await self._is_stored(uids):
                for books in self._ingest.accounting.books_of(tenant):
                    books.count_duplicate(lines.way, count)
                return Taken(0, count - rejected, rejected, _rejections(prepared))
            envelope = Envelope(
                lines.way, producer, UNSEQUENCED, count, now, origin, uids=b"".join(uids), tenant=tenant
            )
            await self._ingest.store(envelope, opened)
        except (JournalFullError, JournalFailedError, JournalClosedError) as error:
            for books in self._ingest.accounting.books_of(tenant):
                books.count_refused(lines.way, errors.refusal_reason(error), count)
            raise errors.not_stored(error, self._turnstile.retry_seconds) from error
        return Taken(count - rejected, 0, rejected, _rejections(prepared))

    def _prepare(
        self, data: bytes, producer: str, service: str, now: int, tenant: str, limit_bytes: float = math.inf
    ) -> _Prepared:
        found = data.count(b"\n")
        if found > self.max_records:
            message = f"the request has {found} lines, the limit is {self.max_records}"
            raise ServiceError(reasons.ERROR_REASON_TOO_LARGE, f"{message}; send it in several requests")
        lines, numbers = _without_blank_lines(data)
        if not numbers:
            return _Prepared(OpenedBatch(b"", b"", 0, (), b"", {}, []), numbers)
        batch = ReceivedBatch(
            producer, UNSEQUENCED, len(numbers), service, lines, Encoding.IDENTITY, now, tenant=tenant
        )
        return _Prepared(self._ingest.opener.open(batch, limit_bytes), numbers)

    async def _is_stored(self, uids: Sequence[bytes]) -> bool:
        """Whether the same lines came under the same key before; waits until they are durable.

        Raises HttpError where others came under it.
        """
        known = self._ingest.journal.uids
        of_key, of_lines = uids
        if of_lines in known:
            if known.is_pending(of_lines):
                await self._ingest.journal.wait_until_durable()
            return True
        if of_key in known:
            violation = "this key came with other lines before; expected a new key for new lines"
            raise HttpError(422, errors.invalid_field("idempotency-key", violation))
        return False


def _uids_of(lines: Lines) -> tuple[bytes, bytes]:
    """Of the key, and of the key with these lines; a tenant's keys are its own."""
    hashed = hashlib.blake2b(digest_size=UID_BYTES, person=b"telecine-http")
    hashed.update(f"{current_principal().tenant}\n{lines.way}\n{lines.key}\n".encode())
    of_key = hashed.digest()
    hashed.update(lines.service.encode() + b"\n" + lines.data)
    return of_key, hashed.digest()


def _without_blank_lines(data: bytes) -> tuple[bytes, Sequence[int]]:
    """The lines, each ended by a newline, and their numbers in the request."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    if data and not data.endswith(b"\n"):
        data += b"\n"
    if data and not _MAY_BE_BLANK.search(data):
        return data, range(1, data.count(b"\n") + 1)
    kept, numbers = [], []
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        if line.strip(_BLANK):
            kept.append(line.rstrip(b"\r"))
            numbers.append(number)
    return b"\n".join((*kept, b"")) if kept else b"", numbers


def _rejections(prepared: _Prepared) -> list[RejectedAt]:
    return [
        RejectedAt(prepared.numbers[wrong.index], str(wrong.reason), wrong.message)
        for wrong in prepared.opened.rejected_lines
    ]
