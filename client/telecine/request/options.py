"""What a caller may ask for: outputs, colour, sizes, and how a connection is kept.

Names of formats, codecs, pixel formats and colour values are FFmpeg's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import TypeVar

from telecine.request.fields import refused, words
from telecine.request.overlays import Overlay
from telecine.request.rates import FrameRate
from telecine.request.sound import Sound
from telecine.retry.policy import RetryPolicy as RetryPolicy  # noqa: PLC0414 - an option too: handed on to callers
from telecine.tls.options import Tls as Tls  # noqa: PLC0414 - likewise


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


class Quality(StrEnum):
    """Named quality; the manifest says what it meant in numbers."""

    DRAFT = "draft"
    STANDARD = "standard"
    HIGH = "high"
    LOSSLESS = "lossless"


class PreviewFormat(StrEnum):
    """The kind of file that a preview is."""

    WEBP = "webp"
    JPEG = "jpeg"


class AlphaMode(StrEnum):
    """What happens to the alpha channel."""

    AUTO = "auto"
    """Kept where the format can carry it, else flattened with a warning."""
    KEEP = "keep"
    """The output fails when it cannot be kept."""
    FLATTEN = "flatten"
    """Flattened over `Output.background`."""


class ScaleMode(StrEnum):
    """How the picture fills the asked size."""

    AUTO = "auto"
    """FIT; PAD where an aspect ratio is asked for."""
    FIT = "fit"
    """Within the size, with the picture's own aspect ratio."""
    STRETCH = "stretch"
    """Exactly the size, regardless of the aspect ratio."""
    FILL = "fill"
    """Exactly the size; what sticks out of it is cut off, the same on both sides."""
    PAD = "pad"
    """Exactly the size; the whole picture in its middle, `Scale.pad_color` around it."""


class OddSizePolicy(StrEnum):
    """What to do with a width or height that a codec cannot take."""

    PAD = "pad"
    CROP = "crop"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Color:
    """What samples mean, in FFmpeg's names. None: the default.

    Defaults for frames: full-range sRGB for RGB and gray, BT.709 limited for YUV.
    Defaults for outputs: BT.709 limited for YUV, full-range sRGB for RGB.
    """

    _: KW_ONLY
    primaries: str | None = None
    """"bt709", "bt470bg", "smpte170m", "bt2020" or "smpte432"."""
    transfer: str | None = None
    """"bt709", "iec61966-2-1" (sRGB), "smpte170m", "smpte2084" (PQ), "arib-std-b67" (HLG) or "linear"."""
    matrix: str | None = None
    """"gbr" (RGB), "bt709", "bt470bg", "smpte170m" or "bt2020nc"."""
    range: str | None = None
    """"tv" (limited) or "pc" (full)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A size to scale to, in pixels; 0 follows from the other and the aspect ratio."""

    width: int = 0
    height: int = 0
    mode: ScaleMode | str = ScaleMode.AUTO
    _: KW_ONLY
    size: str = ""
    """Instead of width and height: "480p", "720p", "1080p", "1440p", "4k" ...: pixels of the shorter side."""
    aspect_ratio: str = ""
    """The shape of the output, such as "16:9", "9:16", "1:1", "4:3", "21:9". Alone it scales nothing: FILL
    cuts down to it, PAD adds to it. Empty: the source's."""
    pad_color: str = ""
    """"#rrggbb", for PAD. Empty: black."""


