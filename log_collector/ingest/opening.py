"""Opens one received batch as far as it must be: unpack, redact, check, repair line by line where needed."""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from log_collector.ingest.quarantine import Quarantine
from log_collector.ingest.stamp import stamp_line, stamp_tree, stamped
from log_collector.journal.digests import checksums_of
from log_collector.journal.entry import UNSEQUENCED, Encoding, pack
from log_collector.journal.ownership import shown_producer
from log_collector.processors.decompress import decompress
from log_collector.processors.normalise import Tree, normalise
from log_collector.processors.redact import CostlyError, Redaction
from log_collector.processors.validate import find_lines, is_canonical
from log_collector.record import (
    BatchError,
    RecordError,
    RecordKey,
    RejectedLine,
    Rejection,
    RejectionReason,
)

MAX_NAMED_LINES: Final = 100
_ALWAYS_BYTES = 4 * 1024**2
"""What a batch may unpack to, however well it is packed."""
_CHEAP_BYTES: Final = 64 * 1024
_CHEAP_SUSPECT_BYTES: Final = 4 * 1024
"""Lines that must be opened cost some microseconds a byte, all others next to nothing."""


class OpeningLimits(msgspec.Struct, frozen=True):
    """What bounds one batch and one record."""

    unpacked_bytes: int = 64 * 1024**2
    record_bytes: int = 1024**2
    unpacked_ratio: int = 1000
    """How many times its packed size a batch may unpack to, where that is above 4 MiB."""


class ReceivedBatch(msgspec.Struct, frozen=True):
    """A batch as it came, its envelope checked."""

    producer: str
    first_seq: int
    count: int
    service: str
    records: bytes
    encoding: Encoding
    received_unix_nano: int
    skip: int = 0
    """How many lines at its beginning are stored already."""
    tenant: str = ""
    """Whose they are; empty: the root tenant's."""
    needs_checksums: bool = False
    """Whether its records may have to be compared with others of their numbers."""


class OpenedBatch(msgspec.Struct, frozen=True):
    """A batch that may be written: redacted, every line sound."""

    lines: bytes
    """Ended by a newline each; empty when all were rejected."""
    packed: bytes
    """The lines packed: as they were received when nothing was changed."""
    record_count: int
    rejections: tuple[Rejection, ...]
    quarantine: bytes
    """Lines for the quarantine."""
    redacted: dict[str, int]
    keys: list[RecordKey] | None = None
    """What rules select by, one for each line; None: nobody asked for it."""
    checksums: bytes = b""
    """Of all lines as they came, also of those that are skipped, where they were asked for."""
    rejected_lines: tuple[RejectedLine, ...] = ()
    """The first MAX_NAMED_LINES of those that were rejected one by one."""


