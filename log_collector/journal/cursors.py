"""How far each sink has read, and its own state, moved on together in one transaction."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import Final

import msgspec

from log_collector.journal.cursor_mirror import CursorMirror, Place, seal_of

_DATABASE: Final = "cursors.sqlite"
_MIRROR: Final = "cursors"
_BEGIN_AGAIN: Final = "cursors.begin-again"
"""An empty file that an operator makes: every sink begins at the oldest record, whatever was delivered."""
_SIDE_FILES: Final = ("-wal", "-shm")


class Cursor(msgspec.Struct, frozen=True):
    """A sink's place in the journal."""

    position: int
    """Where it reads on: all before it is delivered."""
    state: bytes = b""
    """The sink's own, opaque here; a file sink keeps its files' sizes in it."""


class CursorStore:
    """The cursors of all sinks in one SQLite file, and a copy of each beside it. Calls block for about a disk
    sync; any thread may call.

    SQLite drops a damaged write-ahead log in silence, which would set sinks back to where they were long
    ago. So every step has a number and a checksum and stands in two places; the newer sound one counts.
    Owns its files; `close` releases them and is idempotent.
    """

    def __init__(self, directory: Path, *, has_journal: bool = False) -> None:
        """`has_journal`: whether there are records that sinks may have delivered: then cursors must be there.

        Raises ValueError where they are not known any more; OSError.
        """
        self._lock = threading.Lock()
        self._path = directory / _DATABASE
        self._mirror = CursorMirror(directory / _MIRROR)
        self.damages: list[str] = []
        """What was found amiss, in words; all of it was put right."""
        self._places: dict[str, Place] = {}
        self._database: sqlite3.Connection | None = None
        try:
            if (directory / _BEGIN_AGAIN).is_file():
                self._begin_again(directory / _BEGIN_AGAIN)
            else:
                self._open(has_journal=has_journal)
        except BaseException:
            self.close()
            raise

    def load(self, sink: str) -> Cursor | None:
        """Returns a sink's cursor; None: it has never delivered anything."""
        with self._lock:
            place = self._places.get(sink)
        return Cursor(place.position, place.state) if place is not None else None

    def advance(self, sink: str, cursor: Cursor) -> None:
        """Makes a sink's position and state durable, both or neither."""
        with self._lock:
            known = self._places.get(sink)
            generation = known.generation + 1 if known is not None else 1
            self._store(Place(sink, generation, cursor.position, cursor.state))

    def forget(self, sink: str) -> None:
        """Deletes a sink's cursor, so that it holds the journal no more."""
        with self._lock:
            self._connection.execute("DELETE FROM cursor WHERE sink = ?", (sink,))
            self._mirror.forget(sink)
            self._places.pop(sink, None)

    def sinks(self) -> dict[str, int]:
        """Every sink that has a cursor, and its position."""
        with self._lock:
            return {place.sink: place.position for place in self._places.values()}

    def slowest(self) -> int | None:
        """The lowest position of all; None: there is no cursor."""
        return min(self.sinks().values(), default=None)

    def close(self) -> None:
        """Releases the files."""
        with self._lock:
            self._mirror.close()
            if self._database is not None:
                self._database.close()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise sqlite3.ProgrammingError("the cursors are not open")
        return self._database

    def _store(self, place: Place) -> None:
        self._connection.execute(
            "INSERT INTO cursor (sink, position, state, generation, seal) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (sink) DO UPDATE SET position = excluded.position, state = excluded.state,"
            " generation = excluded.generation, seal = excluded.seal",
            (place.sink, place.position, place.state, place.generation, seal_of(place)),
        )
        self._mirror.write(place)
        self._places[place.sink] = place

    def _open(self, *, has_journal: bool) -> None:
        copies, damaged = self._mirror.load()
        is_there = self._path.exists() and self._path.stat().st_size > 0
        rows: dict[str, Place] = {}
        odd: set[str] = set()
        fault = "" if is_there or not has_journal else f"{_DATABASE} is missing or empty"
        try:
            self._database = _opened(self._path)
            rows, odd = _rows(self._database)
        except (sqlite3.DatabaseError, OverflowError) as error:
            fault = f"{_DATABASE} cannot be used ({error})"
        lost = (odd - set(copies)) | (damaged - set(rows))
        if lost:
            fault = fault or f"the place of sink {min(lost)} is damaged"
        if lost or (fault and not copies):
            raise ValueError(
                f"{self._path}: how far the sinks have come is not known any more: {fault}. Put it back from"
                f" a copy, or make an empty file {_BEGIN_AGAIN} beside it: then every sink begins at the"
                " oldest record of the journal again, and files may have records twice"
            )
        if fault:
            self.damages.append(f"{fault}; the copies beside it count")
            if is_there:
                self._set_aside()
        self.damages += [f"the copy of the place of sink {sink} is damaged" for sink in sorted(damaged)]
        self._join(rows, copies)

    def _join(self, rows: dict[str, Place], copies: dict[str, Place]) -> None:
        """Takes the newer one of each sink's two places, and makes the other one equal."""
        for sink in sorted({*copies, *rows}):
            row, copy = rows.get(sink), copies.get(sink)
            newest = max((p for p in (row, copy) if p is not None), key=lambda place: place.generation)
            if copy is not None and (row is None or row.generation < copy.generation):
                reason = f"the place of sink {sink} in {_DATABASE} is gone or old; its copy counts"
                self.damages.append(reason)
            self._places[sink] = newest
            if row != newest or copy != newest:
                self._store(newest)

    def _begin_again(self, begins_again: Path) -> None:
        self._set_aside()
        places, damaged = self._mirror.load()
        for sink in {*places, *damaged}:
            self._mirror.forget(sink)
        begins_again.unlink()
        self.damages.append(f"{_BEGIN_AGAIN} was found: every sink begins at the oldest record")

    def _set_aside(self) -> None:
        """Keeps a file that cannot be used, and makes a new one."""
        if self._database is not None:
            self._database.close()
        for suffix in ("", *_SIDE_FILES):
            path = self._path.with_name(f"{_DATABASE}{suffix}")
            if path.exists():
                path.replace(path.with_name(f"{path.name}.damaged"))
        self._database = _opened(self._path)


