"""Redacts log files that exist already, compressed ones included; or only says what it would take out."""

from __future__ import annotations

import gzip
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
import zstandard

from telecine.durable_files import replacing
from telecine.logging.record.long_lines import MAX_LINE_BYTES
from telecine.logging.redaction import Counts, Redactor
from telecine.logging.redaction.text.secret_text import MASK

_KEY_BEGINS = re.compile(rb"-{4,5} ?(?i:BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY)")
_KEY_ENDS = re.compile(rb"-{4,5} ?(?i:END [A-Z0-9 ]{0,40}PRIVATE KEY)")
_MAX_KEY_LINES = 200
_MAX_FINDINGS = 1000
_PIECE_BYTES = 1 << 20
_LONG_LINE = "line_too_long"
"""Stands beside the ids of rules for a line that was taken out whole, for its length."""


class Finding(msgspec.Struct, frozen=True):
    """A line in which something was found; the secret itself is not repeated."""

    line_number: int
    """From 1."""
    counts: Counts
    """How many secrets, by rule id."""
    redacted: str
    """The line as it would stand, at most 500 characters."""


class RedactionReport(msgspec.Struct):
    """What redaction of one file comes to."""

    path: Path
    lines: int = 0
    counts: Counts = msgspec.field(default_factory=dict)
    """By rule id, over all lines."""
    findings: list[Finding] = msgspec.field(default_factory=list)
    """The first 1,000 lines with a finding."""
    lines_with_findings: int = 0


def redact_file(path: Path, redactor: Redactor, *, is_dry_run: bool = True) -> RedactionReport:
    """Goes through a plain, `.gz` or `.zst` file of JSON or text lines.

    Of a line above 16 MiB nothing is left but the mask.
    Without `is_dry_run` the file is replaced, in the same compression, once all of it is on the disk.

    Raises:
        OSError: the file cannot be read, or its replacement not be written.
        ValueError: the compressed data is damaged.
    """
    report = RedactionReport(path)
    try:
        with open_lines(path) as source:
            lines = _redacted_lines(source, redactor, report)
            if is_dry_run:
                for _ in lines:
                    continue
            else:
                _replace(path, lines)
    except (zstandard.ZstdError, gzip.BadGzipFile, EOFError) as error:
        raise ValueError(f"{path}: the compressed data is damaged: {error}") from error
    return report


def _redacted_lines(source: IO[bytes], redactor: Redactor, report: RedactionReport) -> Iterator[bytes]:
    key_lines = 0
    for line in bounded_lines(source):
        report.lines += 1
        if line is None:
            # What it holds cannot be known, so none of it stays.
            _note(report, {_LONG_LINE: 1}, MASK.encode())
            yield MASK.encode() + b"\n"
            continue
        body = line.rstrip(b"\r\n")
        end = line[len(body) :]
        redacted, counts = redactor.redact_json_line(body)
        if key_lines and not counts:
            # Inside a private key that goes over several lines.
            is_last = _KEY_ENDS.search(body) is not None
            redacted, counts = (body if is_last else MASK.encode()), ({} if is_last else {"private_key": 1})
            key_lines = 0 if is_last else key_lines - 1
        elif _KEY_BEGINS.search(body) and not _KEY_ENDS.search(body) and not body.startswith(b"{"):
            key_lines = _MAX_KEY_LINES
        if counts:
            _note(report, counts, redacted)
        yield redacted + end


def _note(report: RedactionReport, counts: Counts, redacted: bytes) -> None:
    report.lines_with_findings += 1
    for rule_id, count in counts.items():
        report.counts[rule_id] = report.counts.get(rule_id, 0) + count
    if len(report.findings) < _MAX_FINDINGS:
        shown = redacted[:500].decode("utf-8", "replace")
        report.findings.append(Finding(report.lines, counts, shown))


def open_lines(path: Path) -> IO[bytes]:
    """Opens a plain, `.gz` or `.zst` file for reading lines. Raises OSError."""
    if path.suffix == ".gz":
        return io.BufferedReader(gzip.GzipFile(path, "rb"))
    if path.suffix == ".zst":
        raw = path.open("rb")
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=True)
        return io.BufferedReader(reader)
    return path.open("rb")


def bounded_lines(source: IO[bytes]) -> Iterator[bytes | None]:
    """Yields the lines, and None instead of one above MAX_LINE_BYTES, of which no more is held at once."""
    while line := source.readline(MAX_LINE_BYTES):
        if len(line) < MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        if not (piece := source.readline(_PIECE_BYTES)):
            yield line
            return
        del line
        while piece and not piece.endswith(b"\n"):
            piece = source.readline(_PIECE_BYTES)
        yield None


def _replace(path: Path, lines: Iterator[bytes]) -> None:
    with replacing(path, is_synced=True) as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw, mode="wb") as packed:
                packed.writelines(lines)
        elif path.suffix == ".zst":
            with zstandard.ZstdCompressor().stream_writer(raw, closefd=False) as writer:
                for line in lines:
                    writer.write(line)
        else:
            raw.writelines(lines)
        os.fchmod(raw.fileno(), path.stat().st_mode & 0o7777)
