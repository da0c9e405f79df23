"""Decodes packets beside the encoder, and reads finished files packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self, cast

import av
import msgspec
from av.codec.context import CodecContext, ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from encoder_service.evidence.facts import ColorTags
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.color import tags_from_codes
from encoder_service.worker.libav.encoding import (
    ALPHA_SIDE_DATA,
    CodecHeaders,
    EncodedPacket,
    attach_alpha,
)
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.opening import open_input
from encoder_service.worker.libav.pictures import Picture

_BROKEN = FailureCode.VERIFICATION_FAILED
_DECODERS = {"av1": "libdav1d"}
"""Where FFmpeg's first decoder of the codec needs hardware."""


class DecodedPicture(msgspec.Struct, frozen=True):
    """A picture and which frame it is."""

    frame: int
    picture: Picture


class PacketDecoder:
    """Decodes packets as an encoder gave them, knowing nothing of any container. Not thread-safe."""

    def __init__(self, codec: str, headers: CodecHeaders, *, decoder: str = "", threads: int = 1) -> None:
        """Opens a decoder, `decoder` by name or the usual one of `codec`. Raises OutputError."""
        with translated(_BROKEN, f"opening a decoder for {codec}"):
            context = CodecContext.create(decoder or _DECODERS.get(codec, codec), "r")
            if not isinstance(context, VideoCodecContext):
                raise OutputError(_BROKEN, f"{codec} is no video codec")
            context.thread_count = threads
            context.thread_type = ThreadType.AUTO if threads > 1 else ThreadType.NONE
            # FFV1 codes no size at all; the others find theirs in the packets.
            context.width, context.height = headers.width, headers.height
            if headers.extradata:
                context.extradata = headers.extradata
            if headers.codec_tag:
                context.codec_tag = headers.codec_tag
            context.open()
        self._context = context

    def decode(self, packet: EncodedPacket) -> list[DecodedPicture]:
        """Decodes one packet; pictures come in the order they are shown. Raises OutputError."""
        with translated(_BROKEN, f"decoding frame {packet.frame}"):
            return _numbered(self._context.decode(_packet(packet)))

    def flush(self) -> list[DecodedPicture]:
        """Takes the pictures that the decoder still holds. Raises OutputError."""
        with translated(_BROKEN, "decoding the last frames"):
            return _numbered(self._context.decode(None))


def _packet(encoded: EncodedPacket) -> Packet[VideoStream]:
    # A packet around Python's bytes would be freed with Python's lock held, by the decoder's own thread;
    # the thread that frees the decoder holds that lock while it waits for the other. So the bytes are copied.
    packet = cast("Packet[VideoStream]", Packet(len(encoded.data)))
    packet.update(encoded.data)
    packet.pts, packet.dts = encoded.frame, encoded.decode_order
    packet.time_base = Fraction(1)
    if encoded.alpha:
        attach_alpha(packet, encoded.alpha)
    return packet


def _numbered(pictures: list[VideoFrame]) -> list[DecodedPicture]:
    numbered = []
    for picture in pictures:
        if picture.pts is None:
            raise OutputError(_BROKEN, "the decoder gave a picture without timestamp")
        numbered.append(DecodedPicture(picture.pts, picture))
    return numbered


class PictureFacts(msgspec.Struct, frozen=True):
    """What a decoded picture states of itself."""

    pixel_format: str
    width: int
    height: int
    color: ColorTags


def facts_of(picture: Picture) -> PictureFacts:
    """Reads a picture's facts; to be done before anything writes tags of its own onto it."""
    return PictureFacts(
        pixel_format=picture.format.name,
        width=picture.width,
        height=picture.height,
        color=tags_from_codes(
            picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range
        ),
    )


def alpha_of(packet: Packet[VideoStream]) -> bytes:
    """The alpha side channel of a packet; empty without."""
    if not packet.has_sidedata(ALPHA_SIDE_DATA):
        return b""
    return bytes(packet.get_sidedata(ALPHA_SIDE_DATA))


class FilePacket(msgspec.Struct, frozen=True):
    """One packet as it lies in a file."""

    data: bytes
    ticks: int
    """When it is shown, in `FileReader.tick_seconds`."""
    is_key: bool
    alpha: bytes = b""


def moving_streams(container: InputContainer) -> list[Stream]:
    """The streams of a file, without the still picture that an animated AVIF has beside its track."""
    streams = list(container.streams)
    brands = container.metadata.get("major_brand", "") + container.metadata.get("compatible_brands", "")
    if "avis" not in brands:
        return streams
    return [stream for stream in streams if stream.frames != 1] or streams


class FileReader:
    """Reads the one video stream of a file. The caller that opens it closes it. Not thread-safe."""

    def __init__(self, path: Path, *, has_sound: bool = False) -> None:
        """Opens the file, which has a stream of sound too if `has_sound`.

        Raises OutputError with code VERIFICATION_FAILED.
        """
        with translated(_BROKEN, f"opening {path.name}"):
            container = open_input(path)
        self._container: InputContainer = container
        streams = moving_streams(container)
        expected = 2 if has_sound else 1
        if len(streams) != expected or not isinstance(streams[0], VideoStream):
            container.close()
            raise OutputError(_BROKEN, f"{path.name} has {len(streams)} streams, expected {expected}")
        self._stream = streams[0]

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec."""
        return self._stream.codec_context.codec.canonical_name

    @property
    def width(self) -> int:
        """Columns of the coded picture, in pixels."""
        return self._stream.codec_context.width

    @property
    def height(self) -> int:
        """Rows of the coded picture, in pixels."""
        return self._stream.codec_context.height

    @property
    def frame_rate(self) -> Fraction:
        """The average frame rate as a player sees it; 0 if it is unknown."""
        return Fraction(self._stream.average_rate or 0)

    @property
    def duration_seconds(self) -> Fraction:
        """The stream's duration, or the container's if the stream states none; 0 if neither does."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return self._stream.duration * Fraction(self._stream.time_base)
        return Fraction(self._container.duration or 0, av.time_base)

    @property
    def tick_seconds(self) -> Fraction:
        """The unit of the packets' times; 0 if it is unknown."""
        return Fraction(self._stream.time_base or 0)

    @property
    def headers(self) -> CodecHeaders:
        """The codec's headers as the container holds them."""
        context = self._stream.codec_context
        return CodecHeaders(self.width, self.height, context.extradata or b"", context.codec_tag.strip("\0"))

    def packets(self) -> Iterator[FilePacket]:
        """Yields the packets in the file's order, once. Raises OutputError."""
        may_carry_alpha = "matroska" in self._container.format.name  # asking each packet is slow
        with translated(_BROKEN, "reading packets"):
            for packet in self._container.demux(self._stream):
                if packet.size == 0:
                    continue
                if packet.pts is None:
                    raise OutputError(_BROKEN, "a packet without timestamp")
                alpha = alpha_of(packet) if may_carry_alpha else b""
                yield FilePacket(bytes(packet), packet.pts, packet.is_keyframe, alpha)

    def close(self) -> None:
        """Closes the file; idempotent."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
