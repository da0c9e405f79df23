"""Writes files of sound alone: WAV, FLAC, M4A and Opus, each read back to its end."""

from __future__ import annotations

import time
from fractions import Fraction

from encoder_service.evidence.checksum import sha256_file
from encoder_service.evidence.facts import ColorTags, EncoderReport, ProducedFile, Readback
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow
from encoder_service.spec.limits import frame_limit
from encoder_service.spec.spec import Rational
from encoder_service.worker.audio.plan import plan_sound
from encoder_service.worker.audio.proof import read_proof
from encoder_service.worker.audio.sound_track import SoundTrack
from encoder_service.worker.libav.encoding import library_versions
from encoder_service.worker.libav.sound.encoding import SoundFileEncoder
from encoder_service.worker.writer import Finished, SampleSource, SourceFrame, WriterContext


class SoundWriter:
    """Counts the frames, whose length the sound is fitted to, and writes the sound once all are known."""

    def __init__(self, context: WriterContext, row: FormatRow, source: SampleSource) -> None:
        """Checks what is asked for. Raises OutputError."""
        self._context = context
        self._row = row
        self._source = source
        self._plan = plan_sound(context.output, row, source.spec)
        self._path = context.directory / f"{context.output.stem}{row.extension}"
        self._frames = 0
        self._encoder: SoundFileEncoder | None = None

    @property
    def bytes_written(self) -> int:
        """Bytes of the file so far."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def write(self, frame: SourceFrame) -> None:
        """Counts a frame."""
        self._frames = frame.index + 1

    def finish(self) -> Finished:
        """Encodes all of the sound, closes the file and reads it back. Raises OutputError."""
        rate = self._context.output.frame_rate or self._context.video.frame_rate
        duration = Fraction(self._frames * rate.denominator, rate.numerator)
        is_cut = self._frames == frame_limit(self._context.output, self._context.video)
        track = SoundTrack(self._context, self._source, self._plan, duration, is_cut=is_cut)
        self._encoder = encoder = SoundFileEncoder(
            self._path, self._row.container, dict(self._row.muxer_options), self._plan.settings
        )
        encoder.write(track.blocks())
        began = time.monotonic()
        encoder.close()
        closed = time.monotonic()
        proof = read_proof(self._path, self._row.name, self._plan, encoder.stream)
        report = track.report(proof)
        size_bytes = self._path.stat().st_size
        produced = ProducedFile(self._path.name, size_bytes, sha256_file(self._path), self._row.media_type)
        return Finished(
            files=(produced,),
            encoder=self._report(),
            readback=Readback(
                frame_count=0,
                width=0,
                height=0,
                pixel_format="",
                duration_seconds=report.duration_seconds,
                frame_rate=Rational(0),
                color_container=ColorTags(),
            ),
            quality=None,
            frames_encoded=0,
            frames_decoded=0,
            mux_seconds=closed - began,
            verify_seconds=time.monotonic() - closed,
            sound=report,
        )

    def _report(self) -> EncoderReport:
        settings = self._plan.settings
        return EncoderReport(
            encoder=settings.encoder,
            codec=self._plan.codec.name,
            container=self._row.container,
            pixel_format="",
            options={"b": str(settings.bit_rate)} if settings.bit_rate else {},
            threads=1,
            library_versions=library_versions(),
        )

    def close(self) -> None:
        """Releases encoder and file; idempotent."""
        if self._encoder is not None:
            self._encoder.close(is_abandoned=True)


def open_writer(context: WriterContext, row: FormatRow) -> SoundWriter:
    """Begins a file of sound. Raises OutputError."""
    if context.sound is None:
        raise OutputError(FailureCode.INVALID_SAMPLES, f"{row.name} is a file of sound, and the job has none")
    return SoundWriter(context, row, context.sound)
