"""The sound of a file, for the command line: one track, laid against the time of the first picture."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av.error
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.file_ends import missing_end
from encoder_service.worker.libav.opening import open_input
from encoder_service.worker.libav.video_losses import SourceLoss

Samples = npt.NDArray[Any]
"""Of shape (samples, channels); int16, int32 or float32."""

MIN_SAMPLE_RATE: Final = 8_000
MAX_SAMPLE_RATE: Final = 192_000
_UNREADABLE = FailureCode.SOURCE_UNREADABLE
_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 8: "7.1"}
"""What is sent, by the number of channels."""
_SAME_CHANNELS: Final = {"quad(side)": "quad", "5.0(side)": "5.0", "5.1(side)": "5.1"}
"""Side speakers are sent as back ones: each sample stays what it is."""
_FORMATS: Final = {"u8": "s16", "s16": "s16", "s32": "s32"}
"""By the packed name; anything else is sent as floats."""
_JUMP_SECONDS: Final = Fraction(1, 25)
"""Times so far from where the samples before ended are a gap or an overlap, not a rounded clock."""
_PIECE_SAMPLES: Final = 1 << 15
_WITH_CHECK_SUMS: Final = {"err_detect": "crccheck+explode"}
"""FFmpeg looks at those of FLAC on request alone."""


class SourceSound:
    """One sound track of a file, which `pieces` reads once; its opener closes it. Not thread-safe."""

    def __init__(self, container: InputContainer, stream: AudioStream, name: str) -> None:
        """Decodes its first samples. Raises OutputError with code SOURCE_UNREADABLE."""
        self._container = container
        self._stream = stream
        self._name = name
        self.damage: list[str] = []
        """What was found broken so far."""
        self._frames = self._decoded()
        first = next(self._frames, None)
        if first is None:
            why = f": {self.damage[0]}" if self.damage else ""
            raise OutputError(_UNREADABLE, f"{name} has a sound track without a sample{why}")
        self._first = first
        self.sample_rate = min(MAX_SAMPLE_RATE, max(MIN_SAMPLE_RATE, first.sample_rate))
        """Of what `pieces` yields: the track's own, if it can be sent."""
        self.layout = _layout_of(first)
        """FFmpeg's name, one of the contract's."""
        self.sample_format = _FORMATS.get(first.format.packed.name, "flt")
        """`s16`, `s32` or `flt`."""
        self.losses = _changes(first, self.sample_rate, self.layout)
        """What was changed or left out; complete once `pieces` has ended."""

    def pieces(self, begins_at: Fraction | None, seconds: Fraction) -> Iterator[Samples]:
        """Yields samples from the time `begins_at` of the file's clock on, for at most `seconds`.

        Silence stands where the track begins later, or has a gap. `begins_at` None: from its first sample on.
        Raises OutputError where FFmpeg fails otherwise than at a damaged packet.
        """
        with translated(_UNREADABLE, f"{self._name}: its sound"):
            laid = _Laid(self.sample_rate, self._channels, self._dtype, int(seconds * self.sample_rate))
            resampler, shape, expected = self._resampler(), _shape_of(self._first), begins_at
            for frame in self._all_frames():
                if _shape_of(frame) != shape:
                    yield from laid.take(_arrays(resampler.resample(None), self._channels))
                    resampler, shape = self._resampler(), _shape_of(frame)
                start = _time_of(frame)
                if start is not None and expected is not None:
                    is_first = frame is self._first
                    if is_first or abs(start - expected) > _JUMP_SECONDS:
                        yield from laid.move(start - expected, is_first=is_first)
                        expected = start
                begun = expected if expected is not None else start
                expected = None if begun is None else begun + Fraction(frame.samples, frame.sample_rate)
                yield from laid.take(_arrays(resampler.resample(frame), self._channels))
                if laid.is_full:
                    break
            else:
                yield from laid.take(_arrays(resampler.resample(None), self._channels))
            if laid.is_empty:  # a track that was declared has a sample
                yield np.zeros((1, self._channels), self._dtype)
        self._compare(laid, begins_at, seconds)

    def close(self) -> None:
        """Closes the file; idempotent."""
        self._container.close()

    @property
    def _channels(self) -> int:
        return next(count for count, name in _LAYOUTS.items() if name == self.layout)

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.dtype({"s16": "i2", "s32": "i4"}.get(self.sample_format, "f4"))

    def _resampler(self) -> AudioResampler:
        return AudioResampler(self.sample_format, self.layout, self.sample_rate)

    def _all_frames(self) -> Iterator[AudioFrame]:
        yield self._first
        yield from self._frames

    def _decoded(self) -> Iterator[AudioFrame]:
        for packet in self._container.demux(self._stream):
            if packet.is_corrupt:
                self._report("a packet of it is broken or cut short")
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                self._report(f"a packet of it cannot be decoded ({error.strerror})")
                continue
            for frame in frames:
                if isinstance(frame, AudioFrame) and frame.samples:
                    yield frame

    def _report(self, fault: str) -> None:
        if fault not in self.damage:
            self.damage.append(fault)

    def _compare(self, laid: _Laid, begins_at: Fraction | None, seconds: Fraction) -> None:
        """What does not fit between the first picture and the end of the last."""
        tick = Fraction(self._stream.time_base or 0)
        begun = begins_at if begins_at is not None else _time_of(self._first)
        after = Fraction(0)
        if begun is not None and self._stream.duration is not None:
            ends_at = ((self._stream.start_time or 0) + self._stream.duration) * tick
            after = ends_at - begun - seconds
        for left_out, where in (
            (laid.cut_seconds, "before the first picture"),
            (after, "after the last picture"),
        ):
            if left_out > _JUMP_SECONDS:
                self.losses.append(_changed(f"{float(left_out):.3f} s of it {where} are left out"))


