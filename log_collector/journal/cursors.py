"""How far each sink has read, and its own state, moved on together in one transaction."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import msgspec


class Cursor(msgspec.Struct, frozen=True):
    """A sink's place in the journal."""

    position: int
    """Where it reads on: all before it is delivered."""
    state: bytes = b""
    """The sink's own, opaque here; a file sink keeps its files' sizes in it."""


class CursorStore:
    """The cursors of all sinks in one SQLite file. Calls block for about a disk sync; any thread may call.

    Owns its file; `close` releases it and is idempotent.
    """

    def __init__(self, path: Path) -> None:
        """Raises ValueError for a file that is damaged, or of something else."""
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS cursor"
                " (sink TEXT PRIMARY KEY, position INTEGER NOT NULL, state BLOB NOT NULL)"
            )
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise ValueError(
                f"{path} cannot be used ({error}): put it back from a copy, or move it away; then every sink"
                " begins at the oldest record of the journal again, and files may have records twice"
            ) from error

    def load(self, sink: str) -> Cursor | None:
        """Returns a sink's cursor; None: it has never delivered anything."""
        with self._lock:
            row = self._database.execute(
                "SELECT position, state FROM cursor WHERE sink = ?", (sink,)
            ).fetchone()
        return Cursor(row[0], row[1]) if row else None

    def advance(self, sink: str, cursor: Cursor) -> None:
        """Makes a sink's position and state durable, both or neither."""
        with self._lock:
            self._database.execute(
                "INSERT INTO cursor VALUES (?, ?, ?) ON CONFLICT (sink) DO UPDATE"
                " SET position = excluded.position, state = excluded.state",
                (sink, cursor.position, cursor.state),
            )

    def forget(self, sink: str) -> None:
        """Deletes a sink's cursor, so that it holds the journal no more."""
        with self._lock:
            self._database.execute("DELETE FROM cursor WHERE sink = ?", (sink,))

    def sinks(self) -> dict[str, int]:
        """Every sink that has a cursor, and its position."""
        with self._lock:
            return dict(self._database.execute("SELECT sink, position FROM cursor").fetchall())

    def slowest(self) -> int | None:
        """The lowest position of all; None: there is no cursor."""
        return min(self.sinks().values(), default=None)

    def close(self) -> None:
        """Releases the file."""
        with self._lock:
            self._database.close()
