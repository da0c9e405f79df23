"""Where a command writes: its result to stdout, progress and errors to stderr, as text or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from fractions import Fraction

import msgspec
from rich import markup
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from telecine.logging.outputs.visible_text import visible, visible_json, visible_lines

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
    return _VisibleConsole(stderr=is_stderr, width=width, highlight=False, soft_wrap=not stream.isatty())


def show(document: msgspec.Struct, render: Callable[[Console], None], *, as_json: bool) -> None:
    """Writes a command's result: the document as one line of JSON, or what `render` draws."""
    if as_json:
        write_json(document)
    else:
        render(results())


def write_json(document: object) -> None:
    """Writes one line of JSON; whatever would act on a terminal stands in it as an escape."""
    sys.stdout.write(visible_json(msgspec.json.encode(document)).decode() + "\n")
    sys.stdout.flush()


def escape(text: str) -> str:
    """A text of somebody else's for a console: one line, no markup, nothing that acts on a terminal."""
    return markup.escape(visible(text))


def escape_lines(text: str) -> str:
    """Escapes like `escape`, and keeps the line breaks of the text."""
    return markup.escape(visible_lines(text))


class _VisibleConsole(Console):
    """Spells out what would act on the terminal in whatever is printed, also where `escape` was forgotten."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or (segment.text.isascii() and segment.text.isprintable()):
                yield segment
            else:
                yield Segment(visible_lines(segment.text), segment.style)


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