class _Laid:
    """Lays samples one after the other, up to an end."""

    def __init__(self, sample_rate: int, channels: int, dtype: np.dtype[Any], most: int) -> None:
        self._rate, self._channels, self._dtype = sample_rate, channels, dtype
        self._left = self._most = max(1, most)
        self._skipped = 0
        self._cut = 0

    @property
    def is_full(self) -> bool:
        return self._left <= 0

    @property
    def is_empty(self) -> bool:
        return self._left == self._most

    @property
    def cut_seconds(self) -> Fraction:
        """What was before the beginning."""
        return Fraction(self._cut, self._rate)

    def move(self, seconds: Fraction, *, is_first: bool) -> Iterator[Samples]:
        """Silence up to a later place, or to leave out what is before an earlier one."""
        count = round(seconds * self._rate)
        if count < 0:
            self._skipped -= count
            self._cut -= count if is_first else 0
        while count > 0 and self._left > 0:
            piece = min(count, self._left, _PIECE_SAMPLES)
            yield from self.take(iter([np.zeros((piece, self._channels), self._dtype)]))
            count -= piece

    def take(self, arrays: Iterator[Samples]) -> Iterator[Samples]:
        for array in arrays:
            if not self._left:
                return
            skipped = min(self._skipped, len(array))
            self._skipped -= skipped
            kept = array[skipped : skipped + self._left]
            self._left -= len(kept)
            if len(kept):
                yield kept


def open_source_sound(path: Path) -> SourceSound | None:
    """Opens the sound of a file: its default track, or its first; None without. Raises OutputError."""
    with translated(_UNREADABLE, f"{path}: its sound"):
        container = open_input(path)
    try:
        tracks = list(container.streams.audio)
        # A codec that FFmpeg does not know has no context.
        known = [each for each in tracks if each.codec_context is not None]
        if not known:
            container.close()
            return None
        chosen = next((each for each in known if each.disposition & Disposition.default), known[0])
        with translated(_UNREADABLE, f"{path}: its sound"):
            _require_known_order(chosen, path)
            if chosen.codec_context.codec.canonical_name == "flac":
                chosen.codec_context.options = _WITH_CHECK_SUMS
            sound = SourceSound(container, chosen, str(path))
            if fault := missing_end(path):
                sound.damage.append(fault)
        sound.losses += _others_left_out(len(tracks) - 1)
    except BaseException:
        container.close()
        raise
    return sound


def _require_known_order(stream: AudioStream, path: Path) -> None:
    """Before anything is decoded. Raises OutputError for channels in an order of the file's own.

    PyAV frees the map of such an order with each object that shares it, which aborts the process: the one
    that is looked at here is kept for good.
    """
    layout = stream.codec_context.layout
    if "channels (" not in layout.name:
        return
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    raise OutputError(
        _UNREADABLE,
        f"{path}: the channels of its sound have an order that cannot be read, {layout.name}; bring them "
        "into a usual one, such as with ffmpeg -af aformat=channel_layouts=5.1, or leave them out by "
        "--no-audio",
    )


def _others_left_out(count: int) -> list[SourceLoss]:
    if not count:
        return []
    tracks = "another sound track is" if count == 1 else f"{count} other sound tracks are"
    return [SourceLoss(WarningCode.SOURCE_SOUND_DROPPED, f"{tracks} left out")]


def _layout_of(frame: AudioFrame) -> str:
    name = _SAME_CHANNELS.get(frame.layout.name, frame.layout.name)
    if name in _LAYOUTS.values():
        return name
    count = len(frame.layout.channels) or frame.layout.nb_channels
    most = max((channels for channels in _LAYOUTS if channels <= count), default=1)
    return _LAYOUTS[most]


def _changes(first: AudioFrame, sample_rate: int, layout: str) -> list[SourceLoss]:
    losses = []
    if first.sample_rate != sample_rate:
        losses.append(_changed(f"its {first.sample_rate} Hz are resampled to {sample_rate}"))
    is_unnamed = first.layout.name.endswith(" channels") and len(first.layout.channels) in _LAYOUTS
    if not is_unnamed and layout != _SAME_CHANNELS.get(first.layout.name, first.layout.name):
        losses.append(_changed(f"its layout {first.layout.name} is mixed to {layout}"))
    return losses


def _changed(what: str) -> SourceLoss:
    return SourceLoss(WarningCode.SOURCE_SOUND_CHANGED, f"sound: {what}")


def _shape_of(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _time_of(frame: AudioFrame) -> Fraction | None:
    return None if frame.pts is None or not frame.time_base else frame.pts * Fraction(frame.time_base)


def _arrays(frames: list[AudioFrame], channels: int) -> Iterator[Samples]:
    for frame in frames:
        yield frame.to_ndarray().reshape(-1, channels)
