"""Measures loudness with FFmpeg's ebur128 (ITU-R BS.1770, EBU R 128), in one pass and constant memory."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from av.error import BlockingIOError as NothingYetError
from av.error import EOFError as EndError
from av.filter import Graph

from encoder_service.evidence.facts import Loudness
from encoder_service.spec.codes import FailureCode
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.sound.blocks import Block, Shape, to_frame

_STEPS_PER_SECOND = 10
"""The filter looks at whole steps alone; silence fills the last one."""
_LEAST_STEPS = 4
"""One block of the gate."""
_GATE_LUFS = -70.0
_WHAT = "measuring loudness"


class LoudnessMeter:
    """Takes a clip's blocks in order. For one thread."""

    def __init__(self, layout: str, sample_rate: int) -> None:
        """Raises OutputError."""
        self._shape = Shape("fltp", layout, sample_rate)
        self._samples = 0
        self._metadata: dict[str, str] = {}
        with translated(FailureCode.INTERNAL, _WHAT):
            graph = Graph()
            source = graph.add_abuffer(
                sample_rate=sample_rate, format="fltp", layout=layout, time_base=Fraction(1, sample_rate)
            )
            meter = graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")
            sink = graph.add("abuffersink")
            source.link_to(meter)
            meter.link_to(sink)
            graph.configure()
            self._graph = graph

    def add(self, block: Block) -> None:
        """Takes the next samples, of any format. Raises OutputError."""
        with translated(FailureCode.INTERNAL, _WHAT):
            self._graph.push(to_frame(to_floats(block).astype(np.float32), self._shape, self._samples))
            self._samples += block.shape[1]
            self._pull()

    def finish(self) -> Loudness:
        """What was measured. Call it once. Raises OutputError."""
        step = self._shape.sample_rate // _STEPS_PER_SECOND
        short = -self._samples % step if self._samples > _LEAST_STEPS * step else 0
        missing = max(short, _LEAST_STEPS * step - self._samples)
        if missing:
            self.add(np.zeros((self._shape.channels, missing), np.float32))
        with translated(FailureCode.INTERNAL, _WHAT):
            self._graph.push(None)
            self._pull()
        integrated = self._number("lavfi.r128.I")
        peak = self._number("lavfi.r128.true_peak")
        return Loudness(
            integrated_lufs=integrated if math.isfinite(integrated) and integrated > _GATE_LUFS else None,
            range_lu=max(0.0, self._number("lavfi.r128.LRA")),
            true_peak_dbtp=round(20 * math.log10(peak), 3) if peak > 0 else None,
        )

    def _number(self, key: str) -> float:
        value = float(self._metadata.get(key, "nan"))
        return value if not math.isnan(value) else 0.0

    def _pull(self) -> None:
        while True:
            try:
                frame = self._graph.pull()
            except (NothingYetError, EndError):
                return
            self._metadata = dict(frame.metadata) or self._metadata


def to_floats(block: Block) -> Block:
    """The samples as floats from -1 to 1: 32 bits where they hold them, else 64."""
    if block.dtype == np.int16:
        return block.astype(np.float32) / np.float32(1 << 15)
    if block.dtype == np.int32:
        return block.astype(np.float64) / (1 << 31)
    return block
