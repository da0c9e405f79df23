"""Folds progress bars (tqdm, ffmpeg, any line that ends in a carriage return) into progress records.

A bar that is drawn a thousand times becomes a record when it begins, one every few seconds, and one
with its last state.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TextIO

from telecine.logging.catalogue import EVENT_PROGRESS
from telecine.logging.logger import Logger

_MAX_PENDING = 64 << 10
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TQDM = re.compile(
    r"^(?:(?P<label>.*?):\s*)?\s*(?P<percent>\d{1,3})%\|[^|]*\|\s*(?P<done>[\d.]+[kMGT]?)/(?P<total>[\d.]+[kMGT]?)"
    r"(?:\s*\[[^\]]*?,\s*(?P<rate>[\d.]+)\s*(?P<unit>s/\w+|\w+/s))?"
)
_TQDM_OPEN = re.compile(
    r"^(?:(?P<label>.*?):\s*)?(?P<done>\d+)\w*\s*\[[^\]]*?,\s*(?P<rate>[\d.]+)\s*(?P<unit>\w+/s)"
)
_FFMPEG = re.compile(r"^frame=\s*(?P<done>\d+)\s+fps=\s*(?P<rate>[\d.]+)")
_PERCENT = re.compile(r"^(?P<label>.*?)[\s:]*(?P<percent>\d{1,3}(?:\.\d+)?)\s*%")
_SCALE = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def parse_progress(line: str) -> dict[str, Any] | None:
    """What a progress line says: label, percent, done, total, rate; None when it is none."""
    text = _ANSI.sub("", line).strip()
    for pattern in (_TQDM, _FFMPEG, _TQDM_OPEN, _PERCENT):
        match = pattern.search(text)
        if match is not None:
            return _fields(match.groupdict(), "ffmpeg" if pattern is _FFMPEG else "")
    return None


def _fields(found: dict[str, str | None], label: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"progress": (found.get("label") or label).strip()}
    for name in ("percent", "done", "total", "rate"):
        text = found.get(name)
        if text:
            number = float(text.rstrip("kMGT")) * _SCALE.get(text[-1], 1)
            fields[f"progress_{name}"] = int(number) if number.is_integer() else number
    unit = found.get("unit")
    if unit and unit.startswith("s/") and fields.get("progress_rate"):
        fields["progress_rate"] = round(1 / fields["progress_rate"], 4)
    return fields


class ProgressFolder:
    """Takes text as it is written to a terminal; gives records. Pure but for the clock handed in."""

    def __init__(
        self,
        emit: Callable[[dict[str, Any]], None],
        interval_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`emit` takes the fields of one progress record."""
        self._emit = emit
        self._interval = interval_seconds
        self._clock = clock
        self._pending = ""
        self._is_redrawn = False
        self._latest: dict[str, Any] | None = None
        self._updates = 0
        self._said = 0
        self._said_at = float("-inf")

    def feed(self, text: str) -> str:
        """Takes text; returns what is no progress and should be written on."""
        self._pending += text
        passed = []
        while (split := _next_end(self._pending)) is not None:
            line, end, self._pending = split
            passed.append(self._line(line, end))
        if len(self._pending) > _MAX_PENDING:
            passed.append(self._pending)
            self._pending = ""
        return "".join(passed)

    def finish(self) -> str:
        """Ends the bar that is under way; returns text that was held back."""
        rest, self._pending = self._pending, ""
        if rest and self._note(rest):
            rest = ""
        self._end_bar()
        return rest

    def _line(self, line: str, end: str) -> str:
        if not line.strip() and (self._is_redrawn or end == "\r"):
            self._is_redrawn = end == "\r"
            if end == "\n":
                self._end_bar()
            return ""
        is_bar = (end == "\r" or self._is_redrawn) and self._note(line)
        self._is_redrawn = end == "\r"
        if is_bar:
            if end == "\n":
                self._end_bar()
            return ""
        if end == "\r":
            # Somebody redraws a line that says no progress: only its last state matters.
            return ""
        self._end_bar()
        return line + end

    def _note(self, line: str) -> bool:
        fields = parse_progress(line)
        if fields is None:
            return False
        if self._latest is not None and fields["progress"] != self._latest["progress"]:
            self._end_bar()
        self._latest = fields
        self._updates += 1
        now = self._clock()
        if now - self._said_at >= self._interval:
            self._say(now, is_last=False)
        return True

    def _end_bar(self) -> None:
        if self._latest is not None:
            if self._said < self._updates:
                self._say(self._clock(), is_last=True)
            self._latest = None
        self._updates = self._said = 0
        self._said_at = float("-inf")

    def _say(self, now: float, *, is_last: bool) -> None:
        if self._latest is None:
            return
        self._said_at = now
        self._said = self._updates
        self._emit({**self._latest, "progress_updates": self._updates, "is_last": is_last})


def _next_end(text: str) -> tuple[str, str, str] | None:
    """Line, its end, and the rest; None while the line has no end."""
    ends = [position for position in (text.find("\r"), text.find("\n")) if position >= 0]
    if not ends:
        return None
    at = min(ends)
    if text[at] == "\r" and at + 1 == len(text):
        # The next character decides whether the line is ended or redrawn.
        return None
    if text.startswith("\r\n", at):
        return text[:at], "\n", text[at + 2 :]
    return text[:at], text[at], text[at + 1 :]


class FoldedStream:
    """A text stream whose progress lines become records; all else goes on to the stream behind it.

    tqdm takes it as `file=`; `with FoldedStream(sys.stderr, logger) as stream` ends the last bar.

    Args:
        stream: Gets what is no progress.
        logger: Gets the records, at INFO.
        interval_seconds: The least time between two records of one bar; its first and last state are always
            recorded. 0: every state is.
    """

    def __init__(self, stream: TextIO, logger: Logger, interval_seconds: float = 5.0) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._folder = ProgressFolder(
            lambda fields: logger.info("progress", event=EVENT_PROGRESS, **fields), interval_seconds
        )

    def write(self, text: str) -> int:
        """Takes text; returns its length."""
        with self._lock:
            passed = self._folder.feed(text)
        if passed:
            self._stream.write(passed)
        return len(text)

    def flush(self) -> None:
        """Flushes the stream behind; a line that has no end yet is kept."""
        self._stream.flush()

    def finish(self) -> None:
        """Says the last state of the bar that is under way."""
        with self._lock:
            rest = self._folder.finish()
        if rest:
            self._stream.write(rest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class StderrFolding:
    """Standard error with folded progress bars; `remove` puts it back."""

    def __init__(self, logger: Logger) -> None:
        self._before = sys.stderr
        self._folded = FoldedStream(self._before, logger)
        sys.stderr = self._folded

    def remove(self) -> None:
        """Ends the bar that is under way and restores the stream; idempotent."""
        self._folded.finish()
        if sys.stderr is self._folded:
            sys.stderr = self._before
