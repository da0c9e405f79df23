"""Reads a finished video file back and proves that it carries what the encoder gave, rightly described."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from pathlib import Path

import msgspec

from encoder_service.evidence.checksum import FrameHash
from encoder_service.evidence.facts import ColorTags, Readback
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow
from encoder_service.spec.spec import Rational
from encoder_service.worker.color import tags_of
from encoder_service.worker.containers.isobmff import read_movie_facts
from encoder_service.worker.containers.matroska import read_track_facts
from encoder_service.worker.libav.decoding import FilePacket, FileReader, PacketDecoder
from encoder_service.worker.libav.encoding import CodecHeaders, EncodedPacket
from encoder_service.worker.libav.pictures import describe
from encoder_service.worker.video.bitstream import can_begin, form_of, normalized
from encoder_service.worker.video.decode_check import FIRST_FRAMES, Decoded, checksum
from encoder_service.worker.video.plan import VideoPlan

_RECORD = struct.Struct(">q?QQ")
_TIMESTAMP_TOLERANCE_SECONDS = Fraction(1, 1000)
"""The error of times in containers that count milliseconds."""
_NANOSECOND = Fraction(1, 1_000_000_000)
"""The unit to which Matroska rounds the duration of a frame."""
_FULLY_TAGGED = {"h264", "hevc", "av1"}
"""Codecs whose headers state all four colour tags."""


class PacketDigest:
    """BLAKE3 over packets in decoding order: frame number, key flag, coded picture, alpha."""

    def __init__(self, codec: str, headers: CodecHeaders) -> None:
        self.count = 0
        self._codec = codec
        self._form = form_of(headers.extradata)
        self._hash = FrameHash()

    def add(self, packet: EncodedPacket) -> None:
        """Takes in the next packet. Raises OutputError for a malformed one."""
        payload = normalized(self._codec, packet.data, self._form)
        is_key = packet.is_key and can_begin(self._codec, packet.data, self._form)
        self._hash.update(_RECORD.pack(packet.frame, is_key, len(payload), len(packet.alpha)))
        self._hash.update(payload)
        if packet.alpha:
            self._hash.update(packet.alpha)
        self.count += 1

    def digest(self) -> bytes:
        """The digest of everything so far."""
        return self._hash.digest()


class _Facts(msgspec.Struct, frozen=True):
    color: ColorTags
    codec_tag: str
    has_alpha: bool
    is_faststart: bool | None
    frame_duration: Fraction
    """The seconds of every frame, as the container states them; 0: it does not."""
    play_count: int | None = None
    """None: the container does not loop."""
    is_still: bool = False
    """One picture without a duration, as an AVIF of one frame is."""


class FileContent(msgspec.Struct, frozen=True):
    """What stands in a finished file."""

    facts: _Facts
    width: int
    height: int
    duration_seconds: Fraction
    packet_count: int
    packets: bytes
    """The digest of all packets; see `PacketDigest`."""
    first_checksums: tuple[int, ...]
    """Checksums of the first pictures, decoded out of the file."""


def read_content(
    path: Path, row: FormatRow, plan: VideoPlan, *, threads: int, has_sound: bool = False
) -> FileContent:
    """Reads a file to its end: demuxes every packet, decodes the first ones.

    Raises OutputError with code VERIFICATION_FAILED where it cannot be read.
    """
    facts = _read_facts(path, row, plan)
    with FileReader(path, has_sound=has_sound) as file:
        found = PacketDigest(plan.row.codec, file.headers)
        numbering = Numbering(file.tick_seconds, plan.frame_rate, is_exact=row.has_exact_timestamps)
        first = _FirstFrames(
            PacketDecoder(plan.row.codec, file.headers, decoder=plan.decoder, threads=threads)
        )
        last_ticks = 0
        for packet in file.packets():
            last_ticks = max(last_ticks, packet.ticks)
            encoded = numbering.numbered(packet)
            found.add(encoded)
            first.offer(encoded)
        return FileContent(
            facts=facts,
            width=file.width,
            height=file.height,
            duration_seconds=_duration(file, row, plan, last_ticks, has_sound=has_sound),
            packet_count=found.count,
            packets=found.digest(),
            first_checksums=first.finish(),
        )


def _duration(
    file: FileReader, row: FormatRow, plan: VideoPlan, last_ticks: int, *, has_sound: bool
) -> Fraction:
    """Of the pictures: Matroska states only the file's, which a codec's last frame of sound may lengthen."""
    if row.has_exact_timestamps or not has_sound:
        return file.duration_seconds
    return last_ticks * file.tick_seconds + 1 / plan.frame_rate


def compare(
    name: str, content: FileContent, row: FormatRow, plan: VideoPlan, sent: PacketDigest, decoded: Decoded
) -> Readback:
    """Compares a file's content with what the encoder gave and what decoding that showed.

    Raises OutputError with code VERIFICATION_FAILED, and every difference in its message, where the file
    called `name` is not what was made.
    """
    facts = content.facts
    seen = Readback(
        frame_count=content.packet_count,
        width=content.width,
        height=content.height,
        pixel_format=decoded.facts.pixel_format,
        duration_seconds=float(content.duration_seconds),
        frame_rate=_stated_rate(facts, row, plan),
        color_container=facts.color,
        color_bitstream=None if decoded.facts.color == ColorTags() else decoded.facts.color,
        has_alpha=facts.has_alpha or describe(decoded.facts.pixel_format).has_alpha,
        is_faststart=facts.is_faststart,
        loop_count=facts.play_count,
    )
    faults = _differences(seen, facts, plan, row, sent.count)
    faults += _wrong_times(content, plan, row, sent.count)
    if (decoded.facts.width, decoded.facts.height) != (seen.width, seen.height):
        faults.append(f"pictures of {decoded.facts.width} x {decoded.facts.height}")
    if content.packets != sent.digest():
        faults.append("the packets in the file are not those that the encoder gave")
    checksums = content.first_checksums
    if checksums != decoded.first_checksums[: len(checksums)] or not checksums:
        faults.append("the first pictures decode otherwise from the file")
    if decoded.frames != sent.count:
        faults.append(f"{decoded.frames} of {sent.count} frames could be decoded")
    if faults:
        raise OutputError(FailureCode.VERIFICATION_FAILED, f"{name}: {'; '.join(faults)}")
    return seen


def _read_facts(path: Path, row: FormatRow, plan: VideoPlan) -> _Facts:
    if row.has_exact_timestamps:
        movie = read_movie_facts(path)
        durations = movie.frame_durations
        return _Facts(
            color=movie.color,
            codec_tag=movie.codec_tag,
            has_alpha=False,
            is_faststart=movie.is_faststart if "movflags" in row.muxer_options else None,
            frame_duration=durations[0] if len(durations) == 1 else Fraction(0),
            play_count=movie.play_count if row.loop_option else None,
            is_still=movie.is_still,
        )
    track = read_track_facts(path)
    return _Facts(
        color=track.color,
        codec_tag="",
        has_alpha=track.has_alpha,
        is_faststart=None,
        frame_duration=track.frame_duration_nanoseconds * _NANOSECOND,
    )


def _stated_rate(facts: _Facts, row: FormatRow, plan: VideoPlan) -> Rational:
    # FFmpeg's own figure is a guess from rounded times. Where the container's is the planned one as far
    # as its resolution goes, that is the rate.
    rate = plan.frame_rate
    if facts.frame_duration and not _has_planned_rate(facts, row, plan):
        rate = 1 / facts.frame_duration
    return Rational(rate.numerator, rate.denominator)


def _has_planned_rate(facts: _Facts, row: FormatRow, plan: VideoPlan) -> bool:
    resolution = Fraction(0) if row.has_exact_timestamps else _NANOSECOND
    return facts.frame_duration > 0 and abs(facts.frame_duration - 1 / plan.frame_rate) <= resolution


class Numbering:
    """Finds which frame a packet of a file shows. In whole numbers, as it is done for every packet."""

    def __init__(self, tick_seconds: Fraction, frame_rate: Fraction, *, is_exact: bool) -> None:
        self._tick_seconds = tick_seconds
        self._frames, self._ticks = (tick_seconds * frame_rate).as_integer_ratio()
        """So many frames last so many ticks."""
        tolerance = Fraction(0) if is_exact else _TIMESTAMP_TOLERANCE_SECONDS * frame_rate
        self._most = math.floor(tolerance * self._ticks)

    def numbered(self, packet: FilePacket) -> EncodedPacket:
        """Raises OutputError for a packet that stands between two frames."""
        position = packet.ticks * self._frames
        frame = (2 * position + self._ticks) // (2 * self._ticks)
        if abs(position - frame * self._ticks) > self._most:
            seconds = float(packet.ticks * self._tick_seconds)
            raise OutputError(
                FailureCode.VERIFICATION_FAILED, f"a packet stands at {seconds:.6f} s, between two frames"
            )
        return EncodedPacket(packet.data, frame, frame, packet.is_key, packet.alpha)


class _FirstFrames:
    """Decodes the beginning of the file, as far as checksums of the encoder's own packets were kept."""

    def __init__(self, decoder: PacketDecoder) -> None:
        self._decoder = decoder
        self._checksums: list[int] = []

    def offer(self, packet: EncodedPacket) -> None:
        """Takes in the next packet, while it is wanted."""
        if len(self._checksums) < FIRST_FRAMES:
            self._checksums += [checksum(shown.picture) for shown in self._decoder.decode(packet)]

    def finish(self) -> tuple[int, ...]:
        """The checksums of the first pictures."""
        if len(self._checksums) < FIRST_FRAMES:
            self._checksums += [checksum(shown.picture) for shown in self._decoder.flush()]
        return tuple(self._checksums[:FIRST_FRAMES])


