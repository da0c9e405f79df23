"""The encoders, as data: which pixel formats they get and what named quality means to them in numbers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from encoder_service.spec.spec import PixelFormat, Quality


class QualitySettings(msgspec.Struct, frozen=True):
    """What a named quality means to one encoder, in its own numbers and options."""

    crf: float | None = None
    """None: the encoder has no rate factor (or `options` replaces it)."""
    preset: str = ""
    options: dict[str, str] = {}


class PixelFormats(msgspec.Struct, frozen=True):
    """FFmpeg's name of the coded pixel format for each kind of source."""

    default: str
    deep: str = ""
    """Used for sources above 8 bits. Empty: `default` is used, with a warning."""
    alpha: str = ""
    """Used for sources whose alpha is kept. Empty: the encoder cannot carry alpha."""
    deep_alpha: str = ""
    """Used for sources above 8 bits whose alpha is kept. Empty: `alpha` is used."""
    same: dict[PixelFormat, str] = {}
    """Sources that go in without loss at every quality, before all others."""
    lossless: dict[PixelFormat, str] = {}
    """Sources that go in without loss, for quality LOSSLESS."""


class EncoderRow(msgspec.Struct, frozen=True):
    """One encoder: the pixel formats it gets, and what each named quality means to it."""

    encoder: str
    """FFmpeg's name."""
    codec: str
    pixel_formats: PixelFormats
    qualities: dict[Quality, QualitySettings]
    crf_option: str = ""
    """The option that takes `OutputSpec.crf`. Empty: it has none."""
    preset_option: str = ""
    """The option that takes `OutputSpec.preset`. Empty: it has none."""
    crf_range: tuple[float, float] = (0, 0)
    """Lowest and highest rate factor."""
    presets_by_pixel_format: dict[str, str] = {}
    """Coded pixel formats that need another preset than the quality's."""
    fixed_options: dict[str, str] = {}
    """Always set, before everything else."""
    alpha_options: dict[str, str] = {}
    """Added when alpha is kept."""
    narrow_options: dict[str, str] = {}
    """Added for pictures of at most `narrow_columns` pixels a row."""
    narrow_columns: int = 0
    alpha_decoder: str = ""
    """The decoder that sees alpha, where FFmpeg's own does not."""
    is_lossless_possible: bool = False
    """Quality LOSSLESS is exact, given a pixel format that holds the source."""
    is_always_lossless: bool = False
    """At every quality."""
    is_rgb_only: bool = False
    """A candidate only where an RGB source is to be kept as RGB."""
    is_hardware: bool = False
    bit_rate_options: dict[str, str] | None = None
    """Added when a bit rate is asked for, instead of the rate factor. None: no rate control."""
    threads_per_core: float = 1
    """Frame threads that the encoder itself would choose, for each core."""
    threads_parameter: tuple[str, str] | None = None
    """The option and its key that limit threads, of encoders that ignore FFmpeg's own setting."""

    @property
    def can_carry_alpha(self) -> bool:
        """Some pixel format of it has alpha."""
        return bool(self.pixel_formats.alpha)


_D, _S, _H, _L = Quality.DRAFT, Quality.STANDARD, Quality.HIGH, Quality.LOSSLESS
_NV12_AS_420 = {PixelFormat.NV12: "nv12"}
_LOSSLESS_YUV = {
    PixelFormat.YUV420P: "yuv420p",
    PixelFormat.NV12: "yuv420p",
    PixelFormat.YUV444P: "yuv444p",
    PixelFormat.YUV420P10LE: "yuv420p10le",
    PixelFormat.P010LE: "yuv420p10le",
    PixelFormat.GRAY8: "gray",
}

_X264_QUALITIES = {
    _D: QualitySettings(crf=26, preset="veryfast"),
    _S: QualitySettings(crf=22, preset="fast"),
    _H: QualitySettings(crf=18, preset="fast"),
    _L: QualitySettings(preset="fast", options={"qp": "0"}),
}
_NVENC_QUALITIES = {
    _D: QualitySettings(crf=32, preset="p2"),
    _S: QualitySettings(crf=26, preset="p4"),
    _H: QualitySettings(crf=20, preset="p5"),
    _L: QualitySettings(preset="p4", options={"tune": "lossless"}),
}