def _opened(path: Path) -> sqlite3.Connection:
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640))
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS cursor (sink TEXT PRIMARY KEY, position INTEGER NOT NULL,"
            " state BLOB NOT NULL, generation INTEGER NOT NULL DEFAULT 0, seal INTEGER)"
        )
        if "generation" not in {row[1] for row in database.execute("PRAGMA table_info(cursor)")}:
            # Of release 0.1.0.
            database.execute("ALTER TABLE cursor ADD COLUMN generation INTEGER NOT NULL DEFAULT 0")
            database.execute("ALTER TABLE cursor ADD COLUMN seal INTEGER")
        sound = database.execute("PRAGMA quick_check(1)").fetchone()
        if sound != ("ok",):
            raise sqlite3.DatabaseError(str(sound[0]) if sound else "it cannot be read")
    except BaseException:
        database.close()
        raise
    return database


def _rows(database: sqlite3.Connection) -> tuple[dict[str, Place], set[str]]:
    """The rows that are as they were written, and the sinks whose rows are not; those of release 0.1.0 have
    no checksum."""
    found: dict[str, Place] = {}
    odd: set[str] = set()
    rows = database.execute("SELECT sink, position, state, generation, seal FROM cursor")
    for sink, position, state, generation, seal in rows:
        is_typed = isinstance(sink, str) and isinstance(position, int) and isinstance(state, bytes)
        if is_typed and isinstance(generation, int) and position >= 0:
            place = Place(sink, generation, position, state)
            if seal == seal_of(place) or (seal is None and generation == 0):
                found[sink] = place
                continue
        odd.add(str(sink))
    return found, odd
