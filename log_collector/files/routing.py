"""Sorts the lines of journal batches by the files they belong into, looking at as little as possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
from telecine.logging.outputs.rendering import Format, Renderer, renderer

from log_collector.expression import Condition, compile_expression
from log_collector.files import names
from log_collector.files.config import FileClass, FilesConfig, Rotation
from log_collector.journal import UNSEQUENCED, StoredBatch
from log_collector.journal.ownership import shown_producer

_SEVERE: Final = frozenset({"ERROR", "CRITICAL"})
_MAX_KNOWN_NAMES: Final = 10_000


class _Key(msgspec.Struct, gc=False):
    """What decides where a line goes."""

    service: str = ""
    level: str = "INFO"
    job_id: str | int | None = None


class Receipt(msgspec.Struct):
    """One line of a job's receipts: what one producer contributed with one write."""

    producer: str
    service: str
    records: int
    first_seq: int
    """Of its first batch; 0: its records have no numbers."""
    last_seq: int


class Gap(msgspec.Struct):
    """One line of `gaps.log`: numbers that a producer declared lost."""

    producer: str
    first_missing_seq: int
    count: int


class Routed(msgspec.Struct):
    """Bytes by file, each in the order of the journal."""

    pieces: dict[str, list[bytes]] = {}
    record_count: int = 0
    dropped: dict[str, int] = {}
    """Records that go into no file, by reason."""

    def add(self, file: str, piece: bytes) -> None:
        """Appends whole lines to what goes into a file."""
        found = self.pieces.get(file)
        if found is None:
            self.pieces[file] = [piece]
        else:
            found.append(piece)


class Routing(Protocol):
    """Turns batches into bytes for files. Belongs to one thread; the same journal gives the same bytes."""

    kind: str
    """Of the sink, as it is shown in its statistics."""
    stream: str
    """The only file that is written; empty: many, and what cannot stand in its own file goes into another."""

    def route(self, batches: Sequence[StoredBatch]) -> Routed:
        """Sorts the records of some consecutive batches."""
        ...

    def class_of(self, file: str) -> Rotation:
        """How a file is rotated and kept."""
        ...

    def classes(self) -> Sequence[Rotation]:
        """Every class there may be."""
        ...

    def heading(self, file: str) -> bytes:
        """What each new file begins with."""
        ...


