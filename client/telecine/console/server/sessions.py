"""Who is logged in: sessions in memory, bounded in number and time, and the one-time link."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from telecine.console.services.access import Access

MAX_SESSIONS: Final = 64
IDLE_SECONDS: Final = 2 * 3600.0
"""A session that asks for nothing for so long is over."""
LONGEST_SECONDS: Final = 12 * 3600.0
"""No session lives longer."""
MAX_STREAMS: Final = 12
"""Live pages of one session at once; browsers open six connections to a host."""
_FAILURES: Final = 10
_FAILURE_SECONDS: Final = 60.0


@dataclass(slots=True)
class Session:
    """One viewer's: the services with the credentials that the viewer has shown."""

    access: Access
    began: float
    last_asked: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    """Sent with every change, and known to pages of this session alone."""
    streams: int = 0
    """Live pages that are open."""
    is_over: bool = False
    """Streams that still run end when they see it."""

    def is_form_ours(self, shown: str) -> bool:
        """Whether a change comes from a page of this session."""
        return hmac.compare_digest(self.csrf.encode(), shown.encode())


class Sessions:
    """Used by one event loop. What leaves it has to be closed by the caller: `take_ended`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: OrderedDict[bytes, Session] = OrderedDict()
        self._ended: list[Session] = []

    def __len__(self) -> int:
        return len(self._held)

    def begin(self, access: Access) -> str:
        """Opens a session; returns what its cookie holds. Over the limit, the one longest unused ends."""
        now = self._clock()
        self.expire()
        while len(self._held) >= MAX_SESSIONS:
            self._end(next(iter(self._held)))
        cookie = secrets.token_urlsafe(32)
        self._held[_key(cookie)] = Session(access, began=now, last_asked=now)
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie; None: it is over, or never was."""
        self.expire()
        key = _key(cookie)
        session = self._held.get(key)
        if session is not None:
            session.last_asked = self._clock()
            self._held.move_to_end(key)
        return session

    def end(self, cookie: str) -> None:
        """Ends a session. Idempotent."""
        self._end(_key(cookie))

    def end_all(self) -> None:
        """Ends every session."""
        for key in list(self._held):
            self._end(key)

    def expire(self) -> None:
        """Ends what is too old."""
        now = self._clock()
        for key, session in list(self._held.items()):
            is_idle = now - session.last_asked > IDLE_SECONDS and not session.streams
            if is_idle or now - session.began > LONGEST_SECONDS:
                self._end(key)

    def take_ended(self) -> list[Session]:
        """Sessions that have ended since the last call: their connections are still open."""
        ended, self._ended = self._ended, []
        return ended

    def _end(self, key: bytes) -> None:
        session = self._held.pop(key, None)
        if session is not None:
            session.is_over = True
            self._ended.append(session)


class OneTimeLink:
    """The key of the link that is printed: it opens the console once, and is then another."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        """`announce`: shows a new key to the person who started the console."""
        self._announce = announce
        self._key = ""

    def renew(self) -> None:
        """Makes a key and announces it; the former one opens nothing any more."""
        self._key = secrets.token_urlsafe(24)
        self._announce(self._key)

    def use(self, shown: str) -> bool:
        """Whether it is the key; if so, it is used up and the next one announced."""
        if not self._key or not hmac.compare_digest(self._key.encode(), shown.encode()):
            return False
        self.renew()
        return True


class Failures:
    """Counts failed log-ins, so that nobody can try keys as fast as the network is."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: list[float] = []

    @property
    def is_too_many(self) -> bool:
        """Whether to refuse the next try unseen."""
        self._times = [each for each in self._times if self._clock() - each < _FAILURE_SECONDS]
        return len(self._times) >= _FAILURES

    def add(self) -> None:
        """Notes one."""
        self._times.append(self._clock())


def _key(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
