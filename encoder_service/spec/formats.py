"""The formats that can be made, as data: one row each; to add one is to add a row and a test.

A row names its container, its writer and the encoders it may use, best first within each codec.
An encoder's row says what each named quality means to it in numbers.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.encoders import (
    AV1_ENCODERS,
    FFV1_ENCODERS,
    H264_ENCODERS,
    HEVC_ENCODERS,
    IMAGE_ENCODERS,
    PRORES_ENCODERS,
    SOUND_ENCODERS,
    VP9_ENCODERS,
    EncoderRow,
)
from encoder_service.spec.errors import OutputError


class WriterKind(StrEnum):
    """The module below `outputs` that writes a format; imported when it is first needed."""

    VIDEO = "video"
    WEBP = "webp"
    PNG = "png"
    GIF = "gif"
    APNG = "apng"
    POSTER = "poster"
    CONTACT_SHEET = "contact_sheet"
    SOUND = "sound"


class FormatRow(msgspec.Struct, frozen=True):
    """One format: its container, its writer and the encoders that it may use."""

    name: str
    writer: WriterKind
    container: str
    """FFmpeg's name of the muxer; empty where FFmpeg does not write the file."""
    media_type: str
    extension: str
    """The file name's extension, with the dot."""
    default_codec: str
    encoders: tuple[EncoderRow, ...]
    """Best first within each codec."""
    can_carry_alpha: bool = False
    """At least one of its codecs can carry alpha in this container."""
    muxer_options: dict[str, str] = {}
    codec_tags: dict[str, str] = {}
    """Codec to the four-character code that players want in this container."""
    loop_option: str = ""
    """The muxer's option for how often an animation is played, 0: for ever. Empty: the muxer has none."""
    has_exact_timestamps: bool = True
    """False: the container rounds timestamps to milliseconds."""
    kind: str = "video"
    """What its files are called in a manifest (`outputs[].type`)."""

    @property
    def codecs(self) -> tuple[str, ...]:
        """The codecs of the format, the default first, each once."""
        return tuple(dict.fromkeys((self.default_codec, *(row.codec for row in self.encoders))))

    def candidates(self, codec: str) -> tuple[EncoderRow, ...]:
        """The encoders for `codec`, best first; empty when the format does not know it."""
        return tuple(row for row in self.encoders if row.codec == codec)


_MP4_OPTIONS = {"movflags": "+faststart+write_colr"}

