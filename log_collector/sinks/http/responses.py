"""What the answer of an HTTP service means for the records that were sent: taken, again, or never."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from typing import Final

import msgspec

from log_collector.sinks.http.door import HttpResponse
from log_collector.sinks.journal_record import JournalRecord

_NEVER: Final = frozenset({400, 411, 415, 422})
_TOO_LARGE: Final = 413
_ADVICE: Final = {
    401: "the credentials are not accepted; look at token, username and password below http, or the key",
    403: "the credentials do not allow it; look at what they may do there",
    404: "nothing is there; look at the address",
    407: "the proxy wants other credentials; look at http.proxy",
}


class Fate(Enum):
    """What becomes of a request's records."""

    TAKEN = "taken"
    AGAIN = "again"
    """As they are, later; where a person has to fix something, they wait for that."""
    NEVER = "never"
    """Something in the request will never be taken."""
    TOO_LARGE = "too_large"


class Piece(msgspec.Struct, frozen=True):
    """One record as it will be sent."""

    record: JournalRecord
    body: bytes
    group: str = ""
    """Pieces of different groups never stand in one request."""


class Refused(msgspec.Struct, frozen=True):
    """A piece that will never be taken."""

    piece: Piece
    reason: str
    """One of few, for a counter."""
    detail: str = ""
    """What the other side said."""


class Verdict(msgspec.Struct, frozen=True):
    """What became of the pieces of one request; those that stand nowhere here were taken."""

    again: Sequence[Piece] = ()
    refused: Sequence[Refused] = ()
    parts: Sequence[Sequence[Piece]] = ()
    """To be sent at once, each by itself: one of them holds what will never be taken, and the answer does not
    say where."""
    fault: str = ""
    """Why some are to be sent again. Holds nothing of a record."""
    wait_seconds: float | None = None
    """Nothing may be sent for so long; None: it was not said."""


def fate_of(status: int) -> Fate:
    """The fate that an HTTP status means."""
    if 200 <= status < 300:
        return Fate.TAKEN
    if status == _TOO_LARGE:
        return Fate.TOO_LARGE
    return Fate.NEVER if status in _NEVER else Fate.AGAIN


def judge_whole(
    answer: HttpResponse, pieces: Sequence[Piece], now_unix_seconds: float, reason: str = "rejected"
) -> Verdict:
    """The verdict of a service that takes a request as a whole or not at all.

    `reason` counts a record that is refused for ever when it is sent alone.
    """
    fate = fate_of(answer.status)
    if fate is Fate.TAKEN:
        return Verdict()
    if fate is Fate.AGAIN:
        return Verdict(again=pieces, fault=fault_of(answer), wait_seconds=wait_of(answer, now_unix_seconds))
    if len(pieces) > 1:
        return Verdict(parts=halves(pieces))
    counted = fate.value if fate is Fate.TOO_LARGE else reason
    return Verdict(refused=[Refused(pieces[0], counted, text_of(answer))])


def halves(pieces: Sequence[Piece]) -> tuple[Sequence[Piece], Sequence[Piece]]:
    """Two parts of two or more pieces, in their order."""
    middle = len(pieces) // 2
    return pieces[:middle], pieces[middle:]


def wait_of(answer: HttpResponse, now_unix_seconds: float) -> float | None:
    """What `Retry-After` says, in seconds; None: nothing that can be read. RFC 9110, 10.2.3."""
    said = answer.headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now_unix_seconds)


def fault_of(answer: HttpResponse) -> str:
    """A status in words, and what to do about it; nothing of the body, which may repeat a record."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "unknown status"
    if 300 <= answer.status < 400:
        return f"{answer.status} {phrase}: redirects are not followed; give the address it leads to"
    advice = _ADVICE.get(answer.status)
    return f"{answer.status} {phrase}" + (f": {advice}" if advice else "")


def text_of(answer: HttpResponse, limit_chars: int = 500) -> str:
    """The beginning of the body, for the file of dead letters."""
    return " ".join(answer.body[: 4 * limit_chars].decode("utf-8", "replace").split())[:limit_chars]
