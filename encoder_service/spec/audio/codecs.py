"""The codecs of sound and the formats that hold them, as data, and what is chosen where nothing is named."""

from __future__ import annotations

import msgspec

from encoder_service.spec.audio.track import LAYOUTS, AudioSpec, SampleFormat

RATES = (
    8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000,
)  # fmt: skip
"""Sample rates that an output may ask for."""
_UP_TO_SIX = ("mono", "stereo", "3.0", "quad", "5.0", "5.1")
_PCM_ENCODERS = {SampleFormat.S16: "pcm_s16le", SampleFormat.S32: "pcm_s32le", SampleFormat.FLT: "pcm_f32le"}


class SoundCodec(msgspec.Struct, frozen=True):
    """One codec: what it can hold."""

    name: str
    encoders: dict[SampleFormat, str]
    """The encoder for samples of a packed format, by FFmpeg's name."""
    coded_formats: dict[SampleFormat, str]
    """What that encoder is given, by FFmpeg's name of the sample format."""
    readback_codecs: tuple[str, ...]
    """What a reader calls the codec."""
    rates: tuple[int, ...]
    """Rising. Empty: any."""
    layouts: tuple[str, ...]
    is_lossless: bool = False
    exact_formats: tuple[SampleFormat, ...] = ()
    """Packed formats whose every value comes back."""
    bits: int = 0
    """Of a value of 32 bits only so many come back. 0: all."""
    frame_samples: int = 0
    """The most samples by which what is decoded may be longer, at its rate."""
    channel_bits: tuple[int, int] = (0, 0)
    """Least and most bits per second of each channel. (0, 0): it has no bit rate."""


def _lossy(name: str, encoder: str, coded: str, **rest: object) -> SoundCodec:
    every = (SampleFormat.S16, SampleFormat.S32, SampleFormat.FLT)
    return SoundCodec(
        name=name,
        encoders=dict.fromkeys(every, encoder),
        coded_formats=dict.fromkeys(every, coded),
        readback_codecs=(name,),
        **rest,  # type: ignore[arg-type]  # a short form for the two rows below
    )


CODECS: dict[str, SoundCodec] = {
    row.name: row
    for row in (
        _lossy(
            "aac", "aac", "fltp",
            rates=RATES[:11], layouts=_UP_TO_SIX, frame_samples=1024, channel_bits=(8_000, 512_000),
        ),
        _lossy(
            "opus", "libopus", "flt",
            rates=(48_000,), layouts=tuple(LAYOUTS), frame_samples=960, channel_bits=(6_000, 256_000),
        ),
        SoundCodec(
            name="flac",
            encoders=dict.fromkeys(SampleFormat, "flac"),
            coded_formats={SampleFormat.S16: "s16", SampleFormat.S32: "s32", SampleFormat.FLT: "s32"},
            readback_codecs=("flac",),
            rates=(),
            layouts=tuple(LAYOUTS),
            is_lossless=True,
            exact_formats=(SampleFormat.S16,),
            bits=24,
        ),
        SoundCodec(
            name="alac",
            encoders=dict.fromkeys(SampleFormat, "alac"),
            coded_formats={SampleFormat.S16: "s16p", SampleFormat.S32: "s32p", SampleFormat.FLT: "s32p"},
            readback_codecs=("alac",),
            rates=(),
            layouts=("mono", "stereo", "3.0", "5.0", "5.1"),
            is_lossless=True,
            exact_formats=(SampleFormat.S16,),
            bits=24,
        ),
        SoundCodec(
            name="pcm",
            encoders=_PCM_ENCODERS,
            coded_formats={each: each.value for each in _PCM_ENCODERS},
            readback_codecs=tuple(_PCM_ENCODERS.values()),
            rates=(),
            layouts=tuple(LAYOUTS),
            is_lossless=True,
            exact_formats=tuple(_PCM_ENCODERS),
        ),
    )
}  # fmt: skip
"""Every codec by its name."""


class SoundFormat(msgspec.Struct, frozen=True):
    """What a format of outputs holds of sound."""

    codecs: tuple[str, ...]
    """The default first."""
    lossless: str = ""
    """The default beside a master codec or quality LOSSLESS. Empty: the same."""
    layouts: dict[str, tuple[str, ...]] = {}
    """Codecs of which the format states these layouts alone."""


SOUND_FORMATS: dict[str, SoundFormat] = {
    "mp4": SoundFormat(("aac", "alac", "flac", "opus")),
    "mov": SoundFormat(("aac", "alac", "pcm"), lossless="pcm"),
    "webm": SoundFormat(("opus",)),
    # Matroska has no place for the layout of PCM: readers guess it from the number of channels.
    "mkv": SoundFormat(("aac", "opus", "flac", "pcm"), lossless="flac", layouts={"pcm": ("mono", "stereo")}),
    "wav": SoundFormat(("pcm",)),
    "flac": SoundFormat(("flac",)),
    "m4a": SoundFormat(("aac", "alac")),
    "opus": SoundFormat(("opus",)),
}
"""Every format that can hold sound."""
SILENT_BY_NATURE = {"poster", "contact_sheet"}
"""Single pictures: that they have no sound is no loss."""
MASTER_CODECS = {"prores", "ffv1"}


def default_codec(format_name: str, video_codec: str, audio: AudioSpec, *, is_lossless: bool) -> str:
    """The codec of an output that names none."""
    row = SOUND_FORMATS[format_name]
    if not row.lossless or not (is_lossless or video_codec in MASTER_CODECS):
        return row.codecs[0]
    sample_format = audio.sample_format.packed
    for name in dict.fromkeys((row.lossless, "pcm")):
        if sample_format in CODECS[name].exact_formats and audio.layout in layouts_of(format_name, name):
            return name
    return row.lossless


def layouts_of(format_name: str, codec: str) -> tuple[str, ...]:
    """The layouts that a codec can have in a format."""
    return SOUND_FORMATS[format_name].layouts.get(codec, CODECS[codec].layouts)


def nearest_rate(codec: SoundCodec, sample_rate: int) -> int:
    """The rate itself, or the next higher one that the codec knows, or its highest."""
    if not codec.rates or sample_rate in codec.rates:
        return sample_rate
    return next((rate for rate in codec.rates if rate >= sample_rate), codec.rates[-1])


def nearest_layout(layouts: tuple[str, ...], layout: str) -> str:
    """The layout itself, or the one with the most channels that is no larger."""
    if layout in layouts:
        return layout
    smaller = [name for name in layouts if LAYOUTS[name] <= LAYOUTS[layout]]
    return max(smaller, key=LAYOUTS.__getitem__)


def usual_bit_rate(codec: SoundCodec, channels: int, sample_rate: int) -> int:
    """Bits per second where none are asked for; 0: the codec has no bit rate."""
    if not codec.channel_bits[1]:
        return 0
    wanted = 128_000 if channels == 1 else 96_000 * channels
    return min(wanted, most_bits(codec, channels, sample_rate))


def most_bits(codec: SoundCodec, channels: int, sample_rate: int) -> int:
    """The highest bit rate at a sample rate: AAC has 6144 bits a channel for each 1024 samples."""
    most = codec.channel_bits[1] * channels
    return min(most, 6 * sample_rate * channels) if codec.name == "aac" else most
