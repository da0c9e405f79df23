"""Ships the records of an old file, each once: what was stored before is known by its content."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from telecine.cli.logs.importing import MARK_BYTES
from telecine.cli.show.failures import UnavailableHereError
from telecine.logging.shipping.messages import Acknowledged, Broken, Refused, Rejected, ShipStream
from telecine.logging.shipping.spool import Resource
from telecine.logging.shipping.spool_reader import SpooledBatch

_BATCH_RECORDS: Final = 1000


class ContentMarks:
    """For each record of a file a digest of all content up to its end.

    Records are numbered in runs whose length is a power of two and which begin at a multiple of it. The
    producer of a run is named after the content of the file up to the run's end: a file whose content differs
    anywhere before has other producers, and one that has grown has the same for what it held before.
    """

    def __init__(self) -> None:
        self._digests = bytearray()

    def __len__(self) -> int:
        return len(self._digests) // MARK_BYTES

    def add(self, digest: bytes) -> None:
        """Adds the digest of the content up to the next record's end, of MARK_BYTES."""
        self._digests += digest

    def producer(self, first: int, size: int) -> str:
        """The producer of the run of `size` records behind the first `first`."""
        at = (first + size - 1) * MARK_BYTES
        mark = bytes(self._digests[at : at + MARK_BYTES])
        return "import-" + hashlib.blake2b(b"%b|%d|%d" % (mark, first, size), digest_size=10).hexdigest()

    def runs(self, first: int) -> Iterator[int]:
        """The lengths that a run behind the first `first` records may have, the longest first."""
        size = 1
        while not first % (2 * size) and first + 2 * size <= len(self):
            size *= 2
        while size and first + size <= len(self):
            yield size
            size //= 2


def content_marks(records: Iterable[tuple[bytes, bytes]]) -> ContentMarks:
    """The marks of a file's records: see `read_marked_records`."""
    marks = ContentMarks()
    for _, digest in records:
        marks.add(digest)
    return marks


def ship_records(
    stream: ShipStream, service: str, marks: ContentMarks, records: Iterator[bytes]
) -> tuple[int, int]:
    """Ships what was not stored before; returns how many records were taken and rejected.

    Raises UnavailableHereError when the collector does not take them.
    """
    shipping = _Shipping(stream)
    stored = _stored_before(shipping, marks)
    for _ in range(stored):
        next(records, None)
    place = stored
    while place < len(marks):
        size = next(marks.runs(place))
        shipping.begin(marks.producer(place, size))
        seq = 0
        while seq < size:
            batch = [
                record for _, record in zip(range(min(_BATCH_RECORDS, size - seq)), records, strict=False)
            ]
            if not batch:
                return place + seq - stored, shipping.rejected
            seq += len(batch)
            shipping.send(service, seq, batch)
        place += size
    return place - stored, shipping.rejected


def _stored_before(shipping: _Shipping, marks: ContentMarks) -> int:
    """How many records of the beginning the collector has, by this file or by one that began the same."""
    place = 0
    while place < len(marks):
        for size in marks.runs(place):
            if known := shipping.begin(marks.producer(place, size)):
                place += min(known, size)
                break
        else:
            break
    return place


class _Shipping:
    """One batch under way at a time: an import need not be fast, but whole."""

    _PATIENCE_SECONDS = 30.0

    def __init__(self, stream: ShipStream) -> None:
        self._stream = stream
        self._producer = ""
        self._known: int | None = None
        self.rejected = 0

    def begin(self, producer: str) -> int:
        """Goes on with this producer; returns how many of its records are stored."""
        self._producer, self._known = producer, None
        self._stream.resume(producer)
        return self._wait(lambda: self._known)

    def send(self, service: str, last_seq: int, batch: list[bytes]) -> None:
        """Ships a batch of the producer at hand, and waits until it is stored."""
        lines = b"\n".join((*batch, b""))
        made = SpooledBatch(first_seq=last_seq - len(batch) + 1, count=len(batch), lines=lines, lost_before=0)
        self._stream.send(self._producer, Resource(service), made)
        self._wait(lambda: self._known if (self._known or 0) >= last_seq else None)

    def _wait(self, found: Callable[[], int | None]) -> int:
        deadline = time.monotonic() + self._PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for answer in self._stream.answers(0.2):
                if isinstance(answer, Acknowledged) and answer.producer == self._producer:
                    self._known = max(self._known or 0, answer.last_seq)
                elif isinstance(answer, Rejected):
                    self.rejected += answer.count
                elif isinstance(answer, Broken | Refused):
                    reason = answer.reason if isinstance(answer, Broken) else "it is full or stops"
                    raise UnavailableHereError(
                        f"the collector does not take the records: {reason}",
                        "repeat the command later; what was taken is not stored twice",
                    )
            value = found()
            if value is not None:
                return value
        raise UnavailableHereError("the collector does not answer", "check --server, then repeat the command")