@dataclass(frozen=True, slots=True)
class Output:
    """One thing to produce, such as `Output("mp4")` or `Output("webm", codec="av1", quality="draft")`."""

    format: str
    """"mp4", "webm", "webp", "png", "gif", "apng", "avif", "mov", "mkv", "poster", "contact_sheet" ..., and
    of sound alone "wav", "flac", "m4a", "opus"."""
    _: KW_ONLY
    name: str = ""
    """Names it in progress and manifest, and its file unless `file_name` does; unique in the job. Empty: the
    format's name."""
    codec: str = ""
    """"h264", "hevc", "av1", "vp9", "prores", "ffv1" ... Empty: the format's default."""
    quality: Quality | str = Quality.HIGH
    crf: float | None = None
    """Constant rate factor in the encoder's own scale. None: from `quality`."""
    preset: str = ""
    """The encoder's preset, such as "veryfast"; for WebP its method "0" to "6". Empty: from `quality`."""
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict, hash=False)
    """Options of the encoder by its own names, from the server's list; an unknown one is an error."""
    scale: Scale | tuple[int, int] | str | None = None
    """A size; also by name ("1080p") or as an aspect ratio ("9:16"). None: the source's size."""
    loop_count: int = 0
    """Times an animation is played; 0: for ever."""
    alpha: AlphaMode | str = AlphaMode.AUTO
    background: str = ""
    """Colour to flatten over, "#rrggbb". Empty: black."""
    fps: FrameRate | None = None
    """Plays the same frames at another rate. None: the source's."""
    pixel_format: str = ""
    """The coded pixel format, such as "yuv444p10le". Empty: the codec's default."""
    color: Color | None = None
    """The colour to convert to and to tag. None: the format's default."""
    strict: bool = False
    """Whether every fallback of this output is an error."""
    prefix: str = ""
    """File name prefix of an image sequence. Empty: "frame"."""
    frame_index: int = 0
    """For "poster": the frame to show; negative counts from the end."""
    columns: int = 0
    """For "contact_sheet": pictures in this direction. 0: chosen by the number of frames."""
    rows: int = 0
    """For "contact_sheet": pictures in this direction. 0: chosen by the number of frames."""
    overlays: Sequence[Overlay] = field(default=(), hash=False)
    """Drawn over the frames one after the other, the last on top: `TextOverlay`, `ImageOverlay`."""
    max_duration_seconds: float = 0.0
    """The output ends by then; later frames are left out, with a warning. 0: everything."""
    bit_rate: int | str = 0
    """Bits per second to aim at, such as 2_000_000 or "2M", instead of a constant quality. 0: by quality."""
    file_name: str = ""
    """Of its file, without extension: "fox" makes `fox.mp4`. Outputs of other extensions may share it.
    Empty: `name`."""
    sound: Sound | bool | None = None
    """What becomes of the job's sound here: a `Sound`. False: none. None: all defaults."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address to which the server reports the events of a job by a signed HTTP POST; docs/webhooks.md."""

    url: str
    """"https://host/path"; the server may refuse hosts and addresses."""
    events: Sequence[str] = ("job.ended",)
    """The events to report: any of "job.received", "output.ended", "job.ended"."""


OutputLike = Output | str
"""An `Output`, or just its format's name."""


def as_outputs(outputs: OutputLike | Sequence[OutputLike]) -> tuple[Output, ...]:
    """Turns names into `Output`s; raises InvalidRequestError if the list is empty."""
    listed = [outputs] if isinstance(outputs, Output | str) else words(outputs, "outputs")
    for index, item in enumerate(listed):
        if not isinstance(item, Output | str) or not item:
            raise refused(f"outputs[{index}]", item, 'a format name such as "mp4", or Output("mp4", ...)')
    if not listed:
        raise refused("outputs", outputs, 'at least one, such as outputs=["mp4"]')
    return tuple(Output(item) if isinstance(item, str) else item for item in listed)


_Choice = TypeVar("_Choice", bound=StrEnum)


def chosen(kind: type[_Choice], value: str, field_name: str) -> _Choice:
    """Returns the member that a caller named; raises InvalidRequestError with the choices."""
    try:
        return kind(value)
    except ValueError:
        raise refused(
            field_name, value, "one of " + ", ".join(f'"{member.value}"' for member in kind)
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    """How a dead or frozen server is noticed: pings and time limits, in seconds."""

    interval_seconds: float = 20.0
    """Time between pings on a quiet connection; servers refuse less than 10 seconds."""
    timeout_seconds: float = 10.0
    """A connection counts as lost if a ping is not answered for this long."""
    idle_timeout_seconds: float = 30.0
    """An upload's stream counts as broken if no message comes for this long."""
