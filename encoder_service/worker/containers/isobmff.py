"""Reads the facts of an MP4, MOV or AVIF file that evidence needs straight from its boxes (ISO/IEC 14496-12).

Only for files that this service has written: one video track, at most one of sound, no fragments; an AVIF
of one frame is a still picture (ISO/IEC 23008-12), which has neither a track nor times. FFmpeg is not
asked, as its demuxer mixes the container's colour tags with those of the bitstream.
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
_FOR_EVER_TICKS = (1 << 63) - 1
"""FFmpeg's duration of a track that is repeated for ever; the standard's own is one bit more."""


class MovieFacts(msgspec.Struct, frozen=True):
    """What the boxes of a file state about its one track."""

    is_faststart: bool
    """The index stands before the pictures."""
    codec_tag: str
    """The sample entry's four characters."""
    color: ColorTags
    """The tags of the `colr` box."""
    frame_durations: tuple[Fraction, ...]
    """Each different duration of a frame in seconds, as runs; one entry: constant frame rate."""
    frame_count: int
    play_count: int = 1
    """How often an animation is played. 0: for ever."""
    is_still: bool = False
    """A picture without duration."""


def read_movie_facts(path: Path) -> MovieFacts:
    """Reads a file. Raises OutputError with code VERIFICATION_FAILED."""
    try:
        with path.open("rb") as file:
            order, found = _read_top(file.fileno())
        moov = found.get("moov")
        if moov is None:
            return _still_facts(found["meta"])
        whole = _picture_track(moov)
        track = _inside(whole, b"mdia")
        table = _inside(track, b"minf", b"stbl")
        timescale = _timescale(_inside(track, b"mdhd"))
        runs = _runs(_inside(table, b"stts"))
        tag, color = _sample_entry(_inside(table, b"stsd"))
        plays = _play_count(whole)
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
        play_count=plays,
    )


def _picture_track(moov: memoryview) -> memoryview:
    """The track of the pictures; there may be one of sound beside it."""
    for kind, body in _boxes(moov):
        if kind == b"trak" and bytes(_inside(body, b"mdia", b"hdlr")[8:12]) == b"vide":
            return body
    return _child(moov, b"trak")


def _still_facts(meta: memoryview) -> MovieFacts:
    properties = _inside(meta[4:], b"iprp", b"ipco")
    item = _inside(meta[4:], b"iinf")[6:]
    return MovieFacts(
        is_faststart=True,
        codec_tag=bytes(_child(item, b"infe")[8:12]).decode("latin-1"),
        color=_color_of(properties),
        frame_durations=(),
        frame_count=1,
        is_still=True,
    )


def _play_count(track: memoryview) -> int:
    """How often the track is played: the edit list may repeat it until its whole duration is over."""
    try:
        edits = _inside(track, b"edts", b"elst")
    except KeyError:
        return 1
    if not edits[3] & 1:
        return 1
    header = _inside(track, b"tkhd")
    (whole,) = struct.unpack_from(">Q", header, 28) if header[0] else struct.unpack_from(">I", header, 20)
    (once,) = struct.unpack_from(">Q" if edits[0] else ">I", edits, 8)
    return 0 if whole >= _FOR_EVER_TICKS else round(whole / once)


def _read_top(file: int) -> tuple[list[str], dict[str, memoryview]]:
    """The names of the outermost boxes in their order, and the content of those that are an index."""
    order: list[str] = []
    found: dict[str, memoryview] = {}
    position, end = 0, os.fstat(file).st_size
    while position < end:
        head = os.pread(file, 16, position)
        size, kind = _BOX.unpack_from(head)
        header = 8
        if size == 1:
            size, header = _LARGE.unpack_from(head, 8)[0], 16
        size = size or end - position
        order.append(kind.decode("latin-1"))
        if kind in {b"moov", b"meta"} and size <= _MAX_MOOV_BYTES:
            found[order[-1]] = memoryview(os.pread(file, size - header, position + header))
        position += size
    return order, found


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
    return tag.decode("latin-1"), _color_of(entry[_TO_SAMPLE_ENTRY_BOXES:])


def _color_of(boxes: memoryview) -> ColorTags:
    for kind, body in _boxes(boxes):
        if kind == b"colr" and bytes(body[:4]) in {b"nclx", b"nclc"}:
            primaries, transfer, matrix = struct.unpack_from(">3H", body, 4)
            range_ = (2 if body[10] & 0x80 else 1) if bytes(body[:4]) == b"nclx" else 0
            return tags_from_codes(primaries, transfer, matrix, range_)
    return ColorTags()
