"""Opens whatever a caller hands over as sound: says what the track is, and yields its bytes."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from telecine.exceptions import InvalidFramesError
from telecine.request.fields import refused
from telecine.request.sound import (
    LAYOUTS,
    SAMPLE_FORMATS,
    AudioFormat,
    checked_fit,
    checked_layout,
    checked_rate,
)
from telecine.sound.audio import Audio
from telecine.sound.samples import Converter, Samples, as_array, format_of
from telecine.sound.wav import open_wav, read_header, read_pieces

_BY_CHANNELS = {1: "mono", 2: "stereo", 6: "5.1"}
"""What ComfyUI's dictionaries mean by a number of channels."""
_SAME_CHANNELS = {"quad(side)": "quad", "5.0(side)": "5.0", "5.1(side)": "5.1"}
"""Layouts of AC-3 and DTS, whose channels stand in the order of ours."""
_EXPECTED = (
    "an Audio(samples, sample_rate=…, layout=…), a WAV file as path or bytes, frames of PyAV, or ComfyUI's "
    '{"waveform", "sample_rate"}'
)


class SoundReader:
    """The sound of one job: its track, and the pieces of it in order. Not thread-safe."""

    def __init__(
        self, track: AudioFormat, pieces: Iterator[Any] | AsyncIterable[Any] | None, axes: str = ""
    ) -> None:
        """`pieces` None: they come by `Job.push_audio`."""
        self.track = track
        self.has_samples = pieces is not None
        self.awaited_pieces = pieces if isinstance(pieces, AsyncIterable) else None
        """Pieces that `blocks` does not yield: each is for `blocks_of`, and `require_samples` comes last."""
        self._pieces = () if isinstance(pieces, AsyncIterable) else pieces or ()
        self._converter = Converter(track, axes)

    @property
    def clipped_samples(self) -> int:
        """Values beyond -1 or 1 that were clipped."""
        return self._converter.clipped_samples

    def blocks(self) -> Iterator[memoryview]:
        """The bytes of all samples that the caller handed over at once. Raises InvalidFramesError."""
        for piece in self._pieces:
            yield from self.blocks_of(piece)
        self.require_samples()

    def require_samples(self) -> None:
        """Raises InvalidFramesError where the caller handed over an iterable without any sample."""
        if self.has_samples and not self._converter.samples:
            raise InvalidFramesError("audio has no samples; a declared track has at least one")

    def blocks_of(self, samples: object) -> Iterator[memoryview]:
        """The bytes of one piece, or of each of an iterable. Raises InvalidFramesError."""
        if _is_av_frame(samples):
            yield from self._converter.convert(_of_av(samples, self.track))
        elif _is_array(samples):
            yield from self._converter.convert(samples)
        elif isinstance(samples, Iterable) and not isinstance(samples, str | bytes | Mapping):
            for piece in samples:
                yield from self.blocks_of(piece)
        else:
            raise InvalidFramesError(
                f"sound of type {type(samples).__qualname__} cannot be taken; expected arrays or tensors"
            )


def open_sound(audio: object) -> SoundReader:
    """Finds out what a track is. Raises InvalidRequestError or InvalidFramesError.

    An iterator without a declared `sample_format` gives its first piece now. An asynchronous iterable is
    `SoundReader.awaited_pieces`.
    """
    if isinstance(audio, Audio):
        return _of_audio(audio)
    if isinstance(audio, AudioFormat):
        return _of_audio(Audio(None, audio.sample_rate, audio.layout, audio.sample_format, fit=audio.fit))
    if isinstance(audio, Mapping):
        return _of_mapping(audio)
    if isinstance(audio, str | Path | bytes):
        return _of_wav(audio)
    if isinstance(audio, AsyncIterable) or _is_array(audio):
        raise refused("audio", audio, f"{_EXPECTED}; samples alone do not say their rate and layout")
    if _is_av_frame(audio):
        return _of_av_frames(iter([audio]))
    if isinstance(audio, Iterable):
        return _of_av_frames(iter(audio))
    raise refused("audio", audio, _EXPECTED)


def require_at_once(sound: SoundReader | None) -> None:
    """Raises InvalidRequestError for sound that only asyncio code can read."""
    if sound is not None and sound.awaited_pieces is not None:
        expected = "an iterable; an asynchronous one is taken by AsyncClient alone"
        raise refused("audio.samples", sound.awaited_pieces, expected)


async def with_sample_format(audio: object) -> object:
    """The same sound; an asynchronous iterable's sample format is found out by its first piece.

    Raises InvalidFramesError.
    """
    if not (isinstance(audio, Audio) and isinstance(audio.samples, AsyncIterable)) or audio.sample_format:
        return audio
    pieces = aiter(audio.samples)
    first = await anext(pieces, None)
    if first is None:
        raise InvalidFramesError("audio.samples is empty; a declared track has at least one sample")
    return replace(audio, samples=_after(first, pieces), sample_format=format_of(as_array(first)))


