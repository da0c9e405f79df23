"""The file sink: every record exactly once in each file it belongs to, whatever dies and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
from telecine.durable_files import sync_directory

from log_collector.data_files import LOGS
from log_collector.files import names
from log_collector.files.config import FilesConfig
from log_collector.files.diversion import Diversion, Reason
from log_collector.files.housekeeping import RETIRED_PREFIX, Housekeeper
from log_collector.files.open_files import BlockedFileError, Mark, OpenFiles
from log_collector.files.rotation import is_rotation_due
from log_collector.files.routing import Routed, Router, Routing
from log_collector.journal import StoredBatch
from log_collector.sinks.sink import SinkError, Written
from log_collector.sinks.table import Place

_SYNC_THREADS: Final = 8
_MAX_READ_BYTES: Final = 2 << 20
_MIN_READ_BYTES: Final = 64 << 10
_PACKED: Final = 6
"""Records pack to about a sixth."""

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(list[Mark]).decode


def open_file_sink(config: FilesConfig, place: Place) -> FileSink:
    """Opens the sink that a configuration asks for."""
    return FileSink(config.directory or place.data_dir / LOGS, config, place.report)


class FileSink:
    """A `Sink`. The state it hands out is the size of each file that is about to be written.

    Rotation is a rename between two writes; packing and deleting happen in a thread of their own.
    """

    def __init__(
        self,
        root: Path,
        config: FilesConfig,
        report: Callable[[str, str], None] = lambda _event, _reason: None,
        clock: Callable[[], float] = time.time,
        router: Routing | None = None,
    ) -> None:
        """Makes no file yet.

        Args:
            root: Directory of the files.
            config: Limits of all files together.
            report: Notes an event and its reason in the collector's own log.
            clock: Seconds since the epoch.
            router: What is written where; None: by service, job, severity and route.
        """
        self._root = root
        self._config = config
        self._clock = clock
        self._router = router or Router(config)
        self.kind = self._router.kind
        self._syncing = ThreadPoolExecutor(_SYNC_THREADS, "file-sync") if config.is_synced else None
        self._background = ThreadPoolExecutor(1, "file-upkeep")
        self._files = OpenFiles(root, config.open_files, self._syncing)
        self._house = Housekeeper(root, config, self._router, clock, report)
        self._diversion = Diversion(config.new_services_per_minute, config.new_jobs_per_minute, clock, report)
        self._routed = Routed({}, 0)
        self._marks: list[Mark] = []
        self._due: set[str] = set()
        self._headed_inode = 0
        """The file that is known to begin with its heading."""
        self._looked_at = float("-inf")
        self._is_closed = False
        smallest = min((kind.rotate_bytes for kind in self._router.classes()), default=_MAX_READ_BYTES)
        self.read_bytes = min(_MAX_READ_BYTES, max(_MIN_READ_BYTES, smallest // _PACKED))

    @property
    def open_file_count(self) -> int:
        """Files that are held open for writing."""
        return self._files.count

    def recover(self, state: bytes) -> None:
        """See `Sink`."""
        self._marks = []
        try:
            # Not its parents: a data directory that is gone is not made anew in its place.
            self._root.mkdir(exist_ok=True, mode=0o750)
            self._files.undo(_decode(state) if state else [])
        except OSError as error:
            raise _sink_error(error) from error

    def prepare(self, batches: Sequence[StoredBatch]) -> bytes:
        """See `Sink`."""
        self._routed = self._router.route(batches)
        now = self._clock()
        try:
            self._marks = []
            pieces, overflow = self._routed.pieces, Routed({}, 0)
            self._diversion.begin_write()
            for file in list(pieces):
                reason = self._mark(file, now)
                if reason is not None and self._router.stream:
                    raise _in_the_way(file)
                if reason is not None:
                    target = self._diversion.divert(file, reason)
                    for piece in pieces.pop(file):
                        if target:
                            overflow.add(target, piece)
            for file, more in overflow.pieces.items():
                if self._mark(file, now) is not None:
                    raise _in_the_way(file)
                pieces[file] = more
            self._begin_files()
        except OSError as error:
            raise _sink_error(error) from error
        return _encode(self._marks)

    def _mark(self, file: str, now: float) -> Reason | None:
        """Notes a file as it is before the write; else why its lines must go elsewhere. Raises OSError."""
        try:
            mark, written = self._files.mark(file)
        except BlockedFileError:
            return Reason.BLOCKED
        if not mark.inode and not self._router.stream and not self._diversion.may_begin(file):
            return Reason.TOO_MANY_NEW
        self._marks.append(mark)
        if self._is_due(mark, written, now) or self._has_other_heading(mark):
            self._due.add(file)
        return None

    def _has_other_heading(self, mark: Mark) -> bool:
        """Whether a file was begun under other settings, so that this write must begin a new one."""
        heading = self._router.heading(mark.file)
        if not heading or not mark.size or mark.inode == self._headed_inode:
            return False
        with (self._root / mark.file).open("rb") as file:
            is_same = file.read(len(heading)) == heading
        if is_same:
            self._headed_inode = mark.inode
        return not is_same

    def _begin_files(self) -> None:
        for mark in self._marks:
            heading = self._router.heading(mark.file) if not mark.size else b""
            if heading:
                self._routed.pieces[mark.file].insert(0, heading)

    @property
    def diverted(self) -> Mapping[str, int]:
        """How often a file was not made or written, by reason."""
        return {str(reason): count for reason, count in list(self._diversion.counts.items())}

    @property
    def expired(self) -> Mapping[str, int]:
        """How many files and jobs retention has deleted, by reason."""
        return dict(self._house.expired)

    def write(self) -> Written:
        """See `Sink`."""
        pieces = self._routed.pieces
        try:
            self._files.write(pieces)
        except OSError as error:
            raise _sink_error(error) from error
        for mark in self._marks:
            size = mark.size + sum(map(len, pieces[mark.file]))
            if size >= self._router.class_of(mark.file).rotate_bytes:
                self._due.add(mark.file)
        self._diversion.end_write()
        written = Written(self._routed.record_count, self._routed.dropped)
        self._routed, self._marks = Routed({}, 0), []
        return written

    def settled(self) -> bytes:
        """See `Sink`."""
        return b""

    def is_upkeep_due(self) -> bool:
        """See `Sink`."""
        is_look_due = time.monotonic() - self._looked_at >= self._config.upkeep_seconds
        return bool(self._due) or self._house.has_due or is_look_due

    def upkeep(self) -> None:
        """See `Sink`."""
        try:
            due = self._house.take_due()
            for file in sorted(self._due | due.rotations):
                self._rotate(file)
            self._due.clear()
            for directory in due.retirements:
                self._retire(directory)
        except OSError as error:
            raise _sink_error(error) from error
        if time.monotonic() - self._looked_at >= self._config.upkeep_seconds:
            self._looked_at = time.monotonic()
            self._background.submit(self._house.look)

    def close(self) -> None:
        """See `Sink`."""
        if self._is_closed:
            return
        self._is_closed = True
        self._house.stop()
        self._background.shutdown(wait=True, cancel_futures=True)
        if self._syncing is not None:
            self._syncing.shutdown(wait=True)
        self._files.close()

    def _is_due(self, mark: Mark, written: float, now: float) -> bool:
        kind = self._router.class_of(mark.file)
        return is_rotation_due(
            mark.size,
            written,
            now,
            limit_bytes=kind.rotate_bytes,
            period_seconds=kind.rotate_seconds,
        )

    def _rotate(self, file: str) -> None:
        path = self._root / file
        self._files.forget(file)
        number = names.next_number(path.parent, path.name)
        rotated = path.with_name(names.rotated_name(path.name, number, self._clock()))
        try:
            if path.stat().st_size:
                path.rename(rotated)
        except FileNotFoundError:
            return
        sync_directory(path.parent)
        self._background.submit(self._house.pack, rotated, self._router.class_of(file).compression)

    def _retire(self, directory: str) -> None:
        """Takes a job's files away at once, so that a late record begins new ones; they are deleted later."""
        path = self._root / directory
        for file in (names.JOB_FILE, names.RECEIPTS_FILE):
            self._files.forget(f"{directory}/{file}")
        retired = path.with_name(f"{RETIRED_PREFIX}{path.name}")
        if path.exists() and not retired.exists():
            path.rename(retired)


def _in_the_way(file: str) -> SinkError:
    return SinkError(f"{file} is in the way: it is no file of the collector's; move it away")


def _sink_error(error: OSError) -> SinkError:
    where = f" ({Path(str(error.filename)).name})" if error.filename else ""
    return SinkError(f"{error.strerror or error}{where}")
