"""Where a command writes: its result to stdout, progress and errors to stderr, as text or as JSON."""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, Final

import msgspec
from rich import markup
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from telecine.cli.show.tables import HouseTable, fitted, plain_lines
from telecine.logging.outputs.visible_text import visible, visible_json, visible_lines

_UNBROKEN: Final[dict[str, Any]] = {"overflow": "ignore", "crop": False}
"""Long words stay whole: rich breaks them otherwise."""
_PLAIN = "telecine.plain"
_PLAIN_FORMS = {
    "✓": "ok", "✗": "x", "→": "->", "…": "...", "›": ">", "●": "*", "·": ".", "–": "-", "—": "-", "×": "x",
    "─": "-", "│": "|", "█": "#", "’": "'", "“": '"', "”": '"',
}  # fmt: skip
"""What stands for a sign on a console that cannot write it."""
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
    return _HouseConsole(stderr=is_stderr, width=width, highlight=False, soft_wrap=not stream.isatty())


def speak_plainly() -> None:
    """Makes sure that every text can be written on this process's streams, whatever their encoding is."""
    codecs.register_error(_PLAIN, _plain_character)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors=_PLAIN)


def _plain_character(error: UnicodeError) -> tuple[str, int]:
    """Signs of ours get a plain form, everything else its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    plain = (_PLAIN_FORMS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in characters)
    return "".join(plain), error.end


def show(document: msgspec.Struct, render: Callable[[Console], None], *, as_json: bool) -> None:
    """Writes a command's result: the document as one line of JSON, or what `render` draws."""
    if as_json:
        write_json(document)
    else:
        render(results())


def write_json(document: object) -> None:
    """Writes one line of JSON; whatever would act on a terminal stands in it as an escape."""
    try:
        data = msgspec.json.encode(document, enc_hook=str)
    except UnicodeEncodeError:  # a path that is no UTF-8: JSON's escapes have a form for its bytes
        data = json.dumps(msgspec.to_builtins(document, enc_hook=str), separators=(",", ":")).encode()
    write(visible_json(data) + b"\n")


def write(data: bytes) -> None:
    """Writes UTF-8 to standard output, whatever its encoding is: JSON and records are UTF-8."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:  # a stream of the caller's own that takes text alone
        sys.stdout.write(data.decode())
    else:
        sys.stdout.flush()
        buffer.write(data)
    sys.stdout.flush()


def escape(text: str) -> str:
    """A text of somebody else's for a console: one line, no markup, nothing that acts on a terminal."""
    return markup.escape(visible(text))


def escape_lines(text: str) -> str:
    """Escapes like `escape`, and keeps the line breaks of the text."""
    return markup.escape(visible_lines(text))


class _HouseConsole(Console):
    """Spells out what would act on the terminal in whatever is printed, also where `escape` was forgotten.

    Neither an id nor a path is broken over lines. A reader that goes away is no error: what is left to print
    is dropped, and BrokenPipeError ends a command whose result nobody reads.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Prints like `Console.print`; tables as there is room for them."""
        for item in objects or ("",):
            if not isinstance(item, HouseTable):
                super().print(item, **{**_UNBROKEN, **options})
            elif not self.is_terminal:
                for line in plain_lines(item):
                    super().print(Text(line), soft_wrap=True)
            else:
                found = fitted(item, self)
                for part in found if isinstance(found, list) else [found]:
                    super().print(part, overflow="ignore", crop=False)

    def on_broken_pipe(self) -> None:
        """Raises BrokenPipeError for results; progress and notices are dropped."""
        self.quiet = True
        if not self.stderr:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or (segment.text.isascii() and segment.text.isprintable()):
                yield segment
            else:
                yield Segment(visible_lines(segment.text), segment.style)


def table(
    *columns: str,
    numbers: tuple[str, ...] = (),
    whole: tuple[str, ...] = (),
    spare: tuple[str, ...] = (),
) -> HouseTable:
    """An empty table in the house style: see `HouseTable`."""
    return HouseTable(*columns, numbers=numbers, whole=whole, spare=spare)


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
