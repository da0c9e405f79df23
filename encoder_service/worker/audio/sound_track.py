"""The sound of one output, from the samples in the spool to what the encoder is given, and its report."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from encoder_service.evidence.checksum import SampleHash
from encoder_service.evidence.facts import Loudness, SoundReport
from encoder_service.spec.audio.track import SampleFormat
from encoder_service.spec.codes import WarningCode
from encoder_service.worker.audio.length import Fitted, coded_samples, fit_length
from encoder_service.worker.audio.plan import SoundPlan
from encoder_service.worker.audio.processing import Clipper, Envelope, is_processed, rounded, with_length
from encoder_service.worker.audio.proof import Proof
from encoder_service.worker.audio.samples import read_blocks
from encoder_service.worker.libav.sound.blocks import Block, Shape
from encoder_service.worker.libav.sound.loudness import LoudnessMeter
from encoder_service.worker.libav.sound.resampling import resampled
from encoder_service.worker.writer import SampleSource, WriterContext

_TOLERANCE_DB = 0.05


class SoundTrack:
    """Made once all samples and the number of pictures are known; reads the spool once a pass. One thread."""

    def __init__(
        self, context: WriterContext, source: SampleSource, plan: SoundPlan, duration_seconds: Fraction,
        *, is_cut: bool,
    ) -> None:  # fmt: skip
        """Fits the sound to pictures of that duration, and measures it. Raises OutputError."""
        self.plan = plan
        self._context = context
        self._source = source
        spec = source.spec
        self.fitted = fit_length(source.samples, spec.sample_rate, duration_seconds, spec.fit, is_cut=is_cut)
        self.samples = coded_samples(self.fitted, spec.sample_rate, plan.shape.sample_rate, duration_seconds)
        self._remark(self.fitted)
        self._clipper = Clipper()
        self._given = SampleHash()
        self.loudness_sent = self._measured(read_blocks(source, source.samples))
        self.gain_db = self._gain_db()

    def blocks(self) -> Iterator[Block]:
        """What the encoder is given, `samples` in all; for one pass."""
        spec, target = self._source.spec, self.plan.shape
        fitted, sound = self.fitted, self.plan.sound
        blocks, source_format = read_blocks(self._source, fitted.used), spec.sample_format.packed.value
        length = fitted.used + fitted.padded
        blocks = with_length(blocks, spec.channels, length)
        if is_processed(sound):
            gain = 10 ** (self.gain_db / 20)
            blocks = self._clipper.apply(Envelope(sound, spec.sample_rate, length, gain).apply(blocks))
            source_format = "dbl" if spec.sample_format.packed is SampleFormat.S32 else "flt"
        elif spec.sample_format.is_float and SampleFormat.FLT not in self.plan.codec.exact_formats:
            # Encoders of floats fail far beyond full scale, and integers would be cut without a count.
            blocks = self._clipper.apply(blocks)
        source = Shape(f"{source_format}p", spec.layout, spec.sample_rate)
        is_same = (source.layout, source.sample_rate) == (target.layout, target.sample_rate)
        if not (is_same and source_format == target.sample_format.removesuffix("p")):
            blocks = resampled(blocks, source, target)
        for block in rounded(with_length(blocks, target.channels, self.samples), self.plan.codec.bits):
            if self.plan.codec.is_lossless:
                self._given.update(np.ascontiguousarray(block.T).data.cast("B"))
            yield block

    def report(self, proof: Proof) -> SoundReport:
        """What stands in the manifest. Raises OutputError where the artifact is not what was made."""
        if self._clipper.clipped:
            is_asked_for = is_processed(self.plan.sound)
            remark = self._context.note if is_asked_for else self._context.warn
            remark(
                WarningCode.AUDIO_CLIPPED,
                f"{self._clipper.clipped} values went beyond full scale and were cut; "
                + ("lower the volume" if is_asked_for else "send floats from -1 to 1"),
            )
        plan, found = self.plan, proof.content
        proof.require(plan, self.samples, self._given.hexdigest())
        return SoundReport(
            codec=plan.codec.name,
            encoder=plan.settings.encoder,
            sample_rate=plan.shape.sample_rate,
            layout=plan.shape.layout,
            sample_format=plan.shape.sample_format,
            bit_rate=plan.settings.bit_rate,
            samples_sent=self._source.samples,
            samples_padded=self.fitted.padded,
            samples_trimmed=self.fitted.trimmed,
            samples_encoded=self.samples,
            samples_decoded=found.samples,
            samples_clipped=self._clipper.clipped,
            offset_seconds=float(found.first_seconds),
            drift_seconds=float(proof.drift_seconds),
            duration_seconds=float(Fraction(found.samples, found.sample_rate)),
            is_exact=plan.codec.is_lossless,
            pcm_sha256=proof.pcm_sha256 if plan.codec.is_lossless else "",
            gain_db=round(self.gain_db, 3),
            loudness_sent=self.loudness_sent,
            loudness=proof.loudness,
        )

    def _measured(self, blocks: Iterator[Block]) -> Loudness:
        spec = self._source.spec
        meter = LoudnessMeter(spec.layout, spec.sample_rate)
        for block in blocks:
            meter.add(block)
        return meter.finish()

    def _gain_db(self) -> float:
        sound, spec = self.plan.sound, self._source.spec
        target = sound.loudness
        if target is None:
            return 0.0
        length = self.fitted.used + self.fitted.padded
        used = with_length(read_blocks(self._source, self.fitted.used), spec.channels, length)
        found = self._measured(Envelope(sound, spec.sample_rate, length).apply(used))
        if found.integrated_lufs is None or found.true_peak_dbtp is None:
            self._context.warn(WarningCode.LOUDNESS_NOT_REACHED, "the sound is silent, or below -70 LUFS")
            return 0.0
        wanted = target.target_lufs - found.integrated_lufs
        gain = min(wanted, target.true_peak_dbtp - found.true_peak_dbtp)
        if wanted - gain > _TOLERANCE_DB:
            self._context.warn(
                WarningCode.LOUDNESS_NOT_REACHED,
                f"{target.target_lufs:g} LUFS would lift peaks to {found.true_peak_dbtp + wanted:.1f} dBTP; "
                f"{found.integrated_lufs + gain:.1f} LUFS keep them at {target.true_peak_dbtp:g}",
            )
        return gain if math.isfinite(gain) else 0.0

    def _remark(self, fitted: Fitted) -> None:
        rate = self._source.spec.sample_rate
        for remark in self.plan.remarks:
            report = self._context.warn if remark.is_fallback else self._context.note
            report(remark.code, remark.message)
        if fitted.padded:
            seconds = fitted.padded / rate
            self._context.note(
                WarningCode.AUDIO_PADDED,
                "the sound is shorter than the pictures: "
                f"{fitted.padded} samples ({seconds:.3f} s) of silence follow it",
            )
        if fitted.trimmed:
            seconds = fitted.trimmed / rate
            report = self._context.warn if fitted.is_forced else self._context.note
            report(
                WarningCode.AUDIO_TRIMMED,
                "the sound is longer than the pictures: "
                f"its last {fitted.trimmed} samples ({seconds:.3f} s) are left out",
            )
