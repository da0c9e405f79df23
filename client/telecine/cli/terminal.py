"""Where a command writes: its result to stdout, progress and errors to stderr, as text or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction

import msgspec
from rich.console import Console
from rich.table import Table

_STYLES = {"ok": "green", "warning": "yellow", "problem": "red"}


def results() -> Console:
    """The console of results: stdout; as wide as it needs to be when no terminal reads it."""
    return _console(is_stderr=False)


def notices() -> Console:
    """The console of progress, warnings and errors: stderr."""
    return _console(is_stderr=True)


def _console(*, is_stderr: bool) -> Console:
    stream = sys.stderr if is_stderr else sys.stdout
    width = None if stream.isatty() else 140
    return Console(stderr=is_stderr, width=width, highlight=False, soft_wrap=not stream.isatty())


def show(document: msgspec.Struct, render: Callable[[Console], None], *, as_json: bool) -> None:
    """Writes a command's result: the document as one line of JSON, or what `render` draws."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
        sys.stdout.flush()
    else:
        render(results())


def table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table in the house style; the columns named in `numbers` are set flush right."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


def mark(kind: str, text: str) -> str:
    """Colours a word by what it means: "ok", "warning" or "problem"."""
    return f"[{_STYLES[kind]}]{text}[/]"


def size_text(size_bytes: int) -> str:
    """A number of bytes as people read it: `1.2 MB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def seconds_text(seconds: float) -> str:
    """A duration as people read it: `340 ms`, `2.31 s`, `1 min 05 s`, `2 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"


def frame_rate_text(rate: Fraction) -> str:
    """A frame rate as people read it: `24`, or `23.976 (24000/1001)`."""
    if rate.denominator == 1:
        return str(rate.numerator)
    return f"{float(rate):.3f} ({rate.numerator}/{rate.denominator})"
