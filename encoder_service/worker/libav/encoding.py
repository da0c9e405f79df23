"""Encodes pictures into a container file: one encoder, one muxer, one video stream."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Final, cast

import av
import av.logging
import msgspec
from av.audio.stream import AudioStream
from av.codec.codec import Capabilities, UnknownCodecError
from av.codec.context import CodecContext, Flags, ThreadType
from av.container import OutputContainer
from av.error import EncoderNotFoundError
from av.packet import Packet, PacketSideData
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.color import Codes, code_of
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.opening import open_output
from encoder_service.worker.libav.pictures import Picture, PictureFormat
from encoder_service.worker.libav.sound.blocks import Block
from encoder_service.worker.libav.sound.encoding import SoundSettings, SoundStream
from encoder_service.worker.libav.sound.packet_store import PacketStore, StoredPacket

ALPHA_SIDE_DATA: Final = "matroska_block_additional"
"""Where VP9's alpha travels beside its packet."""

_BLOCK_ADDITIONAL = 15
"""AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL."""
_UNORDERED_FRAMES = 2
_FREED_AFTER_THE_END = frozenset({"libsvtav1"})
"""Freed with frames and without an end of stream, SVT-AV1 waits at times for a packet that never comes."""
_REFUSED_PARAMETER = re.compile(r"Error parsing option|Unknown option|Invalid value|Error setting")
_LISTENING = threading.Lock()


class EncoderSettings(msgspec.Struct, frozen=True):
    """Everything an encoder is opened with."""

    encoder: str
    """FFmpeg's name."""
    picture: PictureFormat
    frame_rate: Fraction
    options: dict[str, str]
    threads: int
    """At least 1."""
    codec_tag: str = ""
    """Four characters; empty: the container's usual one."""


class ContainerSettings(msgspec.Struct, frozen=True):
    """Everything a muxer is opened with."""

    muxer: str
    """FFmpeg's name."""
    options: dict[str, str]


class CodecHeaders(msgspec.Struct, frozen=True):
    """What a decoder needs to know besides the packets."""

    width: int
    height: int
    extradata: bytes
    """The codec's own headers; may be empty."""
    codec_tag: str
    """Four characters; may be empty."""


class EncodedPacket(msgspec.Struct, frozen=True):
    """One packet as it left the encoder. Encoders give packets in decoding order."""

    data: bytes
    frame: int
    """The frame it shows: its pts in frames."""
    decode_order: int
    """Its dts in frames; may be below 0."""
    is_key: bool
    alpha: bytes = b""
    """The side channel with alpha that VP9 in WebM has; empty without."""