def _nvenc(codec: str, deep: str) -> EncoderRow:
    return EncoderRow(
        encoder=f"{codec}_nvenc",
        codec=codec,
        bit_rate_options={"rc": "vbr"},
        pixel_formats=PixelFormats(default="yuv420p", deep=deep, same=_NV12_AS_420),
        qualities=_NVENC_QUALITIES,
        crf_option="cq",
        preset_option="preset",
        crf_range=(0, 51),
        is_hardware=True,
    )


_CPU_INFO = Path("/proc/cpuinfo")


@cache
def has_avx512() -> bool:
    """Whether codecs would choose their AVX-512 code; False if the system does not say."""
    try:
        text = _CPU_INFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(
        "avx512f" in line.split() for line in text.splitlines() if line.startswith(("flags", "Features"))
    )


# x264's AVX-512 code gives another stream now and then for the very same frames (measured, with macroblock
# tree on); a retried output must equal the first one. Its AVX2 code always gives the same.
_X264_FIXED = {"x264-params": "asm=avx2"} if has_avx512() else {}

H264_ENCODERS = (
    EncoderRow(
        encoder="libx264",
        codec="h264",
        bit_rate_options={},
        pixel_formats=PixelFormats(default="yuv420p", same=_NV12_AS_420, lossless=_LOSSLESS_YUV),
        qualities=_X264_QUALITIES,
        crf_option="crf",
        preset_option="preset",
        crf_range=(0, 51),
        fixed_options=_X264_FIXED,
        is_lossless_possible=True,
        threads_per_core=1.5,
    ),
    EncoderRow(
        encoder="libx264rgb",
        codec="h264",
        bit_rate_options={},
        pixel_formats=PixelFormats(
            default="rgb24",
            same={PixelFormat.RGB24: "rgb24"},
            lossless={PixelFormat.RGB24: "rgb24"},
        ),
        qualities=_X264_QUALITIES,
        crf_option="crf",
        preset_option="preset",
        crf_range=(0, 51),
        fixed_options=_X264_FIXED,
        is_lossless_possible=True,
        is_rgb_only=True,
        threads_per_core=1.5,
    ),
    EncoderRow(
        encoder="libopenh264",
        codec="h264",
        bit_rate_options={"rc_mode": "bitrate"},
        pixel_formats=PixelFormats(default="yuv420p"),
        qualities={
            _D: QualitySettings(options={"rc_mode": "quality", "b": "2000000"}),
            _S: QualitySettings(options={"rc_mode": "quality", "b": "5000000"}),
            _H: QualitySettings(options={"rc_mode": "quality", "b": "12000000"}),
            _L: QualitySettings(options={"rc_mode": "quality", "b": "40000000"}),
        },
    ),
    _nvenc("h264", ""),
)

HEVC_ENCODERS = (
    EncoderRow(
        encoder="libx265",
        codec="hevc",
        bit_rate_options={},
        pixel_formats=PixelFormats(
            default="yuv420p",
            deep="yuv420p10le",
            lossless=_LOSSLESS_YUV | {PixelFormat.RGB24: "gbrp"},
        ),
        qualities={
            _D: QualitySettings(crf=30, preset="ultrafast"),
            _S: QualitySettings(crf=26, preset="fast"),
            _H: QualitySettings(crf=21, preset="fast"),
            _L: QualitySettings(preset="fast", options={"x265-params": "lossless=1"}),
        },
        crf_option="crf",
        preset_option="preset",
        crf_range=(0, 51),
        fixed_options={"x265-params": "log-level=error"},
        # Its AVX code writes past the lookahead's rows where the picture has 33 to 48 columns.
        narrow_options={"x265-params": "asm=0"},
        narrow_columns=64,
        is_lossless_possible=True,
        threads_parameter=("x265-params", "pools"),
    ),
    _nvenc("hevc", "p010le"),
)