async def _after(first: object, pieces: AsyncIterator[object]) -> AsyncIterator[object]:
    yield first
    async for piece in pieces:
        yield piece


def _of_audio(audio: Audio) -> SoundReader:
    rate, layout = checked_rate(audio.sample_rate), checked_layout(audio.layout)
    fit, form = checked_fit(audio.fit), audio.sample_format
    if audio.axes not in {"", "CN", "NC"}:
        raise refused("audio.axes", audio.axes, '"CN" (channels first), "NC" or empty')
    if form and form not in SAMPLE_FORMATS:
        raise refused("audio.sample_format", form, f"one of {', '.join(map(repr, SAMPLE_FORMATS))}")
    if audio.samples is None:
        if not form:
            raise refused(
                "audio.sample_format", form, '"s16", "s32" or "flt": without samples it must be named'
            )
        return SoundReader(AudioFormat(rate, layout, form, fit), None, audio.axes)
    if isinstance(audio.samples, AsyncIterable):
        if not form:
            raise refused(
                "audio.sample_format",
                form,
                '"s16", "s32" or "flt": `open_job` cannot wait for the first piece to see it; `encode` can',
            )
        return SoundReader(AudioFormat(rate, layout, form, fit), audio.samples, audio.axes)
    pieces: Iterator[Any] = iter([audio.samples] if _is_array(audio.samples) else _iterable(audio.samples))
    if not form:
        first = next(pieces, None)
        if first is None:
            raise InvalidFramesError("audio.samples is empty; a declared track has at least one sample")
        form = format_of(as_array(first))
        pieces = chain([first], pieces)
    return SoundReader(AudioFormat(rate, layout, form, fit), pieces, audio.axes)


def _iterable(samples: object) -> Iterable[object]:
    if isinstance(samples, str | bytes | Mapping) or not isinstance(samples, Iterable):
        raise refused("audio.samples", samples, "arrays or tensors, or an iterable of those")
    return samples


def _of_mapping(audio: Mapping[str, object]) -> SoundReader:
    if not {"waveform", "sample_rate"} <= set(audio):
        raise refused("audio", dict(audio), '{"waveform": (batch, channels, samples), "sample_rate": …}')
    array = as_array(audio["waveform"])
    if array.ndim != 3 or array.shape[0] != 1 or array.shape[1] not in _BY_CHANNELS:
        raise InvalidFramesError(
            f"audio.waveform has shape {'x'.join(map(str, array.shape))}; expected (1, channels, samples) "
            "with 1, 2 or 6 channels: one clip has one sound"
        )
    layout = _BY_CHANNELS[array.shape[1]]
    return _of_audio(Audio(array[0], checked_rate(audio["sample_rate"]), layout, axes="CN"))


def _of_wav(audio: str | Path | bytes) -> SoundReader:
    name = "the WAV data" if isinstance(audio, bytes) else str(audio)
    file = open_wav(audio)
    try:
        header = read_header(file, name)
        form = "flt" if header.is_float else "s16" if header.bits == 16 else "s32"
        track = AudioFormat(checked_rate(header.sample_rate), header.layout, form)
    except BaseException:
        file.close()
        raise
    return SoundReader(track, read_pieces(file, header), "NC")


def _of_av_frames(frames: Iterator[Any]) -> SoundReader:
    first: Any = next(frames, None)
    if not _is_av_frame(first):
        raise refused("audio", first, _EXPECTED)
    form = str(first.format.name).removesuffix("p")
    form = {"dbl": "flt"}.get(form, form)
    if form not in SAMPLE_FORMATS:
        raise refused("audio", first.format.name, "frames of s16, s32, flt or dbl")
    track = AudioFormat(checked_rate(first.sample_rate), checked_layout(_layout_of(first)), form)
    return SoundReader(track, chain([first], frames), "NC")


def _of_av(frame: Any, track: AudioFormat) -> Samples:
    rate, layout = frame.sample_rate, _layout_of(frame)
    if (rate, layout) != (track.sample_rate, track.layout):
        raise InvalidFramesError(
            f"a frame of sound has {rate} Hz and layout {layout}; the track has {track.sample_rate} Hz "
            f"and {track.layout}"
        )
    data = np.asarray(frame.to_ndarray())
    return data.T if frame.format.is_planar else data.reshape(-1, LAYOUTS[layout])


def _layout_of(frame: Any) -> str:
    name = str(frame.layout.name)
    return _SAME_CHANNELS.get(name, name)


def _is_array(value: object) -> bool:
    if isinstance(value, str | bytes | list | tuple):
        return False
    return any(hasattr(value, name) for name in ("__dlpack__", "__array__", "__array_interface__")) and not (
        _is_av_frame(value)
    )


def _is_av_frame(value: object) -> bool:
    return all(hasattr(value, name) for name in ("to_ndarray", "layout", "sample_rate", "format"))
