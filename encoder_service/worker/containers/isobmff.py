"""Reads the facts of an MP4 or MOV file that evidence needs straight from its boxes (ISO/IEC 14496-12).

Only for files that this service has written: one video track, no fragments. FFmpeg is not asked, as
its demuxer mixes the container's colour tags with those of the bitstream.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import msgspec

from encoder_service.evidence.facts import ColorTags
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.color import tags_from_codes

_BOX = struct.Struct(">I4s")
_LARGE = struct.Struct(">Q")
_TO_SAMPLE_ENTRY_BOXES = 78
"""Bytes of a VisualSampleEntry before its own boxes."""
_MAX_MOOV_BYTES = 1 << 30


class MovieFacts(msgspec.Struct, frozen=True):
    """What the boxes state."""

    is_faststart: bool
    """The index stands before the pictures."""
    codec_tag: str
    """The sample entry's four characters."""
    color: ColorTags
    """Of the `colr` box."""
    frame_durations: tuple[Fraction, ...]
    """Each different duration of a frame in seconds, as runs; one entry: constant frame rate."""
    frame_count: int


def read_movie_facts(path: Path) -> MovieFacts:
    """Reads a file. Raises OutputError with code VERIFICATION_FAILED."""
    try:
        with path.open("rb") as file:
            order, moov = _read_moov(file.fileno())
        track = _inside(moov, b"trak", b"mdia")
        table = _inside(track, b"minf", b"stbl")
        timescale = _timescale(_inside(track, b"mdhd"))
        runs = _runs(_inside(table, b"stts"))
        tag, color = _sample_entry(_inside(table, b"stsd"))
    except (struct.error, KeyError, IndexError, OSError) as error:
        raise OutputError(
            FailureCode.VERIFICATION_FAILED, f"{path.name} has no readable index: {error!r}"
        ) from error
    return MovieFacts(
        is_faststart=order.index("moov") < order.index("mdat"),
        codec_tag=tag,
        color=color,
        frame_durations=tuple(Fraction(ticks, timescale) for _, ticks in runs),
        frame_count=sum(count for count, _ in runs),
    )


def _read_moov(file: int) -> tuple[list[str], memoryview]:
    order: list[str] = []
    moov = memoryview(b"")
    position, end = 0, os.fstat(file).st_size
    while position < end:
        head = os.pread(file, 16, position)
        size, kind = _BOX.unpack_from(head)
        header = 8
        if size == 1:
            size, header = _LARGE.unpack_from(head, 8)[0], 16
        size = size or end - position
        order.append(kind.decode("latin-1"))
        if kind == b"moov" and size <= _MAX_MOOV_BYTES:
            moov = memoryview(os.pread(file, size - header, position + header))
        position += size
    return order, moov


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    position = 0
    while position + 8 <= len(data):
        size, kind = _BOX.unpack_from(data, position)
        if size < 8:
            return
        yield kind, data[position + 8 : position + size]
        position += size


def _inside(data: memoryview, *path: bytes) -> memoryview:
    for kind in path:
        data = _child(data, kind)
    return data


def _child(data: memoryview, kind: bytes) -> memoryview:
    for found, body in _boxes(data):
        if found == kind:
            return body
    raise KeyError(kind.decode("latin-1"))


def _timescale(mdhd: memoryview) -> int:
    return int(struct.unpack_from(">I", mdhd, 20 if mdhd[0] == 1 else 12)[0])


def _runs(stts: memoryview) -> list[tuple[int, int]]:
    (entries,) = struct.unpack_from(">I", stts, 4)
    return [struct.unpack_from(">II", stts, 8 + 8 * index) for index in range(entries)]


def _sample_entry(stsd: memoryview) -> tuple[str, ColorTags]:
    tag, entry = next(_boxes(stsd[8:]))
    for kind, body in _boxes(entry[_TO_SAMPLE_ENTRY_BOXES:]):
        if kind == b"colr" and bytes(body[:4]) in {b"nclx", b"nclc"}:
            primaries, transfer, matrix = struct.unpack_from(">3H", body, 4)
            range_ = (2 if body[10] & 0x80 else 1) if bytes(body[:4]) == b"nclx" else 0
            return tag.decode("latin-1"), tags_from_codes(primaries, transfer, matrix, range_)
    return tag.decode("latin-1"), ColorTags()