AV1_ENCODERS = (
    EncoderRow(
        encoder="libsvtav1",
        codec="av1",
        bit_rate_options={},
        pixel_formats=PixelFormats(
            default="yuv420p",
            deep="yuv420p10le",
            lossless={
                PixelFormat.YUV420P: "yuv420p",
                PixelFormat.NV12: "yuv420p",
                PixelFormat.YUV420P10LE: "yuv420p10le",
                PixelFormat.P010LE: "yuv420p10le",
            },
        ),
        qualities={
            _D: QualitySettings(crf=42, preset="11"),
            _S: QualitySettings(crf=32, preset="9"),
            _H: QualitySettings(crf=23, preset="8"),
            _L: QualitySettings(preset="8", options={"svtav1-params": "lossless=1"}),
        },
        crf_option="crf",
        preset_option="preset",
        crf_range=(0, 63),
        is_lossless_possible=True,
        threads_parameter=("svtav1-params", "lp"),
    ),
    EncoderRow(
        encoder="libaom-av1",
        codec="av1",
        bit_rate_options={},
        pixel_formats=PixelFormats(default="yuv420p", deep="yuv420p10le"),
        qualities={
            _D: QualitySettings(crf=40, preset="8", options={"row-mt": "1"}),
            _S: QualitySettings(crf=32, preset="7", options={"row-mt": "1"}),
            _H: QualitySettings(crf=23, preset="6", options={"row-mt": "1"}),
            _L: QualitySettings(crf=0, preset="6", options={"row-mt": "1", "aom-params": "lossless=1"}),
        },
        crf_option="crf",
        preset_option="cpu-used",
        crf_range=(0, 63),
    ),
    _nvenc("av1", "p010le"),
)

VP9_ENCODERS = (
    EncoderRow(
        encoder="libvpx-vp9",
        codec="vp9",
        bit_rate_options={},
        pixel_formats=PixelFormats(
            default="yuv420p",
            alpha="yuva420p",
            lossless={
                PixelFormat.YUV420P: "yuv420p",
                PixelFormat.NV12: "yuv420p",
                PixelFormat.YUV444P: "yuv444p",
                PixelFormat.RGB24: "gbrp",
            },
        ),
        qualities={
            _D: QualitySettings(crf=38, preset="8", options={"deadline": "realtime"}),
            _S: QualitySettings(crf=32, preset="5", options={"deadline": "good"}),
            _H: QualitySettings(crf=24, preset="4", options={"deadline": "good"}),
            _L: QualitySettings(preset="4", options={"deadline": "good", "lossless": "1"}),
        },
        crf_option="crf",
        preset_option="cpu-used",
        crf_range=(0, 63),
        # Alternate reference frames of the colour and the alpha stream would not pair up.
        alpha_options={"auto-alt-ref": "0"},
        alpha_decoder="libvpx-vp9",
        is_lossless_possible=True,
    ),
)

PRORES_ENCODERS = (
    EncoderRow(
        encoder="prores_ks",
        codec="prores",
        pixel_formats=PixelFormats(
            default="yuv422p10le", deep="yuv422p10le", alpha="yuva444p10le", deep_alpha="yuva444p10le"
        ),
        qualities={
            _D: QualitySettings(preset="proxy"),
            _S: QualitySettings(preset="standard"),
            _H: QualitySettings(preset="hq"),
            _L: QualitySettings(preset="hq"),
        },
        preset_option="profile",
        presets_by_pixel_format={"yuv444p10le": "4444", "yuva444p10le": "4444"},
        fixed_options={"vendor": "apl0"},
        alpha_options={"alpha_bits": "16"},
    ),
)

