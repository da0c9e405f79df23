"""Reads the facts of a Matroska or WebM file that evidence needs straight from its elements (RFC 9559).

Only for files that this service has written: one video track whose header comes before the pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from encoder_service.evidence.facts import ColorTags
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.color import UNSPECIFIED, tags_from_codes

_SEGMENT, _TRACKS, _TRACK_ENTRY, _VIDEO, _COLOUR = 0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0x55B0
_MATRIX, _RANGE, _TRANSFER, _PRIMARIES = 0x55B1, 0x55B9, 0x55BA, 0x55BB
_ALPHA_MODE, _DEFAULT_DURATION, _CLUSTER = 0x53C0, 0x23E383, 0x1F43B675
_HEADER_BYTES = 1 << 20
"""The track's header stands well within."""


class TrackFacts(msgspec.Struct, frozen=True):
    """What the elements of a file state about its one track."""

    color: ColorTags
    has_alpha: bool
    frame_duration_nanoseconds: int
    """0: not stated."""


def read_track_facts(path: Path) -> TrackFacts:
    """Reads a file. Raises OutputError with code VERIFICATION_FAILED."""
    try:
        with path.open("rb") as file:
            data = memoryview(file.read(_HEADER_BYTES))
        tracks = _elements(_inside(data, _SEGMENT, _TRACKS))
        entries = [dict(_elements(track)) for key, track in tracks if key == _TRACK_ENTRY]
        entry = next(entry for entry in entries if _VIDEO in entry)
        video = dict(_elements(entry[_VIDEO]))
    except (KeyError, IndexError, OSError, ValueError, StopIteration) as error:
        raise OutputError(
            FailureCode.VERIFICATION_FAILED, f"{path.name} has no readable track header: {error!r}"
        ) from error
    colour = dict(_elements(video.get(_COLOUR, memoryview(b""))))
    return TrackFacts(
        color=tags_from_codes(
            _number(colour, _PRIMARIES, UNSPECIFIED),
            _number(colour, _TRANSFER, UNSPECIFIED),
            _number(colour, _MATRIX, UNSPECIFIED),
            _number(colour, _RANGE, 0),
        ),
        has_alpha=_number(video, _ALPHA_MODE, 0) == 1,
        frame_duration_nanoseconds=_number(entry, _DEFAULT_DURATION, 0),
    )


def _number(elements: dict[int, memoryview], key: int, default: int) -> int:
    found = elements.get(key)
    return default if found is None else int.from_bytes(found, "big")


def _inside(data: memoryview, *path: int) -> memoryview:
    for key in path:
        data = dict(_elements(data))[key]
    return data


def _elements(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    position = 0
    while position < len(data):
        key, position, _ = _variable_number(data, position, keeps_marker=True)
        size, position, is_unknown = _variable_number(data, position, keeps_marker=False)
        end = len(data) if is_unknown else min(position + size, len(data))
        yield key, data[position:end]
        if key == _CLUSTER:
            return
        position = end


def _variable_number(data: memoryview, position: int, *, keeps_marker: bool) -> tuple[int, int, bool]:
    first = data[position]
    length = 9 - first.bit_length()
    if length > 8:
        raise ValueError("not an EBML number")
    raw = int.from_bytes(data[position : position + length], "big")
    bits = raw & ((1 << (7 * length)) - 1)
    is_unknown = bits == (1 << (7 * length)) - 1
    return (raw if keeps_marker else bits), position + length, is_unknown
