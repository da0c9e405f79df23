"""The sound that a caller hands over, with what its samples are."""

from __future__ import annotations

from dataclasses import dataclass

from telecine.request.sound import AudioFit


@dataclass(frozen=True, slots=True)
class Audio:
    """Samples and what they are, such as `Audio(waveform, sample_rate=24_000, layout="mono")`.

    Without samples it declares a track whose samples come by `Job.push_audio`, and needs a `sample_format`.
    """

    samples: object = None
    """Arrays or tensors of shape (channels, samples) or (samples, channels), or (samples,) for mono; int16,
    int32, or floats from -1 to 1; or an iterable of pieces of those, one after the other in time; with
    `AsyncClient` also an asynchronous one."""
    sample_rate: int = 0
    """Samples per second, 8000 to 192000. Mandatory: a model's own, such as its vocoder's."""
    layout: str = ""
    """"mono", "stereo", "3.0", "quad", "5.0", "5.1" or "7.1". Mandatory: it says which axis is which."""
    sample_format: str = ""
    """"s16", "s32" or "flt": what is sent. Empty: as the first piece has it."""
    axes: str = ""
    """"CN" (channels first) or "NC". Empty: the axis with as many entries as the layout has channels; needed
    where both have."""
    fit: AudioFit | str = AudioFit.PAD
    """"pad", "trim" or "error": what becomes of sound that is not as long as the pictures."""
