"""Counts records over time and by level, within a bound on how long it reads."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from telecine.logging.catalogue import LEVEL_ALIASES
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector import errors
from log_collector.files.names import LogFile
from log_collector.processors.normalise import format_timestamp
from log_collector.query.reading_files import MAX_NAMED_FILES, Prepare, read_sound_blocks
from log_collector.query.scan import TimeIndex, candidates
from log_collector.query.selector import Selector

MAX_BUCKETS: Final = 500
_BUCKETS: Final = 60
MOST_SECONDS: Final = 5.0
_NUMBERS: Final = {name: logs_pb2.Level.Value(f"LEVEL_{level.name}") for name, level in LEVEL_ALIASES.items()}
"""What records call a level, to the contract's number."""


class _Head(msgspec.Struct, gc=False):
    """All that counting looks at."""

    timestamp: str = ""
    level: str = ""


class Histogram:
    """One answer in the making. For one thread."""

    def __init__(self, request: pb.GetHistogramRequest, index: TimeIndex, prepare: Prepare | None) -> None:
        """Raises ServiceError INVALID_FIELD."""
        self._starts = _starts(request)
        self._bounds = [format_timestamp(start) for start in self._starts]
        self._index = index
        self._prepare = prepare
        self._counts: Counter[tuple[int, int]] = Counter()
        self._decoder = msgspec.json.Decoder(_Head)

    def count(
        self,
        files: Sequence[LogFile],
        selector: Selector,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> pb.GetHistogramResponse:
        """Counts what passes, the newest files first, until the time is up."""
        response, damaged = pb.GetHistogramResponse(is_complete=True), list[str]()
        until = monotonic() + MOST_SECONDS
        for file in reversed(files):
            for _, block in read_sound_blocks(file.path, damaged, self._prepare):
                if monotonic() > until:
                    response.is_complete = False
                    break
                response.scanned_bytes += len(block)
                oldest, newest = self._index.times(block)
                if newest >= selector.since and oldest < selector.until:
                    self._take(block, selector)
            if not response.is_complete:
                break
        self._fill(response)
        response.damaged_files.extend(damaged[:MAX_NAMED_FILES])
        return response

    def _take(self, block: bytes, selector: Selector) -> None:
        if selector.is_narrow:
            lines = [line for _, line in candidates(block, selector) if selector.passes(line) is not None]
            self._note((_head(line) for line in lines), selector)
            return
        try:
            heads = self._decoder.decode_lines(block)
        except msgspec.MsgspecError:
            heads = [_head(line) for line in block[:-1].split(b"\n")]
        self._note(heads, selector)

    def _note(self, heads: Iterable[_Head], selector: Selector) -> None:
        since, until, bounds, numbers = selector.since, selector.until, self._bounds, _NUMBERS
        self._counts.update(
            (bisect_right(bounds, head.timestamp) - 1, numbers.get(head.level, 0))
            for head in heads
            if since <= head.timestamp < until
        )

    def _fill(self, response: pb.GetHistogramResponse) -> None:
        for start in self._starts:
            moment = Timestamp()
            moment.FromNanoseconds(start)
            response.buckets.add(start=moment)
        for (bucket, level), count in self._counts.items():
            response.buckets[max(0, bucket)].counts[level] += count
            response.total += count


def _head(line: bytes) -> _Head:
    try:
        return msgspec.json.decode(line, type=_Head)
    except msgspec.MsgspecError:
        return _Head()


def _starts(request: pb.GetHistogramRequest) -> list[int]:
    """Where the buckets begin, in nanoseconds."""
    count = request.buckets or _BUCKETS
    if not 1 <= count <= MAX_BUCKETS:
        raise errors.invalid_field("buckets", f"expected 0 to {MAX_BUCKETS}")
    for end in ("since", "until"):
        if not request.filter.HasField(end):
            raise errors.invalid_field(f"filter.{end}", "expected a time: a histogram has both ends")
    since, until = request.filter.since.ToNanoseconds(), request.filter.until.ToNanoseconds()
    if until - since < count * 1000:
        raise errors.invalid_field("filter.until", "expected a time after `since`, a microsecond a bucket")
    return [since + (until - since) * number // count for number in range(count)]
