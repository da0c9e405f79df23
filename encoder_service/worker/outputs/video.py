"""Writes video streams: MP4, WebM, MOV and Matroska, each verified while it is made and read back after."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from encoder_service.evidence.checksum import sha256_file
from encoder_service.evidence.facts import EncoderReport, ProducedFile
from encoder_service.options.choice import Fitting, fit
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow
from encoder_service.spec.geometry import SizeChange
from encoder_service.spec.limits import frame_limit
from encoder_service.spec.spec import OutputSpec, Quality
from encoder_service.worker.audio.plan import SoundPlan, plan_sound
from encoder_service.worker.audio.proof import Proof, read_proof
from encoder_service.worker.audio.sound_track import SoundTrack
from encoder_service.worker.drawing.conversion import Conversion, canvas_format, pad_color
from encoder_service.worker.drawing.painter import open_painter
from encoder_service.worker.libav.encoding import (
    ContainerSettings,
    EncodedPacket,
    EncoderSettings,
    VideoFileEncoder,
    library_versions,
    opens,
)
from encoder_service.worker.libav.pictures import Picture, PictureFormat
from encoder_service.worker.video.decode_check import DecodeCheck, Decoded
from encoder_service.worker.video.plan import VideoPlan, candidates, muxer_options, plan_video
from encoder_service.worker.video.readback import FileContent, PacketDigest, compare, read_content
from encoder_service.worker.writer import Finished, SourceFrame, WriterContext

_CHANGED_SIZE = {
    SizeChange.PADDED: WarningCode.ODD_SIZE_PADDED,
    SizeChange.CROPPED: WarningCode.ODD_SIZE_CROPPED,
}
_UNAVAILABLE = FailureCode.ENCODER_UNAVAILABLE


def open_writer(context: WriterContext, row: FormatRow) -> VideoWriter:
    """Opens the first encoder of the format that works, and the file. Raises OutputError."""
    tried: list[str] = []
    sound = plan_sound(context.output, row, context.sound.spec) if context.sound is not None else None
    for fitting in _fitting(context, row):
        plan = plan_video(
            context.video,
            msgspec.structs.replace(context.output, options=fitting.options, preset=fitting.preset),
            row,
            fitting.row,
            threads=context.threads,
            cores=os.cpu_count() or 1,
        )
        try:
            encoder = _open_encoder(context, row, plan, sound)
        except OutputError as error:
            if error.code != _UNAVAILABLE:
                raise
            _blame_options(error, context.output, plan)
            tried.append(str(error))
            continue
        try:
            _remark(context, plan, tried)
            return VideoWriter(context, row, plan, encoder, sound)
        except BaseException:
            encoder.close(is_abandoned=True)
            raise
    raise OutputError(_UNAVAILABLE, "; ".join(tried))


def _fitting(context: WriterContext, row: FormatRow) -> list[Fitting]:
    """The encoders that take all that the caller sets. Raises OutputError if none does.

    The service has asked the same already, but a job's record may be older than the rules.
    """
    rows = candidates(context.video, context.output, row)
    found = [fit(context.output, entry, context.allowed_options) for entry in rows]
    taken = [fitting for fitting in found if not fitting.misfits]
    if taken or not found:
        return taken
    misfit = min(found, key=lambda fitting: len(fitting.misfits)).misfits[0]
    code = FailureCode.INVALID_PIXEL_FORMAT if misfit.field == "pixel_format" else FailureCode.INVALID_OPTION
    raise OutputError(code, f"{misfit.field}: {misfit.description}")


def _open_encoder(
    context: WriterContext, row: FormatRow, plan: VideoPlan, sound: SoundPlan | None
) -> VideoFileEncoder:
    options = muxer_options(row, plan.frame_rate, context.output.loop_count)
    container = ContainerSettings(row.container, options)
    tag = row.codec_tags.get(plan.row.codec, "")
    settings = sound.settings if sound is not None else None
    return VideoFileEncoder(_path(context, row), container, _settings(plan, plan.options, tag), settings)


def _settings(plan: VideoPlan, options: dict[str, str], codec_tag: str = "") -> EncoderSettings:
    picture = PictureFormat(plan.pixel_format, plan.geometry.width, plan.geometry.height, plan.color)
    return EncoderSettings(plan.row.encoder, picture, plan.frame_rate, options, plan.threads, codec_tag)


def _path(context: WriterContext, row: FormatRow) -> Path:
    return context.directory / f"{context.output.stem}{row.extension}"


def _blame_options(error: OutputError, output: OutputSpec, plan: VideoPlan) -> None:
    """Raises INVALID_OPTION where the encoder opens once the caller's own settings are left out."""
    if output.options or output.preset or output.crf is not None:
        numbers = plan.row.qualities[Quality.HIGH]
        if opens(_settings(plan, plan.row.fixed_options | numbers.options)):
            raise OutputError(FailureCode.INVALID_OPTION, str(error)) from error