def _differences(seen: Readback, facts: _Facts, plan: VideoPlan, row: FormatRow, frames: int) -> list[str]:
    expected = tags_of(plan.color)
    tag = row.codec_tags.get(plan.row.codec, facts.codec_tag)
    checks = {
        f"{seen.frame_count} packets instead of {frames}": seen.frame_count == frames,
        f"size {seen.width} x {seen.height} instead of {plan.geometry.width} x {plan.geometry.height}": (
            (seen.width, seen.height) == (plan.geometry.width, plan.geometry.height)
        ),
        f"container tags {seen.color_container} instead of {expected}": _agree(
            seen.color_container, expected, may_omit={"range"} if row.container == "mov" else set()
        ),
        f"bitstream tags {seen.color_bitstream} instead of {expected}": _agree(
            seen.color_bitstream or ColorTags(),
            expected,
            may_omit=_untagged(plan),
        ),
        "the index stands at the end": facts.is_faststart is not False,
        f"codec tag {facts.codec_tag} instead of {tag}": facts.codec_tag == tag,
        "alpha is missing": seen.has_alpha or not plan.keeps_alpha,
    }
    return [fault for fault, is_right in checks.items() if not is_right]


def _wrong_times(content: FileContent, plan: VideoPlan, row: FormatRow, frames: int) -> list[str]:
    faults: list[str] = []
    if content.facts.is_still and frames == 1:
        return faults
    if not _has_planned_rate(content.facts, row, plan):
        found = float(content.facts.frame_duration)
        faults.append(f"frames of {found} s, or of different durations, instead of 1/({plan.frame_rate}) s")
    # The end is rounded as every time is, and a player adds it up of two rounded ones.
    tolerance = Fraction(0) if row.has_exact_timestamps else _TIMESTAMP_TOLERANCE_SECONDS
    if abs(content.duration_seconds - frames / plan.frame_rate) > tolerance:
        faults.append(f"duration {float(content.duration_seconds)} s")
    return faults


def _untagged(plan: VideoPlan) -> set[str]:
    if plan.row.codec not in _FULLY_TAGGED:
        return set(ColorTags.__struct_fields__)
    return {"matrix"} if describe(plan.pixel_format).is_gray else set()


def _agree(found: ColorTags, expected: ColorTags, *, may_omit: set[str]) -> bool:
    for field in ColorTags.__struct_fields__:
        value = getattr(found, field)
        if value == "unknown" and field in may_omit:
            continue
        if value != getattr(expected, field):
            return False
    return True
