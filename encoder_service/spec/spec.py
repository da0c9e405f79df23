"""What a caller wants: the frames' meaning and the outputs to make, as plain frozen values.

These are the types that every module of the service speaks.
`wire.py` makes them from protobuf messages and validates them.
Names of pixel formats and colour values are FFmpeg's.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from encoder_service.spec.audio.sound import SoundSpec
from encoder_service.spec.audio.track import AudioSpec
from encoder_service.spec.overlays.overlay import Overlay


class PixelFormat(StrEnum):
    """Layout of one frame: planes one after the other, rows without padding, little-endian."""

    GRAY8 = "gray"
    RGB24 = "rgb24"
    RGBA = "rgba"
    YUV420P = "yuv420p"
    NV12 = "nv12"
    YUV444P = "yuv444p"
    RGB48LE = "rgb48le"
    P010LE = "p010le"
    RGBA64LE = "rgba64le"
    GRAY16LE = "gray16le"
    YUV420P10LE = "yuv420p10le"

    @property
    def is_rgb(self) -> bool:
        """Samples are R, G, B (and A); the colour matrix is the identity."""
        return self in {PixelFormat.RGB24, PixelFormat.RGBA, PixelFormat.RGB48LE, PixelFormat.RGBA64LE}

    @property
    def has_alpha(self) -> bool:
        """Whether the format carries alpha, which is straight (not premultiplied)."""
        return self in {PixelFormat.RGBA, PixelFormat.RGBA64LE}

    @property
    def bits(self) -> int:
        """Significant bits of a sample."""
        return _BITS.get(self, 8)

    def frame_bytes(self, width: int, height: int) -> int:
        """Bytes of one frame of `width` x `height` pixels; 4:2:0 chroma is rounded up."""
        if self in _SUBSAMPLED:
            samples = width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
        else:
            samples = width * height * _CHANNELS[self]
        return samples * (1 if self.bits == 8 else 2)


_BITS = {
    PixelFormat.RGB48LE: 16,
    PixelFormat.RGBA64LE: 16,
    PixelFormat.GRAY16LE: 16,
    PixelFormat.P010LE: 10,
    PixelFormat.YUV420P10LE: 10,
}
_SUBSAMPLED = {PixelFormat.YUV420P, PixelFormat.NV12, PixelFormat.P010LE, PixelFormat.YUV420P10LE}
_CHANNELS = {
    PixelFormat.GRAY8: 1,
    PixelFormat.GRAY16LE: 1,
    PixelFormat.RGB24: 3,
    PixelFormat.RGB48LE: 3,
    PixelFormat.YUV444P: 3,
    PixelFormat.RGBA: 4,
    PixelFormat.RGBA64LE: 4,
}


class ColorPrimaries(StrEnum):
    """Colour primaries (ITU-T H.273)."""

    BT709 = "bt709"
    BT470BG = "bt470bg"
    SMPTE170M = "smpte170m"
    BT2020 = "bt2020"
    SMPTE432 = "smpte432"


class ColorTransfer(StrEnum):
    """Transfer characteristics (ITU-T H.273)."""

    BT709 = "bt709"
    IEC61966_2_1 = "iec61966-2-1"
    SMPTE170M = "smpte170m"
    SMPTE2084 = "smpte2084"
    ARIB_STD_B67 = "arib-std-b67"
    LINEAR = "linear"


class ColorMatrix(StrEnum):
    """Matrix coefficients (ITU-T H.273); FFmpeg's "colorspace"."""

    RGB = "gbr"
    BT709 = "bt709"
    BT470BG = "bt470bg"
    SMPTE170M = "smpte170m"
    BT2020NC = "bt2020nc"


class ColorRange(StrEnum):
    """Range of the sample values."""

    LIMITED = "tv"
    FULL = "pc"


class Color(msgspec.Struct, frozen=True):
    """A complete description of how code values stand for colours."""

    primaries: ColorPrimaries
    transfer: ColorTransfer
    matrix: ColorMatrix
    range: ColorRange


SRGB = Color(ColorPrimaries.BT709, ColorTransfer.IEC61966_2_1, ColorMatrix.RGB, ColorRange.FULL)
"""Full-range sRGB: what image models and PNG files mean."""

BT709 = Color(ColorPrimaries.BT709, ColorTransfer.BT709, ColorMatrix.BT709, ColorRange.LIMITED)
"""BT.709 limited: what players assume of HD video."""


class Rational(msgspec.Struct, frozen=True):
    """An exact positive number, as a fraction."""

    numerator: int
    denominator: int = 1


class OddSizePolicy(StrEnum):
    """What to do with a size that the codec cannot take."""

    PAD = "pad"
    CROP = "crop"
    ERROR = "error"


class Quality(StrEnum):
    """Named quality; each format's row says what it means in numbers."""

    DRAFT = "draft"
    STANDARD = "standard"
    HIGH = "high"
    LOSSLESS = "lossless"


class ScaleMode(StrEnum):
    """How the picture fills the asked size."""

    AUTO = "auto"
    """FIT; PAD where an aspect ratio is asked for."""
    FIT = "fit"
    STRETCH = "stretch"
    FILL = "fill"
    """What sticks out is cut off."""
    PAD = "pad"
    """What is left has `Scale.pad_color`."""


