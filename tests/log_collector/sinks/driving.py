"""Drives a sink over HTTP as the collector does: batches of a journal in, a `Written` or a SinkError out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from telecine.settings.loading import load_config

from log_collector.config import CollectorConfig
from log_collector.data_files import DEAD_LETTERS
from log_collector.journal import Encoding, EntryHeader, Origin, StoredBatch
from log_collector.journal.entry import pack
from log_collector.sinks.building import open_http_sink
from log_collector.sinks.http.sink import HttpSink
from log_collector.sinks.sink import Written
from log_collector.sinks.table import Place
from tests.log_collector.harness import lines_of


def stored(
    records: Sequence[object], position: int = 0, producer: str = "p", first_seq: int = 1
) -> StoredBatch:
    """A batch as it stands in the journal."""
    lines = lines_of(records)
    packed = pack(lines)
    header = EntryHeader(
        producer, first_seq, len(records), 1_000, len(records), len(records), len(packed), Encoding.ZSTD,
        len(lines), origin=Origin("worker"),
    )  # fmt: skip
    return StoredBatch(position, position + 1000, header, packed)


def configured(kind: str, **settings: Any) -> Any:
    """The configuration of one sink, read as from a file."""
    target = {"name": "t", **settings}
    overrides = {kind: [target]}
    return getattr(load_config(CollectorConfig, prefix="TEST_", environ={}, overrides=overrides).value, kind)[
        0
    ]


@contextmanager
def opened(
    directory: Path, kind: str, wall_clock: Callable[[], float] = time.time, **settings: Any
) -> Iterator[HttpSink]:
    """A sink that is closed at the end."""
    place = Place("t", directory, lambda _event, _reason: None)
    sink = open_http_sink(configured(kind, **settings), place, wall_clock)
    try:
        yield sink
    finally:
        sink.close()


def deliver(sink: HttpSink, *batches: StoredBatch) -> Written:
    """One turn of the fan-out."""
    sink.recover(b"")
    assert sink.prepare(batches) == b""
    written = sink.write()
    assert written.delivered + sum(written.dropped.values()) == sum(b.record_count for b in batches)
    return written


def dead_letters(directory: Path) -> list[dict[str, Any]]:
    path = directory / DEAD_LETTERS / "t.log"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def collector_config(path: Path, kind: str, **settings: Any) -> Path:
    """A collector's file with one sink called `<kind>.t`, which is tried again soon."""
    retry = {"first_seconds": 0.05, "most_seconds": 0.1, "open_seconds": 0.1, "failures_to_open": 3}
    path.write_text(json.dumps({kind: [{"name": "t", **settings}], "retry": retry}))
    return path
