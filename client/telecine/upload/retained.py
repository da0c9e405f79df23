"""The bytes of a track that were pushed and are not yet acknowledged, in order, each exactly once."""

from __future__ import annotations

from collections import deque


class RetainedBytes:
    """Three marks on one line of bytes: acknowledged <= sent <= end. Not thread-safe.

    Pieces are kept as they come (they must not change afterwards); what is acknowledged is dropped.
    """

    def __init__(self) -> None:
        self.acknowledged = 0
        """Offset of the first byte that is kept."""
        self.sent = 0
        """Offset of the next byte to send."""
        self.end = 0
        """Offset behind the last byte that was pushed."""
        self._in_flight: deque[bytes | memoryview] = deque()
        self._unsent: deque[bytes | memoryview] = deque()

    @property
    def size_bytes(self) -> int:
        """What is kept in memory, in bytes."""
        return max(0, self.end - self.acknowledged)

    @property
    def unsent_bytes(self) -> int:
        """Pushed and not sent on this connection, in bytes."""
        return max(0, self.end - self.sent)

    def append(self, piece: bytes | memoryview) -> None:
        """Takes the next bytes. What lies below `acknowledged` is already safe and not kept."""
        known = self.acknowledged - self.end
        self.end += len(piece)
        if known >= len(piece):
            return
        self._unsent.append(piece[known:] if known > 0 else piece)

    def skip(self, size_bytes: int) -> None:
        """Counts the next bytes, and all that are kept, as safe without sending them."""
        self.end += size_bytes
        self.acknowledge(self.end)

    def take(self, limit: int) -> tuple[int, list[bytes | memoryview]]:
        """Marks the next at most `limit` bytes as sent; returns their offset and pieces.

        Whole pieces are joined up while they fit, and a piece that is too large is cut.
        """
        offset, room, taken = self.sent, limit, list[bytes | memoryview]()
        while self._unsent and room > 0:
            piece = self._unsent[0]
            if len(piece) > room:
                if taken:
                    break
                self._unsent[0] = piece[room:]
                piece = piece[:room]
            else:
                self._unsent.popleft()
            taken.append(piece)
            room -= len(piece)
        self._in_flight.extend(taken)
        self.sent += limit - room
        return offset, taken

    def acknowledge(self, offset: int) -> None:
        """Drops everything below `offset`, which may lie beyond the end (safe from an earlier run)."""
        drop = offset - self.acknowledged
        self.acknowledged = max(self.acknowledged, offset)
        self.sent = max(self.sent, offset)
        for queue in (self._in_flight, self._unsent):
            while queue and drop > 0:
                piece = queue.popleft()
                if len(piece) > drop:
                    queue.appendleft(piece[drop:])
                drop -= min(drop, len(piece))

    def rewind(self) -> None:
        """Counts everything that is not acknowledged as unsent again: a new connection begins."""
        self._unsent.extendleft(reversed(self._in_flight))
        self._in_flight.clear()
        self.sent = self.acknowledged

    def clear(self) -> None:
        """Drops all pieces; the marks stay."""
        self._in_flight.clear()
        self._unsent.clear()
