"""Decodes what the encoder gives while it is still encoding, and compares it with what was sent."""

from __future__ import annotations

import queue
import threading
import time
import zlib
from functools import partial

import msgspec
import numpy as np

from encoder_service.evidence.facts import QualityReport
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import Color, ColorMatrix, ColorRange, PixelFormat
from encoder_service.worker.drawing.conversion import Conversion, pad_color
from encoder_service.worker.drawing.painter import Painter
from encoder_service.worker.libav.decoding import DecodedPicture, PacketDecoder, PictureFacts, facts_of
from encoder_service.worker.libav.encoding import CodecHeaders, EncodedPacket
from encoder_service.worker.libav.pictures import Converter, Picture, PictureFormat, planes_of
from encoder_service.worker.quality import QualityMeter
from encoder_service.worker.video.plan import VideoPlan
from encoder_service.worker.writer import WriterContext

FIRST_FRAMES = 16
"""How many first frames leave a checksum of their exact samples, to compare the file itself with."""

_WAITING_PACKETS = 32
_ENCODER_THREADS_PER_DECODER_THREAD = 4
"""Decoding costs about a tenth of encoding; a decoder of one thread is the cheapest."""
_MAX_THREADS = 4
_SAMPLE_STEP = 48
_FLAT = {PixelFormat.RGBA: PixelFormat.RGB24, PixelFormat.RGBA64LE: PixelFormat.RGB48LE}


class Decoded(msgspec.Struct, frozen=True):
    """What decoding the encoder's packets showed."""

    frames: int
    facts: PictureFacts
    """The facts of the first picture, as the bitstream states them."""
    quality: QualityReport | None
    first_checksums: tuple[int, ...]
    """Checksums of the samples of the first frames."""
    cpu_seconds: float
    """The time of the checking thread, without that of a decoder's own threads."""


def is_sampled(frame: int) -> bool:
    """Which frames are compared with what was sent: 0, 48, 96, 192, 384 and so on, doubling."""
    if frame == 0:
        return True
    blocks, rest = divmod(frame, _SAMPLE_STEP)
    return rest == 0 and blocks & (blocks - 1) == 0


def checksum(picture: Picture) -> int:
    """CRC-32 of a picture's samples and pixel format, without padding."""
    value = zlib.crc32(picture.format.name.encode())
    for plane in planes_of(picture):
        value = zlib.crc32(np.ascontiguousarray(plane).data, value)
    return value


def _decoder_threads(threads: int) -> int:
    return max(1, min(threads // _ENCODER_THREADS_PER_DECODER_THREAD, _MAX_THREADS))


class DecodeCheck:
    """Runs a decoder in its own thread, some packets behind the encoder.

    Order: `submit` for every packet in decoding order, then `finish` once, or `abandon` at any time.
    """

    def __init__(
        self, plan: VideoPlan, context: WriterContext, painter: Painter | None, headers: CodecHeaders
    ) -> None:
        """`painter`: the one that the encoded frames were drawn over with."""
        self._decoder = PacketDecoder(
            plan.row.codec, headers, decoder=plan.decoder, threads=_decoder_threads(context.threads)
        )
        self._comparison = _Comparison(plan, context, painter)
        self._packets: queue.Queue[EncodedPacket | None] = queue.Queue(_WAITING_PACKETS)
        self._error: Exception | None = None
        self._frames = 0
        self._first: PictureFacts | None = None
        self._first_checksums: list[int] = []
        self._cpu_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name="decode-check", daemon=True)
        self._thread.start()

    def submit(self, packet: EncodedPacket) -> None:
        """Hands over a packet; waits when the decoder is far behind. Raises what decoding has raised."""
        self._raise()
        self._packets.put(packet)

    def finish(self) -> Decoded:
        """Waits for the last picture. Raises OutputError where decoding showed a fault."""
        self._packets.put(None)
        self._thread.join()
        self._raise()
        if self._first is None:
            raise OutputError(FailureCode.VERIFICATION_FAILED, "nothing could be decoded")
        return Decoded(
            frames=self._frames,
            facts=self._first,
            quality=self._comparison.meter.report(),
            first_checksums=tuple(self._first_checksums),
            cpu_seconds=self._cpu_seconds,
        )

    def abandon(self) -> None:
        """Ends the thread; idempotent, and harmless after `finish`."""
        if self._thread.is_alive():
            self._error = self._error or OutputError(FailureCode.CANCELLED, "decoding was given up")
            self._packets.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (packet := self._packets.get()) is not None:
            self._guarded(packet)
        self._guarded(None)
        self._cpu_seconds = time.thread_time()

    def _guarded(self, packet: EncodedPacket | None) -> None:
        # After an error packets are still taken, so that nobody waits for room in the queue.
        if self._error is not None:
            return
        try:
            decoded = self._decoder.decode(packet) if packet is not None else self._decoder.flush()
            for picture in decoded:
                self._see(picture)
        except Exception as error:  # noqa: BLE001 - raised again in the writer's thread
            self._error = error

    def _see(self, decoded: DecodedPicture) -> None:
        if decoded.frame != self._frames:
            raise OutputError(
                FailureCode.VERIFICATION_FAILED,
                f"frame {decoded.frame} was decoded where {self._frames} was due",
            )
        self._first = self._first or facts_of(decoded.picture)  # before anybody tags the picture
        if self._frames < FIRST_FRAMES:
            self._first_checksums.append(checksum(decoded.picture))
        if is_sampled(decoded.frame):
            self._comparison.compare(decoded)
        self._frames += 1


class _Comparison:
    """Compares decoded pictures with the frames that were sent, at the output's size, with its overlays."""

    def __init__(self, plan: VideoPlan, context: WriterContext, painter: Painter | None) -> None:
        self.meter = QualityMeter()
        self._plan = plan
        self._source = context.source
        video = context.video
        color = Color(plan.color.primaries, plan.color.transfer, ColorMatrix.RGB, ColorRange.FULL)
        layout = "rgba" if plan.keeps_alpha else "rgb24"
        self._shown = PictureFormat(layout, plan.geometry.width, plan.geometry.height, color)
        to = partial(
            Conversion,
            video,
            plan.geometry,
            background=plan.background,
            pad_color=pad_color(context.output.scale),
            painter=painter,
        )
        self._sent = to(layout, color)
        flat = str(video.pixel_format if plan.background is None else _FLAT[video.pixel_format])
        self._exact = to(flat, video.color)
        self._converters: dict[str, tuple[Converter, Converter]] = {}

    def compare(self, decoded: DecodedPicture) -> None:
        """Takes in one frame. Raises OutputError where the output is exact and the frame is not."""
        sent = self._source.frame(decoded.frame)
        to_shown, to_exact = self._converters_for(decoded.picture)
        if self._plan.is_exact:
            before, after = planes_of(self._exact.picture(sent)), planes_of(to_exact.convert(decoded.picture))
            if not all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)):
                raise OutputError(
                    FailureCode.VERIFICATION_FAILED,
                    f"frame {decoded.frame} is not what was sent, though lossless",
                )
        before, after = planes_of(self._sent.picture(sent)), planes_of(to_shown.convert(decoded.picture))
        self.meter.add(decoded.frame, before[0], after[0])

    def _converters_for(self, picture: Picture) -> tuple[Converter, Converter]:
        # A decoder may name the same samples otherwise than the encoder, such as 12 bits for 10.
        name = picture.format.name
        if name not in self._converters:
            found = PictureFormat(name, picture.width, picture.height, self._plan.color)
            self._converters[name] = Converter(found, self._shown), Converter(found, self._exact.target)
        return self._converters[name]