class VideoFileEncoder:
    """Writes one file. Timestamps are frame numbers in units of 1 / frame rate, so they are exact.

    Order: `encode` per picture with rising numbers from 0, then `flush`, then `close`. Not thread-safe.
    """

    def __init__(
        self,
        path: Path,
        container: ContainerSettings,
        settings: EncoderSettings,
        sound: SoundSettings | None = None,
    ) -> None:
        """Opens encoder and file. With `sound`, packets wait on the disk for `add_sound`.

        Raises OutputError: ENCODER_UNAVAILABLE when the encoder does not open, INVALID_OPTION for an
        option it does not know, DISK_FULL.
        """
        self.settings = settings
        self._time_base = 1 / settings.frame_rate
        self._output: OutputContainer | None = None
        self._holds_frames = False
        self._packets = 0
        self._frames = 0
        self._is_ordered = True
        self.sound: SoundStream | None = None
        """The stream of sound beside the pictures."""
        self._waiting: PacketStore | None = None
        with translated(FailureCode.MUXING_FAILED, f"opening {container.muxer}"):
            self._output = open_output(path, container.muxer, {"fflags": "+bitexact"} | container.options)
        try:
            self._stream = _add_stream(self._output, settings)
            self._context = self._stream.codec_context
            open_encoder(self._context, settings)
            if sound is not None:
                self.sound = SoundStream(self._output, sound)
                self._waiting = PacketStore(path.parent)
            with translated(FailureCode.MUXING_FAILED, f"writing the header of {container.muxer}"):
                self._output.start_encoding()
        except OutputError:
            self.close(is_abandoned=True)
            raise

    @property
    def headers(self) -> CodecHeaders:
        """The codec's headers as the encoder gave them."""
        picture = self.settings.picture
        return CodecHeaders(
            width=picture.width,
            height=picture.height,
            extradata=self._context.extradata or b"",
            codec_tag=self._stream.codec_tag.strip("\0"),
        )

    def encode(self, picture: Picture, frame: int) -> list[EncodedPacket]:
        """Encodes one picture and muxes the packets that are ready; returns them."""
        with translated(FailureCode.ENCODING_FAILED, self.settings.encoder):
            picture.pts = frame
            picture.time_base = self._time_base
            self._holds_frames = True
            self._frames += 1
            packets = self._context.encode(picture)
        return [self._mux(packet) for packet in packets]

    def flush(self) -> Iterator[EncodedPacket]:
        """Takes the packets that the encoder still holds, muxes each and yields it."""
        self._is_ordered = self._packets > 0 or self._frames > _UNORDERED_FRAMES
        with translated(FailureCode.ENCODING_FAILED, self.settings.encoder):
            for packet in self._context.encode_lazy(None):
                yield self._mux(packet)
        self._holds_frames = False

    def _mux(self, packet: Packet[VideoStream]) -> EncodedPacket:
        with translated(FailureCode.MUXING_FAILED, "writing a packet"):
            if self._output is None:
                raise OutputError(FailureCode.ENCODING_FAILED, "the file is closed")
            self._put_in_order(packet)
            if packet.pts is None or packet.dts is None:
                raise OutputError(FailureCode.ENCODING_FAILED, "the encoder gave a packet without timestamp")
            alpha = b""
            if packet.has_sidedata(ALPHA_SIDE_DATA):
                alpha = bytes(packet.get_sidedata(ALPHA_SIDE_DATA))
            taken = EncodedPacket(bytes(packet), packet.pts, packet.dts, packet.is_keyframe, alpha)
            if self._waiting is not None:
                self._waiting.add(StoredPacket(taken.data, packet.pts, packet.dts, taken.is_key, alpha))
                return taken
            packet.duration = 1
            packet.stream = self._stream
            self._output.mux_one(packet)
        return taken

    def add_sound(self, blocks: Iterable[Block]) -> Iterator[int]:
        """Encodes the sound and muxes it between the pictures; yields the size of each packet of sound.

        After `flush`. Both tracks are muxed in the order of their times, so that the muxer keeps little.
        """
        waiting, sound, output = self._waiting, self.sound, self._output
        if waiting is None or sound is None or output is None:
            raise OutputError(FailureCode.ENCODING_FAILED, "the file has no stream of sound")
        pictures = map(self._restored, waiting.packets())
        picture = next(pictures, None)
        for packet in sound.packets_of(blocks):
            with translated(FailureCode.MUXING_FAILED, "writing sound"):
                while picture is not None and _seconds(picture) <= _seconds(packet):
                    output.mux_one(picture)
                    picture = next(pictures, None)
                size = packet.size
                output.mux_one(packet)
            yield size
        with translated(FailureCode.MUXING_FAILED, "writing a packet"):
            while picture is not None:
                output.mux_one(picture)
                picture = next(pictures, None)
        waiting.close()

    def _restored(self, stored: StoredPacket) -> Packet[VideoStream]:
        packet = cast("Packet[VideoStream]", Packet(len(stored.data)))
        packet.update(stored.data)
        packet.pts, packet.dts, packet.duration = stored.pts, stored.dts, 1
        packet.time_base = self._time_base
        packet.is_keyframe = stored.is_key
        if stored.alpha:
            attach_alpha(packet, stored.alpha)
        packet.stream = self._stream
        return packet

    def _put_in_order(self, packet: Packet[VideoStream]) -> None:
        # x265 takes the delay of clips of one or two frames from memory that it has not initialised. So
        # short a clip has nothing to reorder: it is decoded as it is shown.
        if not self._is_ordered:
            packet.dts = self._packets
        self._packets += 1

    def close(self, *, is_abandoned: bool = False) -> None:
        """Writes the container's end and closes the file; idempotent.

        Raises OutputError, except when abandoned: then the file is of no use and errors are none.
        """
        output, self._output = self._output, None
        if output is None:
            return
        if self._waiting is not None:
            self._waiting.close()
        try:
            self._drain()
            with translated(FailureCode.MUXING_FAILED, "closing the container"):
                output.close()
        except OutputError:
            if not is_abandoned:
                raise

    def _drain(self) -> None:
        # Frames that lie in numpy memory are freed with Python's lock held; an encoder's own threads
        # must not still hold some when the encoder is freed.
        if self._holds_frames and (
            self._context.codec.capabilities & Capabilities.frame_threads
            or self.settings.encoder in _FREED_AFTER_THE_END
        ):
            with translated(FailureCode.ENCODING_FAILED, self.settings.encoder):
                self._context.encode(None)


