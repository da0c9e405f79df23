"""Sees whether a file ends where its own structure says that it does: FFmpeg reads a cut file in silence.

Only structure that states its size is checked; a format without such (raw streams, live recordings) passes.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from encoder_service.worker.containers.gif import GifError, read_gif

_BOX = struct.Struct(">I4s")
_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"styp"}
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_LEVEL_ONE = {0x114D9B74, 0x1549A966, 0x1654AE6B, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367}
_EBML = b"\x1a\x45\xdf\xa3"
_TS_SYNC = 0x47
_TS_PACKET_BYTES = 188
_OGG_TAIL_BYTES = 1 << 17
_OGG_LAST_PAGE = 4
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FRAME_LINE = b"FRAME\n"
_MAX_LINE_BYTES = 1024
_UNKNOWN_RIFF = {0, 0xFFFFFFFF}


def missing_end(path: Path) -> str:
    """Says how a file is cut or broken; empty: nothing of that is seen. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_TS_PACKET_BYTES + 1)
        file.seek(0)
        check = _check_for(head)
        try:
            return check(file, os.fstat(file.fileno()).st_size) if check else ""
        except (ValueError, KeyError, struct.error) as error:
            return f"its head cannot be read ({error})"


def _check_for(head: bytes) -> Callable[[BinaryIO, int], str] | None:
    if head[4:8] in _FIRST_BOXES:
        return _boxes
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _riff
    if len(head) > _TS_PACKET_BYTES and head[0] == head[_TS_PACKET_BYTES] == _TS_SYNC:
        return _transport_stream
    starts = {_EBML: _matroska, b"GIF8": _gif, _PNG_SIGNATURE: _png, b"OggS": _ogg, b"YUV4MPEG2 ": _yuv4mpeg}
    return next((check for start, check in starts.items() if head.startswith(start)), None)


def _boxes(file: BinaryIO, size: int) -> str:
    position = 0
    while position + _BOX.size <= size:
        file.seek(position)
        length, kind = _BOX.unpack(file.read(_BOX.size))
        if length == 1:
            large = file.read(8)
            length = int.from_bytes(large, "big") if len(large) == 8 else size + 1
        if length == 0:
            return ""
        if length < _BOX.size:
            return ""  # what follows is no box: players ignore it, too
        position += length
        if position > size:
            return f"it ends inside its {kind.decode('latin-1')!r} box, {position - size} bytes too early"
    return ""


def _riff(file: BinaryIO, size: int) -> str:
    position = 0
    while position + 12 <= size:
        file.seek(position)
        tag, length = struct.unpack("<4sI", file.read(8))
        if tag != b"RIFF" or length in _UNKNOWN_RIFF:
            return ""
        position += 8 + length + length % 2
        if position - length % 2 > size:
            return f"it ends {position - size} bytes before its RIFF chunk does"
    return ""


def _transport_stream(_file: BinaryIO, size: int) -> str:
    rest = size % _TS_PACKET_BYTES
    return f"it ends inside a packet, after {rest} of {_TS_PACKET_BYTES} bytes" if rest else ""


def _gif(file: BinaryIO, _size: int) -> str:
    try:
        read_gif(file)
    except GifError as error:
        return str(error)
    return ""


def _png(file: BinaryIO, size: int) -> str:
    stated = found = 0
    position, tag = len(_PNG_SIGNATURE), b""
    while tag != b"IEND":
        file.seek(position)
        head = file.read(8)
        position += 12 + int.from_bytes(head[:4], "big")
        if len(head) < 8 or position > size:
            return "it ends before its IEND chunk does"
        tag, payload = head[4:], file.read(position - file.tell())
        if zlib.crc32(tag + payload[:-4]) != int.from_bytes(payload[-4:], "big"):
            return f"the CRC of a {tag.decode('latin-1')} chunk is wrong"
        stated = int.from_bytes(payload[:4], "big") if tag == b"acTL" else stated
        found += tag == b"fcTL"
    return f"it holds {found} of {stated} frames" if stated and found != stated else ""


def _ogg(file: BinaryIO, size: int) -> str:
    file.seek(max(0, size - _OGG_TAIL_BYTES))
    tail = file.read()
    at = tail.rfind(b"OggS")
    segments = tail[at + 26] if 0 <= at < len(tail) - 26 else 0
    page_bytes = 27 + segments + sum(tail[at + 27 : at + 27 + segments])
    if at < 0 or at + page_bytes > len(tail):
        return "it ends inside a page"
    return "" if tail[at + 5] & _OGG_LAST_PAGE else "its last page is missing"


def _yuv4mpeg(file: BinaryIO, size: int) -> str:
    head = file.readline(_MAX_LINE_BYTES)
    fields = {field[:1]: field[1:] for field in head.split()[1:]}
    layout, _, deep = fields.get(b"C", b"420").partition(b"p1")
    shift = {b"420": (1, 1), b"422": (1, 0), b"444": (0, 0)}.get(layout[:3])
    if file.readline(_MAX_LINE_BYTES) != _FRAME_LINE or shift is None or b"alpha" in layout:
        return ""
    width, height = int(fields[b"W"]), int(fields[b"H"])
    samples = width * height + 2 * (-(-width >> shift[0])) * (-(-height >> shift[1]))
    frame_bytes = len(_FRAME_LINE) + samples * (2 if deep else 1)
    rest = (size - len(head)) % frame_bytes
    return f"it ends inside a frame, after {rest} of {frame_bytes} bytes" if rest else ""


def _matroska(file: BinaryIO, size: int) -> str:
    position = 0
    while position < size:
        key, start, length = _element(file, position)
        if key == 0:
            return f"it ends inside the head of an element, or has none at byte {position}"
        if key == _SEGMENT:
            if length is not None and start + length > size:
                return f"it ends {start + length - size} bytes before its segment does"
            return _segment(file, start, size if length is None else start + length)
        position = size if length is None else start + length
    return ""


def _segment(file: BinaryIO, position: int, end: int) -> str:
    """Walks the segment's elements and those of its clusters, however they state their sizes."""
    cluster_end = position
    while position < end:
        key, start, length = _element(file, position)
        if key == 0:
            return f"there is no element at byte {position}"
        if key == _CLUSTER:
            cluster_end = end if length is None else start + length
            if cluster_end > end:
                return f"it ends {cluster_end - end} bytes before a cluster does"
            position = start
            continue
        if length is None:
            return ""  # a live recording's: nothing is stated
        is_inside = position < cluster_end and key not in _LEVEL_ONE
        position = start + length
        if position > (cluster_end if is_inside else end):
            return f"an element at byte {start} goes on beyond what holds it"
    return ""


def _element(file: BinaryIO, position: int) -> tuple[int, int, int | None]:
    """An element's id, where its content begins, and its size, None: not stated. Id 0: no element."""
    file.seek(position)
    head = file.read(12)
    if not head or head[0] < 0x10:
        return 0, position, 0
    id_bytes = 9 - head[0].bit_length()
    first = head[id_bytes] if len(head) > id_bytes else 0
    size_bytes = 9 - first.bit_length()
    raw = head[id_bytes : id_bytes + size_bytes]
    if not first or len(raw) < size_bytes:
        return 0, position, 0
    most = (1 << 7 * size_bytes) - 1
    length = int.from_bytes(raw, "big") & most
    start = position + id_bytes + size_bytes
    return int.from_bytes(head[:id_bytes], "big"), start, None if length == most else length