def _remark(context: WriterContext, plan: VideoPlan, tried: list[str]) -> None:
    if tried and context.output.strict:
        raise OutputError(_UNAVAILABLE, f"{tried[0]} (strict forbids {plan.row.encoder} instead)")
    if tried:
        context.warn(WarningCode.ENCODER_FALLBACK, f"{plan.row.encoder} is used, because {'; '.join(tried)}")
    for remark in plan.fallbacks:
        context.warn(remark.code, remark.message)
    geometry = plan.geometry
    if geometry.change != SizeChange.NONE:
        context.note(
            _CHANGED_SIZE[geometry.change],
            f"{plan.pixel_format} needs even sides: {geometry.width} x {geometry.height} is made",
        )


class VideoWriter:
    """One video file in the making; see `Writer`."""

    def __init__(
        self,
        context: WriterContext,
        row: FormatRow,
        plan: VideoPlan,
        encoder: VideoFileEncoder,
        sound: SoundPlan | None = None,
    ) -> None:
        self._context = context
        self._row = row
        self._plan = plan
        self._encoder = encoder
        self._sound_plan = sound
        self._path = _path(context, row)
        self._frames = 0
        self._packet_bytes = 0
        self._sent = PacketDigest(plan.row.codec, encoder.headers)
        flattens = plan.background is not None
        painter = open_painter(context, canvas_format(context.video, plan.geometry, flattens=flattens))
        self._conversion = Conversion(
            context.video,
            plan.geometry,
            plan.pixel_format,
            plan.color,
            background=plan.background,
            pad_color=pad_color(context.output.scale),
            painter=painter,
            threads=1,
        )
        self._ahead = Ahead(self._conversion.picture)
        self._check = DecodeCheck(plan, context, painter, encoder.headers)
        context.log(_describe(plan, is_zero_copy=self._conversion.is_zero_copy))

    @property
    def bytes_written(self) -> int:
        """Bytes of the file so far; of its packets, where the muxer keeps them until the end (AVIF)."""
        try:
            return max(self._packet_bytes, self._path.stat().st_size)
        except OSError:
            return self._packet_bytes

    def write(self, frame: SourceFrame) -> None:
        """Begins with one frame and encodes the one before. Raises OutputError."""
        if frame.index != self._frames:
            raise OutputError(
                FailureCode.OUT_OF_ORDER, f"frame {frame.index} came where {self._frames} was due"
            )
        self._frames += 1
        self._encode(self._ahead.swap(frame), frame.index - 1)

    def _encode(self, picture: Picture | None, index: int) -> None:
        if picture is not None:
            self._take(self._encoder.encode(picture, index))

    def _take(self, packets: Iterable[EncodedPacket]) -> None:
        for packet in packets:
            self._packet_bytes += len(packet.data) + len(packet.alpha)
            self._sent.add(packet)
            self._check.submit(packet)

    def finish(self) -> Finished:
        """Takes the encoder's last packets, closes the file and reads it back. Raises OutputError."""
        self._encode(self._ahead.swap(None), self._frames - 1)
        self._take(self._encoder.flush())
        if self._sent.count != self._frames:
            raise OutputError(
                FailureCode.VERIFICATION_FAILED,
                f"{self._frames} frames were encoded to {self._sent.count} packets",
            )
        track = self._add_sound()
        began = time.monotonic()
        self._encoder.close()
        closed = time.monotonic()
        content, produced, decoded = self._examined()
        sound = track.report(self._proof(track)) if track is not None else None
        readback = compare(self._path.name, content, self._row, self._plan, self._sent, decoded)
        ended = time.monotonic()
        self._context.log(
            f"verified {decoded.frames} frames: {decoded.cpu_seconds:.2f} s of CPU beside the encoder, "
            f"{ended - closed:.3f} s after it"
        )
        return Finished(
            files=(produced,),
            encoder=self._report(),
            readback=readback,
            quality=decoded.quality,
            frames_encoded=self._frames,
            frames_decoded=decoded.frames,
            mux_seconds=closed - began,
            verify_seconds=ended - closed,
            sound=sound,
        )

    def _add_sound(self) -> SoundTrack | None:
        """Puts the sound between the pictures, now that all of both is known. Raises OutputError."""
        context, plan = self._context, self._sound_plan
        if plan is None or context.sound is None:
            return None
        is_cut = self._frames == frame_limit(context.output, context.video)
        duration = self._frames / self._plan.frame_rate
        track = SoundTrack(context, context.sound, plan, duration, is_cut=is_cut)
        for size in self._encoder.add_sound(track.blocks()):
            self._packet_bytes += size
        return track

    def _proof(self, track: SoundTrack) -> Proof:
        stream = self._encoder.sound
        if stream is None:
            raise OutputError(FailureCode.INTERNAL, "the file has no stream of sound")
        return read_proof(self._path, self._row.name, track.plan, stream)

    def _examined(self) -> tuple[FileContent, ProducedFile, Decoded]:
        """Reads the file back and hashes it, all while the decoder works off the packets it still has.

        Those are as many however long the clip is, and take longer than the rest does for minutes of it.
        """
        with ThreadPoolExecutor(1, "hash-file") as beside:
            hashing = beside.submit(self._produced)
            content = read_content(
                self._path,
                self._row,
                self._plan,
                threads=self._context.threads,
                has_sound=self._sound_plan is not None,
            )
            return content, hashing.result(), self._check.finish()

    def _produced(self) -> ProducedFile:
        size_bytes, sha256 = self._path.stat().st_size, sha256_file(self._path)
        return ProducedFile(self._path.name, size_bytes, sha256, self._row.media_type)

    def _report(self) -> EncoderReport:
        return EncoderReport(
            encoder=self._plan.row.encoder,
            codec=self._plan.row.codec,
            container=self._row.container,
            pixel_format=self._plan.pixel_format,
            options=self._plan.options,
            threads=self._plan.threads,
            library_versions=library_versions(),
        )

    def close(self) -> None:
        """Releases encoder, decoder and file; idempotent."""
        self._ahead.close()
        self._check.abandon()
        self._encoder.close(is_abandoned=True)