class Router:
    """A `Routing` of lines to the files of services, jobs, errors and routes."""

    kind = "file"
    stream = ""

    def __init__(self, config: FilesConfig) -> None:
        self._config = config
        self._keys = msgspec.json.Decoder(_Key)
        self._fields = msgspec.json.Decoder(dict[str, Any])
        self._routes: list[tuple[str, Condition, FileClass]] = [
            (names.route_file(r.name), compile_expression(r.expression), r) for r in config.routes if r.is_on
        ]
        self._job_names: dict[str, str] = {}
        self._service_names: dict[str, str] = {}

    def route(self, batches: Sequence[StoredBatch]) -> Routed:
        """Sorts the lines of some consecutive batches."""
        by_tenant: dict[str, list[StoredBatch]] = {}
        for batch in batches:
            by_tenant.setdefault(batch.tenant, []).append(batch)
        routed = Routed({}, 0)
        for tenant, own in by_tenant.items():
            home, found = names.home_of(tenant), self._route_own(own)
            routed.record_count += found.record_count
            routed.pieces |= {home + file: pieces for file, pieces in found.pieces.items()}
        return routed

    def _route_own(self, batches: Sequence[StoredBatch]) -> Routed:
        """Sorts the lines of one tenant's batches, by names in its home."""
        routed = Routed({}, 0)
        receipts: dict[tuple[str, str], Receipt] = {}
        for batch in batches:
            lines = batch.unpack_records()
            if lines:
                self._route_lines(lines, batch, routed, receipts)
            self._route_others(batch, routed)
        for (job, _), receipt in receipts.items():
            file = f"{self._job_directory(job)}/{names.RECEIPTS_FILE}"
            routed.add(file, msgspec.json.encode(receipt) + b"\n")
        return routed

    def classes(self) -> list[FileClass]:
        """See `Routing`."""
        config = self._config
        kinds = (config.services, config.jobs, config.errors, config.quarantine, *config.routes)
        return [kind for kind in kinds if kind.is_on]

    def heading(self, file: str) -> bytes:
        """See `Routing`."""
        return b""

    def class_of(self, file: str) -> FileClass:
        """See `Routing`."""
        _, file = names.split_home(file)
        if file.startswith(f"{names.JOBS_DIRECTORY}/"):
            return self._config.jobs
        if file == names.ERRORS_FILE:
            return self._config.errors
        if file in (names.QUARANTINE_FILE, names.GAPS_FILE):
            return self._config.quarantine
        for name, _, kind in self._routes:
            if name == file:
                return kind
        return self._config.services

    def _route_lines(
        self, lines: bytes, batch: StoredBatch, routed: Routed, receipts: dict[tuple[str, str], Receipt]
    ) -> None:
        keys = self._read_keys(lines)
        routed.record_count += len(keys)
        services = {key.service for key in keys}
        jobs: set[str | int | None] = {None}
        if self._config.jobs.is_on:
            jobs = {key.job_id for key in keys}
        split: list[bytes] = []
        if len(services) > 1 or (jobs != {None} and len(jobs) > 1):
            split = lines[:-1].split(b"\n")
        if self._config.services.is_on:
            self._add_services(lines, split, keys, services, routed)
        if jobs != {None}:
            self._add_jobs(lines, split, keys, jobs, services, batch, routed, receipts)
        if self._config.errors.is_on:
            severe = self._severe(lines, split, keys)
            self._add(routed, names.ERRORS_FILE, self._config.errors, severe)
        if self._routes:
            self._add_routes(split or lines[:-1].split(b"\n"), routed)

    @staticmethod
    def _severe(lines: bytes, split: list[bytes], keys: list[_Key]) -> list[bytes]:
        """The lines of ERROR and above."""
        if _SEVERE.isdisjoint({key.level for key in keys}):
            return []
        every = split or lines[:-1].split(b"\n")
        return [line for line, key in zip(every, keys, strict=True) if key.level in _SEVERE]

    def _add_services(
        self, lines: bytes, split: list[bytes], keys: list[_Key], services: set[str], routed: Routed
    ) -> None:
        kind = self._config.services
        if len(services) == 1:
            self._add_all(routed, self._service_file(keys[0].service), kind, lines)
            return
        grouped: dict[str, list[bytes]] = {service: [] for service in services}
        for line, key in zip(split, keys, strict=True):
            grouped[key.service].append(line)
        for service, found in grouped.items():
            self._add(routed, self._service_file(service), kind, found)

    def _add_jobs(
        self,
        lines: bytes,
        split: list[bytes],
        keys: list[_Key],
        jobs: set[str | int | None],
        services_of: set[str],
        batch: StoredBatch,
        routed: Routed,
        receipts: dict[tuple[str, str], Receipt],
    ) -> None:
        kind = self._config.jobs
        if len(jobs) == 1:
            job = str(keys[0].job_id)
            self._add_all(routed, f"{self._job_directory(job)}/{names.JOB_FILE}", kind, lines)
            _note(receipts, job, keys[0].service, batch, len(keys))
            return
        # 42 and "42" are the same job.
        grouped: dict[str | int | None, list[bytes]] = {job: [] for job in jobs}
        for line, key in zip(split, keys, strict=True):
            grouped[key.job_id].append(line)
        services = {key.job_id: key.service for key in keys} if len(services_of) > 1 else {}
        for job_id, found in grouped.items():
            if job_id is not None:
                self._add(routed, f"{self._job_directory(str(job_id))}/{names.JOB_FILE}", kind, found)
                service = services.get(job_id, keys[0].service)
                _note(receipts, str(job_id), service, batch, len(found))

    def _add_routes(self, split: list[bytes], routed: Routed) -> None:
        for line in split:
            fields = self._fields.decode(line)
            for file, condition, kind in self._routes:
                if condition(fields):
                    self._add(routed, file, kind, [line])

    def _route_others(self, batch: StoredBatch, routed: Routed) -> None:
        if not self._config.quarantine.is_on:
            return
        quarantined = batch.unpack_quarantine()
        if quarantined:
            self._add_all(routed, names.QUARANTINE_FILE, self._config.quarantine, quarantined)
        if batch.header.lost_before:
            lost = batch.header.lost_before
            gap = Gap(shown_producer(batch.producer), batch.first_seq - lost, lost)
            routed.add(names.GAPS_FILE, msgspec.json.encode(gap) + b"\n")

    def _add_all(self, routed: Routed, file: str, kind: FileClass, lines: bytes) -> None:
        if kind.format is Format.JSON:
            routed.add(file, lines)
        else:
            self._add(routed, file, kind, lines[:-1].split(b"\n"))

    @staticmethod
    def _add(routed: Routed, file: str, kind: FileClass, lines: list[bytes]) -> None:
        if not lines:
            return
        if kind.format is Format.JSON:
            lines.append(b"")
            routed.add(file, b"\n".join(lines))
        else:
            write: Renderer = renderer(kind.format)
            routed.add(file, b"".join(write(line) for line in lines))

    def _read_keys(self, lines: bytes) -> list[_Key]:
        try:
            return self._keys.decode_lines(lines)
        except msgspec.MsgspecError:
            return [self._read_key(line) for line in lines[:-1].split(b"\n")]

    def _read_key(self, line: bytes) -> _Key:
        try:
            return self._keys.decode(line)
        except msgspec.MsgspecError:
            return _Key()

    def _service_file(self, service: str) -> str:
        return _remembered(self._service_names, service, names.service_file)

    def _job_directory(self, job: str) -> str:
        return _remembered(self._job_names, job, names.job_directory)


def _remembered(known: dict[str, str], text: str, make: Any) -> str:
    name = known.get(text)
    if name is None:
        if len(known) >= _MAX_KNOWN_NAMES:
            known.clear()
        name = known[text] = make(text)
    return name


def _note(
    receipts: dict[tuple[str, str], Receipt], job: str, service: str, batch: StoredBatch, count: int
) -> None:
    last_seq = batch.first_seq + batch.count - 1 if batch.first_seq != UNSEQUENCED else 0
    receipt = receipts.get((job, batch.producer))
    if receipt is None:
        name = shown_producer(batch.producer)
        receipts[job, batch.producer] = Receipt(name, service, count, batch.first_seq, last_seq)
    else:
        receipt.records += count
        receipt.last_seq = max(receipt.last_seq, last_seq)
