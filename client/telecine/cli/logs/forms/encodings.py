"""Reads files of any Unicode encoding as UTF-8, and without the NULs that truncated files begin with."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterable, Iterator
from typing import IO, Final

from telecine.logging.record.long_lines import LongLines, without_long_lines

BYTE_ORDER_MARK: Final = codecs.BOM_UTF8
_MARKS: Final = (
    # UTF-32's first: that of UTF-16 is its beginning.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES: Final = 64
_PIECE_BYTES: Final = 256 << 10


def wide_encoding(beginning: bytes) -> str:
    """The encoding of a file with two or four bytes a character; empty: it is UTF-8 or like ASCII."""
    for mark, name in _MARKS:
        if beginning.startswith(mark):
            return name
    sample = beginning[:_SAMPLE_BYTES]
    even, odd = sample[0::2], sample[1::2]
    if len(sample) < _SAMPLE_BYTES // 4:
        return ""
    if not any(odd) and all(even):
        return "utf-16-le"
    return "utf-16-be" if not any(even) and all(odd) else ""


def utf8_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the content of a file in UTF-8, without NULs; no piece is empty."""
    coming = iter(pieces)
    beginning = b""
    for piece in coming:
        beginning += piece
        if len(beginning) >= _SAMPLE_BYTES:
            break
    name = wide_encoding(beginning)
    decoder = codecs.getincrementaldecoder(name)("replace") if name else None
    for piece in itertools.chain((beginning,), coming):
        narrow = decoder.decode(piece).encode("utf-8", "replace") if decoder is not None else piece
        if plain := narrow.replace(b"\0", b""):
            yield plain


def utf8_lines(source: IO[bytes], left_out: LongLines | None = None) -> Iterator[bytes]:
    """Yields the lines of an open file in UTF-8, each with its line feed; `left_out` counts too long ones."""
    begun: list[bytes] = []
    pieces = utf8_pieces(iter(lambda: source.read(_PIECE_BYTES), b""))
    for piece in without_long_lines(pieces, left_out or LongLines()):
        *ended, rest = piece.split(b"\n")
        for line in ended:
            begun += (line, b"\n")
            yield b"".join(begun)
            begun.clear()
        begun.append(rest)
    if any(begun):
        yield b"".join(begun)


def whole_lines(data: bytes, encoding: str) -> tuple[int, bytes]:
    """How many bytes of `data` are lines that are ended, and those lines in UTF-8.

    `encoding` is the file's `wide_encoding`.
    """
    if not encoding:
        end = data.rfind(b"\n") + 1
        return end, data[:end]
    text = codecs.getincrementaldecoder(encoding)("replace").decode(data)
    text = text[: text.rfind("\n") + 1]
    return len(text.encode(encoding)), text.encode("utf-8", "replace")