_FFV1 = QualitySettings(
    options={"coder": "range_def", "context": "0", "slicecrc": "1", "level": "3", "g": "1"}
)
FFV1_ENCODERS = (
    EncoderRow(
        encoder="ffv1",
        codec="ffv1",
        pixel_formats=PixelFormats(
            default="yuv444p",
            deep="yuv444p10le",
            alpha="bgra",
            deep_alpha="rgba64le",
            same={
                PixelFormat.GRAY8: "gray",
                PixelFormat.GRAY16LE: "gray16le",
                PixelFormat.RGB24: "bgr0",
                PixelFormat.RGBA: "bgra",
                PixelFormat.RGB48LE: "rgb48le",
                PixelFormat.RGBA64LE: "rgba64le",
                PixelFormat.YUV420P: "yuv420p",
                PixelFormat.NV12: "yuv420p",
                PixelFormat.YUV444P: "yuv444p",
                PixelFormat.YUV420P10LE: "yuv420p10le",
                PixelFormat.P010LE: "yuv420p10le",
            },
        ),
        qualities={_D: _FFV1, _S: _FFV1, _H: _FFV1, _L: _FFV1},
        narrow_options={"slices": "1"},
        narrow_columns=1,
        is_lossless_possible=True,
        is_always_lossless=True,
    ),
)

# Level 6 takes more than twice the time of level 3 and saves 3 %.
_PNG_QUALITIES = {
    _D: QualitySettings(options={"compression_level": "1", "pred": "up"}),
    _S: QualitySettings(options={"compression_level": "3", "pred": "mixed"}),
    _H: QualitySettings(options={"compression_level": "3", "pred": "mixed"}),
    _L: QualitySettings(options={"compression_level": "6", "pred": "mixed"}),
}

IMAGE_ENCODERS = {
    row.codec: row
    for row in (
        EncoderRow(
            encoder="libwebp",
            codec="webp",
            pixel_formats=PixelFormats(default="rgb24", alpha="rgba"),
            qualities={
                _D: QualitySettings(preset="0", options={"quality": "60"}),
                _S: QualitySettings(preset="4", options={"quality": "75"}),
                _H: QualitySettings(preset="4", options={"quality": "90"}),
                _L: QualitySettings(preset="4", options={"lossless": "1", "quality": "75"}),
            },
            crf_option="quality",
            crf_range=(0, 100),
            preset_option="method",
            is_lossless_possible=True,
        ),
        EncoderRow(
            encoder="png",
            codec="png",
            pixel_formats=PixelFormats(default="rgb24", deep="rgb48be", alpha="rgba", deep_alpha="rgba64be"),
            qualities=_PNG_QUALITIES,
            is_lossless_possible=True,
            is_always_lossless=True,
        ),
        EncoderRow(
            encoder="gif",
            codec="gif",
            pixel_formats=PixelFormats(default="pal8", alpha="pal8"),
            qualities={
                _D: QualitySettings(),
                _S: QualitySettings(),
                _H: QualitySettings(),
                _L: QualitySettings(),
            },
        ),
        EncoderRow(
            encoder="png",
            codec="apng",
            pixel_formats=PixelFormats(default="rgb24", deep="rgb48be", alpha="rgba", deep_alpha="rgba64be"),
            qualities=_PNG_QUALITIES,
            is_lossless_possible=True,
            is_always_lossless=True,
        ),
        EncoderRow(
            encoder="libjpeg-turbo",
            codec="jpeg",
            pixel_formats=PixelFormats(default="rgb24"),
            qualities={
                _D: QualitySettings(options={"quality": "75"}),
                _S: QualitySettings(options={"quality": "85"}),
                _H: QualitySettings(options={"quality": "92"}),
                _L: QualitySettings(options={"quality": "100"}),
            },
            crf_option="quality",
            crf_range=(0, 100),
        ),
    )
}
"""Encoders of the image formats, by codec."""

SOUND_ENCODERS = {
    codec: EncoderRow(
        encoder=encoder,
        codec=codec,
        pixel_formats=PixelFormats(default=""),
        qualities=dict.fromkeys(Quality, QualitySettings()),
    )
    for codec, encoder in (
        ("pcm", "pcm"),
        ("flac", "flac"),
        ("aac", "aac"),
        ("alac", "alac"),
        ("opus", "libopus"),
    )
}
"""Encoders of files of sound alone, by codec; what they can hold stands in `audio.codecs`."""