FORMATS: dict[str, FormatRow] = {
    row.name: row
    for row in (
        FormatRow(
            name="mp4",
            writer=WriterKind.VIDEO,
            container="mp4",
            media_type="video/mp4",
            extension=".mp4",
            default_codec="h264",
            encoders=H264_ENCODERS + HEVC_ENCODERS + AV1_ENCODERS,
            muxer_options=_MP4_OPTIONS,
            codec_tags={"hevc": "hvc1"},
        ),
        FormatRow(
            name="webm",
            writer=WriterKind.VIDEO,
            container="webm",
            media_type="video/webm",
            extension=".webm",
            default_codec="vp9",
            encoders=VP9_ENCODERS + AV1_ENCODERS,
            can_carry_alpha=True,
            has_exact_timestamps=False,
        ),
        FormatRow(
            name="mov",
            writer=WriterKind.VIDEO,
            container="mov",
            media_type="video/quicktime",
            extension=".mov",
            default_codec="prores",
            encoders=PRORES_ENCODERS + H264_ENCODERS + HEVC_ENCODERS,
            can_carry_alpha=True,
            muxer_options=_MP4_OPTIONS,
            codec_tags={"hevc": "hvc1"},
        ),
        FormatRow(
            name="mkv",
            writer=WriterKind.VIDEO,
            container="matroska",
            media_type="video/x-matroska",
            extension=".mkv",
            default_codec="ffv1",
            encoders=FFV1_ENCODERS + H264_ENCODERS + HEVC_ENCODERS + VP9_ENCODERS + AV1_ENCODERS,
            can_carry_alpha=True,
            has_exact_timestamps=False,
        ),
        FormatRow(
            name="webp",
            writer=WriterKind.WEBP,
            container="",
            media_type="image/webp",
            extension=".webp",
            default_codec="webp",
            encoders=(IMAGE_ENCODERS["webp"],),
            kind="animation",
            can_carry_alpha=True,
        ),
        FormatRow(
            name="png",
            writer=WriterKind.PNG,
            container="",
            media_type="application/zip",
            extension=".zip",
            default_codec="png",
            encoders=(IMAGE_ENCODERS["png"],),
            kind="sequence",
            can_carry_alpha=True,
        ),
        FormatRow(
            name="gif",
            writer=WriterKind.GIF,
            container="gif",
            media_type="image/gif",
            extension=".gif",
            default_codec="gif",
            encoders=(IMAGE_ENCODERS["gif"],),
            kind="animation",
            can_carry_alpha=True,
        ),
        FormatRow(
            name="apng",
            writer=WriterKind.APNG,
            container="apng",
            media_type="image/apng",
            extension=".png",
            default_codec="apng",
            encoders=(IMAGE_ENCODERS["apng"],),
            kind="animation",
            can_carry_alpha=True,
        ),
        FormatRow(
            name="avif",
            writer=WriterKind.VIDEO,
            container="avif",
            media_type="image/avif",
            extension=".avif",
            default_codec="av1",
            encoders=AV1_ENCODERS,
            kind="animation",
            loop_option="loop",
        ),
        FormatRow(
            name="poster",
            writer=WriterKind.POSTER,
            container="",
            media_type="image/jpeg",
            extension=".jpg",
            default_codec="jpeg",
            encoders=(IMAGE_ENCODERS["jpeg"], IMAGE_ENCODERS["png"]),
            kind="image",
            can_carry_alpha=True,
        ),
        FormatRow(
            name="contact_sheet",
            writer=WriterKind.CONTACT_SHEET,
            container="",
            media_type="image/png",
            extension=".png",
            default_codec="png",
            encoders=(IMAGE_ENCODERS["png"], IMAGE_ENCODERS["jpeg"]),
            kind="image",
        ),
        FormatRow(
            name="wav",
            writer=WriterKind.SOUND,
            container="wav",
            media_type="audio/wav",
            extension=".wav",
            default_codec="pcm",
            encoders=(SOUND_ENCODERS["pcm"],),
            kind="sound",
        ),
        FormatRow(
            name="flac",
            writer=WriterKind.SOUND,
            container="flac",
            media_type="audio/flac",
            extension=".flac",
            default_codec="flac",
            encoders=(SOUND_ENCODERS["flac"],),
            kind="sound",
        ),
        FormatRow(
            name="m4a",
            writer=WriterKind.SOUND,
            container="ipod",
            media_type="audio/mp4",
            extension=".m4a",
            default_codec="aac",
            encoders=(SOUND_ENCODERS["aac"], SOUND_ENCODERS["alac"]),
            muxer_options={"movflags": "+faststart"},
            kind="sound",
        ),
        FormatRow(
            name="opus",
            writer=WriterKind.SOUND,
            container="opus",
            media_type="audio/ogg",
            extension=".opus",
            default_codec="opus",
            encoders=(SOUND_ENCODERS["opus"],),
            kind="sound",
        ),
    )
}
"""Every format by its name."""


def find_format(name: str) -> FormatRow:
    """Returns the row of a format. Raises OutputError with code UNKNOWN_FORMAT."""
    try:
        return FORMATS[name]
    except KeyError:
        known = ", ".join(FORMATS)
        raise OutputError(
            FailureCode.UNKNOWN_FORMAT, f"unknown format {name!r}; expected one of {known}"
        ) from None