def attach_alpha(packet: Packet[VideoStream], alpha: bytes) -> None:
    """Puts VP9's alpha beside its packet."""
    # The stubs know only from_packet(); the constructor allocates.
    side = PacketSideData(_BLOCK_ADDITIONAL, len(alpha))  # type: ignore[call-arg]  # see above
    side.update(alpha)
    packet.set_sidedata(side, move=True)


def _seconds(packet: Packet[AudioStream] | Packet[VideoStream]) -> Fraction:
    time = packet.dts if packet.dts is not None else packet.pts
    return (time or 0) * Fraction(packet.time_base or 1)


def _add_stream(output: OutputContainer, settings: EncoderSettings) -> VideoStream:
    name = settings.encoder
    with translated(FailureCode.ENCODER_UNAVAILABLE, name):
        try:
            stream = output.add_stream(name, rate=settings.frame_rate, time_base=1 / settings.frame_rate)
        except (EncoderNotFoundError, UnknownCodecError) as error:
            raise OutputError(
                FailureCode.ENCODER_UNAVAILABLE, f"{name}: not in this build of FFmpeg"
            ) from error
        if not isinstance(stream, VideoStream):
            raise OutputError(FailureCode.ENCODER_UNAVAILABLE, f"{name} is no video encoder")
        if settings.codec_tag:
            stream.codec_tag = settings.codec_tag
    return stream


def open_encoder(context: VideoCodecContext, settings: EncoderSettings) -> None:
    """Opens an encoder. Raises OutputError as `VideoFileEncoder` does."""
    picture = settings.picture
    with translated(FailureCode.ENCODER_UNAVAILABLE, settings.encoder):
        context.width, context.height = picture.width, picture.height
        context.pix_fmt = str(picture.pixel_format)
        context.framerate = settings.frame_rate
        context.time_base = 1 / settings.frame_rate
        context.bit_rate = 0
        context.thread_count = settings.threads
        context.thread_type = ThreadType.AUTO
        context.flags |= Flags.bitexact
        context.color_primaries = code_of(Codes.PRIMARIES, picture.color.primaries)
        context.color_trc = code_of(Codes.TRANSFER, picture.color.transfer)
        context.colorspace = code_of(Codes.MATRIX, picture.color.matrix)
        context.color_range = code_of(Codes.RANGE, picture.color.range)
        context.options = dict(settings.options)
        said = _open_listening(context)
    unknown = sorted(context.options)
    if unknown:
        names = ", ".join(unknown)
        raise OutputError(
            FailureCode.INVALID_OPTION, f"{settings.encoder} does not know the option(s) {names}"
        )
    refused = [line for line in said if _REFUSED_PARAMETER.match(line)]
    if refused:
        raise OutputError(FailureCode.INVALID_OPTION, f"{settings.encoder}: {'; '.join(refused)}")


def _open_listening(context: VideoCodecContext) -> list[str]:
    # Parameters inside x264-params and its like are refused by a mere line in the log. Listening is
    # for this moment alone: a codec's own thread that logs waits for Python's lock; the one that frees
    # the codec holds that lock while it waits for the other.
    with _LISTENING:
        av.logging.set_level(av.logging.WARNING)
        try:
            with av.logging.Capture(local=True) as lines:
                context.open()
        finally:
            av.logging.set_level(None)
    return [text.strip() for _, _, text in lines]


def opens(settings: EncoderSettings) -> bool:
    """Tries whether an encoder opens with these settings."""
    try:
        with translated(FailureCode.ENCODER_UNAVAILABLE, settings.encoder):
            context = CodecContext.create(settings.encoder, "w")
        if isinstance(context, VideoCodecContext):
            open_encoder(context, settings)
            return True
    except (OutputError, UnknownCodecError):
        pass
    return False


def pixel_formats_of(encoder: str) -> tuple[str, ...]:
    """FFmpeg's names of the pixel formats that an encoder takes; empty when it is not in this build."""
    try:
        found = av.Codec(encoder, "w").video_formats or []
    except (EncoderNotFoundError, UnknownCodecError):
        return ()
    return tuple(dict.fromkeys(entry.name for entry in found))


@cache
def library_versions() -> dict[str, str]:
    """Names and versions of PyAV and of FFmpeg's libraries, such as "libavcodec" to "62.28.102"."""
    found = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
    return {"PyAV": av.__version__, **found}