class Scale(msgspec.Struct, frozen=True):
    """A size to scale to, in pixels; 0 follows from the other and the aspect ratio."""

    width: int = 0
    height: int = 0
    mode: ScaleMode = ScaleMode.AUTO
    size: str = ""
    """A name of `sizes.SHORT_SIDES`, instead of width and height."""
    aspect_ratio: str = ""
    """The aspect ratio, such as "16:9". Empty: the source's."""
    pad_color: str = "#000000"


class AlphaMode(StrEnum):
    """What happens to the alpha channel."""

    AUTO = "auto"
    """Kept where the format can; else flattened with a warning."""
    KEEP = "keep"
    FLATTEN = "flatten"


class Delivery(StrEnum):
    """Which bytes come back on the Encode stream."""

    BYTES = "bytes"
    REFERENCES = "references"


class VideoSpec(msgspec.Struct, frozen=True):
    """The video track as it is sent."""

    width: int
    height: int
    pixel_format: PixelFormat
    frame_rate: Rational
    color: Color = SRGB
    odd_size_policy: OddSizePolicy = OddSizePolicy.PAD
    expected_frames: int = 0
    """0: not known."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame in the spool."""
        return self.pixel_format.frame_bytes(self.width, self.height)


class ColorOverride(msgspec.Struct, frozen=True):
    """The output colour fields that the caller chose; None takes the format's default."""

    primaries: ColorPrimaries | None = None
    transfer: ColorTransfer | None = None
    matrix: ColorMatrix | None = None
    range: ColorRange | None = None


class OutputSpec(msgspec.Struct, frozen=True):
    """One thing to produce from the frames of a job."""

    name: str
    """Unique in the job."""
    format: str
    """A row of `formats.FORMATS`."""
    codec: str = ""
    """Empty: the format's default."""
    quality: Quality = Quality.HIGH
    crf: float | None = None
    """None: from `quality`."""
    preset: str = ""
    """Empty: from `quality`."""
    options: dict[str, str] = {}
    """Handed to the encoder as they are."""
    scale: Scale | None = None
    loop_count: int = 0
    """0: for ever."""
    alpha: AlphaMode = AlphaMode.AUTO
    background: str = "#000000"
    frame_rate: Rational | None = None
    """None: the source's."""
    pixel_format: str = ""
    """Coded pixel format; empty: the codec's default."""
    color: ColorOverride = ColorOverride()
    strict: bool = False
    """Already joined with the job's `strict`."""
    prefix: str = "frame"
    frame_index: int = 0
    """Poster: the frame to show; negative counts from the end."""
    columns: int = 0
    """Contact sheet; 0: chosen."""
    rows: int = 0
    """Contact sheet; 0: chosen."""
    overlays: tuple[Overlay, ...] = ()
    """The last one is on top."""
    max_duration_seconds: float = 0.0
    """Later frames are left out. 0: everything."""
    bit_rate: int = 0
    """Bits per second. 0: by quality."""
    file_name: str = ""
    """Of its file, without extension. Empty: `name`."""
    sound: SoundSpec | None = None
    """What becomes of the job's sound. None: all defaults."""

    @property
    def stem(self) -> str:
        """The name of its file without extension."""
        return self.file_name or self.name


class SkippedOutput(msgspec.Struct, frozen=True):
    """An output that was asked for and is left out, because this server cannot make it."""

    output: OutputSpec
    reason: str


class WebhookEvent(StrEnum):
    """What a webhook may be notified of."""

    JOB_RECEIVED = "job.received"
    """The hand-off is complete."""
    OUTPUT_ENDED = "output.ended"
    """An output succeeded or failed."""
    JOB_ENDED = "job.ended"
    """The manifest is there."""


class Webhook(msgspec.Struct, frozen=True):
    """Who is notified about a job."""

    url: str
    events: tuple[WebhookEvent, ...] = (WebhookEvent.JOB_ENDED,)


class JobSpec(msgspec.Struct, frozen=True):
    """One job as it was accepted."""

    job_id: str
    video: VideoSpec
    outputs: tuple[OutputSpec, ...]
    metadata: dict[str, str] = {}
    priority: int = 0
    deadline_unix_nano: int = 0
    """0: none."""
    delivery: Delivery = Delivery.BYTES
    strict: bool = False
    skip_unavailable: bool = False
    """Outputs that cannot be made here are left out."""
    skipped: tuple[SkippedOutput, ...] = ()
    """Asked for and left out, as the caller allows."""
    webhooks: tuple[Webhook, ...] = ()
    audio: AudioSpec | None = None
    """None: the clip is silent."""

    @property
    def expected_bytes(self) -> int:
        """Of both tracks, as far as they are declared."""
        frames = self.video.expected_frames * self.video.frame_bytes
        sound = self.audio.expected_samples * self.audio.sample_bytes if self.audio is not None else 0
        return frames + sound


def differing_fields(first: JobSpec, other: JobSpec) -> str:
    """Names the fields in which two specs differ; empty when they ask for the same job.

    `delivery` says how to answer one stream and may differ.
    """
    names = [
        name
        for name in JobSpec.__struct_fields__
        if name not in {"delivery", "outputs", "skipped"} and getattr(first, name) != getattr(other, name)
    ]
    return ", ".join(names if _asked(first) == _asked(other) else [*names, "outputs"])


def _asked(spec: JobSpec) -> dict[str, OutputSpec]:
    """All outputs by name, also those that are left out: another server process may know an encoder more."""
    return {output.name: output for output in (*spec.outputs, *(entry.output for entry in spec.skipped))}