class BatchOpener:
    """What is done to every batch. Holds no state between calls; safe to use from any thread."""

    def __init__(self, redaction: Redaction, limits: OpeningLimits, *, needs_keys: bool = False) -> None:
        self.redaction = redaction
        self._limits = limits
        self._needs_keys = needs_keys
        self._keys = msgspec.json.Decoder(RecordKey)
        # Numbers pass through as they were written: 1.10 stays 1.10.
        self._decoder = msgspec.json.Decoder(Tree, float_hook=lambda text: msgspec.Raw(text.encode()))

    def open_if_cheap(self, batch: ReceivedBatch) -> OpenedBatch | None:
        """As `open`, where that is a matter of a millisecond: few bytes, and few of them to be looked at."""
        if not 0 <= _unpacked_bytes(batch) <= _CHEAP_BYTES:
            return None
        try:
            return self.open(batch, _CHEAP_SUSPECT_BYTES)
        except CostlyError:
            return None

    def open(self, batch: ReceivedBatch, limit_bytes: float = math.inf) -> OpenedBatch:
        """Never raises for what the sender did: a batch that is wrong as a whole is rejected as a whole.

        Raises CostlyError where more than `limit_bytes` look as if they held secrets.
        """
        producer = shown_producer(batch.producer)
        quarantine = Quarantine(producer, batch.first_seq, batch.service, batch.received_unix_nano)
        try:
            limit = max(_ALWAYS_BYTES, len(batch.records) * self._limits.unpacked_ratio)
            limit = min(self._limits.unpacked_bytes, limit)
            lines = decompress(batch.records, batch.encoding, limit)
            newlines = find_lines(lines)
            if not lines.endswith(b"\n"):
                raise BatchError(RejectionReason.WRONG_COUNT, "the last line is not ended by a newline")
            if len(newlines) != batch.count:
                message = f"count is {batch.count}, the batch has {len(newlines)} lines"
                raise BatchError(RejectionReason.WRONG_COUNT, message)
        except BatchError as error:
            count = batch.count - batch.skip
            quarantine.add_batch(error.reason, error.message, count)
            rejection = Rejection(error.reason, count, error.message)
            return OpenedBatch(b"", b"", 0, (rejection,), quarantine.lines, {}, [])
        checksums = checksums_of(lines) if batch.needs_checksums else b""
        opened = self._open_whole(batch, lines, newlines, quarantine, limit_bytes)
        return msgspec.structs.replace(opened, checksums=checksums) if checksums else opened

    def _open_whole(
        self,
        batch: ReceivedBatch,
        lines: bytes,
        newlines: npt.NDArray[np.int64],
        quarantine: Quarantine,
        limit_bytes: float,
    ) -> OpenedBatch:
        """Opens a batch whose lines are as many as it says."""
        if batch.skip:
            lines = lines[int(newlines[batch.skip - 1]) + 1 :]
            newlines = find_lines(lines)
        redacted = self.redaction.redact(lines, limit_bytes)
        lines, counts = redacted.lines, redacted.counts
        if counts:
            newlines = find_lines(lines)
        owned = stamped(lines, batch.tenant, len(newlines))
        if (
            owned is not None
            and _longest(newlines) <= self._limits.record_bytes
            and is_canonical(lines, newlines, batch.service, has_suspect_types=redacted.has_suspect_types)
        ):
            is_same = not counts and not batch.skip and not batch.tenant
            packed = batch.records if is_same and batch.encoding is Encoding.ZSTD else pack(owned)
            return OpenedBatch(owned, packed, len(newlines), (), b"", counts, self.read_keys(owned))
        return self._open_lines(batch, lines, counts, quarantine)

    def open_mapped(self, lines: list[bytes], limit_bytes: float = math.inf, tenant: str = "") -> OpenedBatch:
        """Opens lines that were made by a mapping: sound and in the catalogue's form, to be redacted.

        Raises CostlyError where more than `limit_bytes` look as if they held secrets.
        """
        redacted = self.redaction.redact(b"\n".join((*lines, b"")) if lines else b"", limit_bytes)
        owned = stamped(redacted.lines, tenant, len(lines))
        if owned is None:
            single = redacted.lines[:-1].split(b"\n")
            owned = b"\n".join((*(stamp_line(line, tenant) for line in single), b""))
        return OpenedBatch(owned, pack(owned), len(lines), (), b"", redacted.counts, self.read_keys(owned))

    def _open_lines(
        self, batch: ReceivedBatch, lines: bytes, counts: dict[str, int], quarantine: Quarantine
    ) -> OpenedBatch:
        kept: list[bytes] = []
        rejected: list[RejectedLine] = []
        is_changed = bool(counts)
        for offset, line in enumerate(lines[:-1].split(b"\n")):
            try:
                sound = self._mend(line, batch)
            except RecordError as error:
                index = batch.skip + offset
                seq = batch.first_seq + index if batch.first_seq != UNSEQUENCED else UNSEQUENCED
                quarantine.add_line(error.reason, error.message, seq, line)
                if len(rejected) < MAX_NAMED_LINES:
                    rejected.append(RejectedLine(index, error.reason, error.message))
                is_changed = True
            else:
                is_changed |= sound is not line
                kept.append(sound)
        lines = b"\n".join((*kept, b"")) if is_changed and kept else b"" if is_changed else lines
        is_as_it_came = batch.encoding is Encoding.ZSTD and not batch.skip and not is_changed
        return OpenedBatch(
            lines,
            batch.records if is_as_it_came else pack(lines),
            len(kept),
            quarantine.rejections,
            quarantine.lines,
            counts,
            self.read_keys(lines),
            rejected_lines=tuple(rejected),
        )

    def read_keys(self, lines: bytes) -> list[RecordKey] | None:
        """What rules select by, where there are rules."""
        if not self._needs_keys:
            return None
        try:
            return self._keys.decode_lines(lines)
        except msgspec.MsgspecError:
            return [self._read_key(line) for line in lines[:-1].split(b"\n")] if lines else []

    def keys_of(self, lines: list[bytes]) -> list[RecordKey]:
        """What rules select by, of lines of ours."""
        return [self._read_key(line) for line in lines]

    def _read_key(self, line: bytes) -> RecordKey:
        """A record that rules cannot read is one that no rule applies to."""
        try:
            return self._keys.decode(line)
        except msgspec.MsgspecError:
            return RecordKey()

    def _mend(self, line: bytes, batch: ReceivedBatch) -> bytes:
        """Returns the line as the catalogue has it: the same object if it was so. Raises RecordError."""
        if len(line) > self._limits.record_bytes:
            message = f"the record has {len(line)} bytes, the limit is {self._limits.record_bytes}"
            raise RecordError(RejectionReason.RECORD_TOO_LARGE, message)
        try:
            line.decode()
            tree = self._decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            detail = "not UTF-8" if isinstance(error, UnicodeDecodeError) else _without_values(error)
            raise RecordError(
                RejectionReason.NOT_JSON, f"expected one JSON object a line: {detail}"
            ) from error
        is_changed = stamp_tree(tree, batch.tenant)
        if not normalise(tree, batch.service, batch.received_unix_nano) and not is_changed:
            return line
        try:
            return msgspec.json.encode(tree)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
            raise RecordError(RejectionReason.NOT_JSON, "expected text that UTF-8 can hold") from error


def _unpacked_bytes(batch: ReceivedBatch) -> int:
    """What the batch unpacks to; -1: it does not say."""
    if batch.encoding is Encoding.IDENTITY:
        return len(batch.records)
    try:
        return int(zstandard.frame_content_size(batch.records))
    except zstandard.ZstdError:
        return -1


def _longest(newlines: npt.NDArray[np.int64]) -> int:
    """Length of the longest line."""
    return max(int(newlines[0]), int(np.diff(newlines).max(initial=0)))


def _without_values(error: BaseException) -> str:
    """msgspec's messages name the place and the fault, never the content."""
    return "nested too deep" if isinstance(error, RecursionError) else str(error)
