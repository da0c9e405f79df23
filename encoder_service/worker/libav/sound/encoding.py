"""Encodes sound into a container: an audio stream beside a picture, or a file of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from av.audio.stream import AudioStream
from av.codec.codec import UnknownCodecError
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import EncoderNotFoundError
from av.packet import Packet

from encoder_service.evidence.checksum import FrameHash
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.opening import open_output
from encoder_service.worker.libav.sound.blocks import Block, Shape, to_frame

_MAX_FRAME_SAMPLES = 4096
"""Of codecs that take frames of any size."""


class SoundSettings(msgspec.Struct, frozen=True):
    """Everything an encoder of sound is opened with."""

    encoder: str
    """FFmpeg's name."""
    shape: Shape
    bit_rate: int
    """0: it has none."""


class SoundStream:
    """The audio stream of a file that is being written. Not thread-safe."""

    def __init__(self, output: OutputContainer, settings: SoundSettings) -> None:
        """Adds and opens the stream; before the file's header. Raises OutputError ENCODER_UNAVAILABLE."""
        self.settings = settings
        self._digest = FrameHash()
        shape = settings.shape
        with translated(FailureCode.ENCODER_UNAVAILABLE, settings.encoder):
            try:
                stream = output.add_stream(
                    settings.encoder,
                    rate=shape.sample_rate,
                    layout=shape.layout,
                    format=shape.sample_format,
                )
            except (EncoderNotFoundError, UnknownCodecError) as error:
                raise OutputError(
                    FailureCode.ENCODER_UNAVAILABLE, f"{settings.encoder}: not in this build of FFmpeg"
                ) from error
            if not isinstance(stream, AudioStream):
                raise OutputError(FailureCode.ENCODER_UNAVAILABLE, f"{settings.encoder} encodes no sound")
            context = stream.codec_context
            if settings.bit_rate:
                context.bit_rate = settings.bit_rate
            context.flags |= Flags.bitexact
            context.thread_count = 1
            context.open()
        self._stream = stream

    def packets_of(self, blocks: Iterable[Block]) -> Iterator[Packet[AudioStream]]:
        """Encodes blocks to the end and yields the packets, which are to be muxed in this order."""
        position = 0
        for block in blocks:
            for start in range(0, block.shape[1], _MAX_FRAME_SAMPLES):
                piece = block[:, start : start + _MAX_FRAME_SAMPLES]
                with translated(FailureCode.ENCODING_FAILED, self.settings.encoder):
                    packets = self._stream.encode(to_frame(piece, self.settings.shape, position))
                position += piece.shape[1]
                yield from map(self._counted, packets)
        with translated(FailureCode.ENCODING_FAILED, self.settings.encoder):
            packets = self._stream.encode(None)
        yield from map(self._counted, packets)

    @property
    def digest(self) -> bytes:
        """Of the packets' bytes so far."""
        return self._digest.digest()

    def _counted(self, packet: Packet[AudioStream]) -> Packet[AudioStream]:
        if packet.size:
            self._digest.update(bytes(packet))
        return packet


class SoundFileEncoder:
    """Writes one file of sound alone."""

    def __init__(self, path: Path, muxer: str, options: dict[str, str], settings: SoundSettings) -> None:
        """Opens encoder and file. Raises OutputError."""
        self._output: OutputContainer | None = None
        with translated(FailureCode.MUXING_FAILED, f"opening {muxer}"):
            self._output = open_output(path, muxer, {"fflags": "+bitexact"} | options)
        try:
            self.stream = SoundStream(self._output, settings)
        except OutputError:
            self.close(is_abandoned=True)
            raise

    def write(self, blocks: Iterable[Block]) -> None:
        """Encodes everything. Raises OutputError."""
        for packet in self.stream.packets_of(blocks):
            with translated(FailureCode.MUXING_FAILED, "writing a packet of sound"):
                if self._output is None:
                    raise OutputError(FailureCode.ENCODING_FAILED, "the file is closed")
                self._output.mux_one(packet)

    def close(self, *, is_abandoned: bool = False) -> None:
        """Writes the container's end and closes the file; idempotent. Raises OutputError unless abandoned."""
        output, self._output = self._output, None
        if output is None:
            return
        try:
            with translated(FailureCode.MUXING_FAILED, "closing the container"):
                output.close()
        except OutputError:
            if not is_abandoned:
                raise
