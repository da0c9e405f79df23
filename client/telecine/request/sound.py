"""What may be asked of a job's sound: its track, and what each output makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from google.protobuf.duration_pb2 import Duration

from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.request.fields import flag, instance, number, refused, text, whole

LAYOUTS = {"mono": 1, "stereo": 2, "3.0": 3, "quad": 4, "5.0": 5, "5.1": 6, "7.1": 8}
"""FFmpeg's names of the layouts that may be sent, and their channels."""
SAMPLE_FORMATS = {"s16": 2, "s32": 4, "flt": 4}
"""FFmpeg's names of the sample formats that are sent, and the bytes of one value."""
_MIN_RATE, _MAX_RATE = 8_000, 192_000
_UNITS = {"": 1, "k": 1_000}


class AudioFit(StrEnum):
    """What an output does when the sound is not as long as its pictures, which are never cut for it."""

    PAD = "pad"
    """Silence follows shorter sound; longer sound ends with the pictures, with a warning."""
    TRIM = "trim"
    """Longer sound ends with the pictures; shorter sound ends earlier."""
    ERROR = "error"
    """The output fails."""


_FITS = {AudioFit.PAD: 1, AudioFit.TRIM: 2, AudioFit.ERROR: 3}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """A track of sound as it is sent; nothing about it is inferred by the server."""

    sample_rate: int
    """Samples per second, 8000 to 192000."""
    layout: str
    """"mono", "stereo", "3.0", "quad", "5.0", "5.1" or "7.1"."""
    sample_format: str
    """"s16", "s32" or "flt" (floats from -1 to 1)."""
    fit: AudioFit | str = AudioFit.PAD

    @property
    def channels(self) -> int:
        """How many values a sample has."""
        return LAYOUTS[self.layout]

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * SAMPLE_FORMATS[self.sample_format]

    def message(self) -> pb.AudioTrack:
        """The contract's track."""
        return pb.AudioTrack(
            sample_rate=self.sample_rate,
            channels=self.channels,
            sample_format=self.sample_format,
            layout=self.layout,
            fit=_FITS[AudioFit(self.fit)],  # type: ignore[arg-type] # NewType of int
        )


def checked_rate(value: object, field: str = "audio.sample_rate") -> int:
    """A sample rate. Raises InvalidRequestError."""
    return whole(value, field, _MIN_RATE, _MAX_RATE)


def checked_layout(value: object, field: str = "audio.layout") -> str:
    """A layout. Raises InvalidRequestError."""
    if not isinstance(value, str) or value not in LAYOUTS:
        raise refused(field, value, f"one of {', '.join(map(repr, LAYOUTS))}")
    return value


def checked_fit(value: object, field: str = "audio.fit") -> AudioFit:
    """What to do about another length. Raises InvalidRequestError."""
    try:
        return AudioFit(value)  # type: ignore[arg-type] # what is no member raises ValueError
    except ValueError:
        raise refused(field, value, '"pad", "trim" or "error"') from None


@dataclass(frozen=True, slots=True)
class Loudness:
    """The loudness to reach by one gain over the whole length (EBU R 128)."""

    target_lufs: float
    """-70 to -5; -14 is usual on the web, -23 in broadcasting."""
    true_peak_dbtp: float = -1.0
    """The highest true peak, -9 to 0: a gain that would lift one above is taken smaller, with a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What one output makes of the job's sound, such as `Output("mp4", sound=Sound(volume=0.5))`."""

    enabled: bool = True
    """False: this output has no sound."""
    codec: str = ""
    """"aac", "alac", "opus", "flac" or "pcm", as the format can hold. Empty: the format's usual one."""
    bit_rate: int | str = 0
    """Bits per second, such as 128_000 or "128k", for AAC and Opus. 0: 96000 for each channel."""
    sample_rate: int = 0
    """Samples per second of the artifact. 0: the track's, or the next higher one that the codec knows."""
    layout: str = ""
    """The artifact's layout; fewer channels are mixed down. Empty: the track's."""
    volume: float = 1.0
    """A factor, 0 to 10."""
    fade_in_seconds: float = 0.0
    """From the beginning. 0: none."""
    fade_out_seconds: float = 0.0
    """Up to the end of the output. 0: none."""
    loudness: Loudness | float | None = None
    """A `Loudness`, or just its LUFS. None: it is measured and left as it is."""


def sound_message(sound: Sound | bool | None, where: str) -> pb.OutputSound | None:
    """The contract's message; True and None: all defaults. Raises InvalidRequestError."""
    if sound is None or sound is True:
        return None
    if sound is False:
        return pb.OutputSound(is_disabled=True)
    sound = instance(sound, Sound, where, "a Sound, or False for none")
    if not flag(sound.enabled, f"{where}.enabled"):
        return pb.OutputSound(is_disabled=True)
    return pb.OutputSound(
        codec=text(sound.codec, f"{where}.codec"),
        bit_rate=_bits(sound.bit_rate, f"{where}.bit_rate"),
        sample_rate=whole(sound.sample_rate, f"{where}.sample_rate"),
        layout=text(sound.layout, f"{where}.layout"),
        volume=number(sound.volume, f"{where}.volume", 0, 10),
        fade_in=_seconds(sound.fade_in_seconds, f"{where}.fade_in_seconds"),
        fade_out=_seconds(sound.fade_out_seconds, f"{where}.fade_out_seconds"),
        loudness=_loudness(sound.loudness, f"{where}.loudness"),
    )


def _bits(value: int | str, where: str) -> int:
    if not isinstance(value, str):
        return whole(value, where)
    digits = value.strip().removesuffix("k")
    if not digits.isdecimal() or len(digits) > 6:
        raise refused(where, value, 'bits per second, such as 128_000 or "128k"')
    return int(digits) * _UNITS["k" if value.strip().endswith("k") else ""]


def _seconds(value: float, where: str) -> Duration | None:
    seconds = number(value, where, 0, 3600)
    if not seconds:
        return None
    whole_seconds = int(seconds)
    return Duration(seconds=whole_seconds, nanos=round((seconds - whole_seconds) * 1e9))


def _loudness(value: Loudness | float | None, where: str) -> pb.Loudness | None:
    if value is None:
        return None
    loudness = value if isinstance(value, Loudness) else Loudness(number(value, where, -70, -5))
    return pb.Loudness(
        target_lufs=number(loudness.target_lufs, f"{where}.target_lufs", -70, -5),
        true_peak_dbtp=number(loudness.true_peak_dbtp, f"{where}.true_peak_dbtp", -9, 0),
    )