def _describe(plan: VideoPlan, *, is_zero_copy: bool) -> str:
    options = " ".join(f"{name}={value}" for name, value in plan.options.items())
    size = f"{plan.geometry.width}x{plan.geometry.height}"
    copying = "frames are read in place" if is_zero_copy else "frames are converted"
    return (
        f"{plan.row.encoder} {size} {plan.pixel_format} at {plan.frame_rate} fps, {plan.threads} threads, "
        f"{options}; {copying}"
    )


class Ahead:
    """Converts one frame ahead, holding one picture at most. For the one thread that makes and closes it."""

    def __init__(self, convert: Callable[[SourceFrame], Picture]) -> None:
        """`convert` is called by the one thread alone, in the order of the frames."""
        self._convert = convert
        self._thread = ThreadPoolExecutor(1, "convert")
        self._next: Future[Picture] | None = None

    def swap(self, frame: SourceFrame | None) -> Picture | None:
        """Begins with a frame, and returns the picture of the one before; None: there was none.

        `frame` None: there are no more. Raises what converting the frame before has raised.
        """
        ready = self._next
        self._next = None if frame is None else self._thread.submit(self._convert, frame)
        return ready.result() if ready is not None else None

    def close(self) -> None:
        """Waits for the frame that is being converted, and ends the thread; idempotent."""
        self._thread.shutdown(wait=True, cancel_futures=True)
