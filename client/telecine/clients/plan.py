"""Turns the keyword arguments of a job into what an upload needs, and checks what can be checked early."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from telecine.clients.settings import ClientSettings
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import InvalidRequestError, OutOfOrderError
from telecine.frames.reader import FrameReader
from telecine.request.frame_layout import FrameLayout
from telecine.request.job_spec import JobOptions, deadline_after, job_spec, new_job_id
from telecine.request.options import Color, OddSizePolicy, OutputLike, PixelFormat, Webhook, as_outputs
from telecine.request.rates import FrameRate, exact_frame_rate
from telecine.results.values import EncodeResult, Progress
from telecine.upload.machine import Upload

ProgressCallback = Callable[[Progress], None]

_ANY_LAYOUT = FrameLayout(2, 2, PixelFormat.RGB24)


class JobArguments(TypedDict, total=False):
    """The settings of a job besides its frame rate and outputs. All of them are optional."""

    job_id: str
    """Names the job and makes it resumable: the same id with the same arguments and frames continues where
    it stopped, also from another process. [A-Za-z0-9._-], at most 128. Left out: a fresh one."""
    width: int
    """Pixels. Left out: from the first frame. Needed for raw frames."""
    height: int
    """Pixels. Left out: from the first frame. Needed for raw frames."""
    pixel_format: str
    """FFmpeg's name of the frames' layout, such as "yuv420p". Left out: from the first frame. Needed for
    raw frames; with floats it chooses 8 or 16 bits."""
    layout: str
    """The axes of arrays: "auto" (channels last), "TCHW", "CHW", "THWC", "HWC", "THW" or "HW"."""
    out_of_range: str
    """"error" (refuse floats out of 0..1 and NaN) or "clip" (clip and count them)."""
    convert_to: str | None
    """"yuv420p": convert rgb24 frames here and send half the bytes, with the values that the server's
    own conversion gives. Costs 4 ms of CPU for a frame of 832x480; worth it on slow networks."""
    color: Color | None
    """What the samples mean. Left out: full-range sRGB for RGB, BT.709 limited for YUV."""
    odd_size: OddSizePolicy | str
    """"pad", "crop" or "error", where a codec cannot take a width or height."""
    metadata: Mapping[str, object]
    """The caller's own data (prompt, seed, model ...), for the manifest. Values that are not text are
    written as JSON."""
    priority: int
    """-100 to 100; higher goes first among waiting jobs."""
    deadline_seconds: float | None
    """Seconds from now; the job fails if it has not ended by then. It is part of the spec: leave it out for
    a job that another process is to resume."""
    expected_frames: int
    """Frames to come, shown as the total in progress; 0: not known."""
    strict: bool
    """Whether every fallback, in any output, is an error."""
    skip_unavailable: bool
    """Skip, with a warning, outputs that this server has no format or encoder for; the job is refused only
    if no output is left."""
    webhooks: Sequence[Webhook | str]
    """Where the server reports the job's events, even when no client is connected: URLs, or `Webhook`s."""
    on_progress: ProgressCallback | None
    """Called with a `Progress` as the job moves on; from a thread of the SDK (blocking client) or on the
    event loop (asyncio). If it raises, that is logged, and it is not called again."""


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job as it was asked for."""

    options: JobOptions
    reader: FrameReader
    is_converting: bool
    on_progress: ProgressCallback | None

    def spec(self, layout: FrameLayout) -> pb.JobSpec:
        """The contract's spec for frames of that layout."""
        options = self.options
        if self.is_converting:
            options = replace(options, color=_converted(options.color))
        return job_spec(options, layout)

    def upload(self, layout: FrameLayout, settings: ClientSettings) -> Upload:
        """The machine that decides what is sent of frames of that layout."""
        return Upload(
            layout.frame_bytes,
            settings.retry,
            settings.retained_bytes,
            settings.keep_alive.idle_timeout_seconds,
        )

    def result(self, upload: Upload) -> EncodeResult:
        """What an upload that has ended has come to. Raises the error that ended it without a result."""
        ended = upload.result
        if ended is None:
            upload.raise_error()
            raise OutOfOrderError("the job was closed")
        clipped = self.reader.range.clipped_samples
        return EncodeResult(ended.job, ended.job.artifacts, ended.manifest_json, clipped)


def plan_job(fps: FrameRate, outputs: OutputLike | Sequence[OutputLike], arguments: JobArguments) -> JobPlan:
    """Raises InvalidRequestError or InvalidFramesError for what can be seen to be wrong without frames."""
    unknown = set(arguments) - set(JobArguments.__annotations__)
    if unknown:
        raise InvalidRequestError(f"unknown arguments: {', '.join(sorted(unknown))}")
    options = JobOptions(
        fps=exact_frame_rate(fps),
        outputs=as_outputs(outputs),
        job_id=arguments.get("job_id") or new_job_id(),
        color=arguments.get("color"),
        odd_size=arguments.get("odd_size", OddSizePolicy.PAD),
        metadata=arguments.get("metadata", {}),
        priority=arguments.get("priority", 0),
        deadline_unix_nano=deadline_after(arguments.get("deadline_seconds")),
        expected_frames=arguments.get("expected_frames", 0),
        strict=arguments.get("strict", False),
        webhooks=arguments.get("webhooks", ()),
        skip_unavailable=arguments.get("skip_unavailable", False),
    )
    reader = FrameReader(
        width=arguments.get("width"),
        height=arguments.get("height"),
        pixel_format=arguments.get("pixel_format"),
        layout=arguments.get("layout", "auto"),
        out_of_range=arguments.get("out_of_range", "error"),
        convert_to=arguments.get("convert_to"),
    )
    is_converting = arguments.get("convert_to") is not None
    plan = JobPlan(options, reader, is_converting, arguments.get("on_progress"))
    plan.spec(reader.layout or _ANY_LAYOUT)  # faults in outputs and colour show before the first frame
    return plan


def _converted(color: Color | None) -> Color:
    """The colour of converted frames: the declared one, with BT.709 limited as matrix and range."""
    color = color or Color()
    if color.matrix not in {None, "gbr"} or color.range not in {None, "pc"}:
        raise InvalidRequestError("convert_to takes full-range RGB; leave color.matrix and color.range out")
    if color.primaries == "bt2020":
        raise InvalidRequestError("convert_to has the BT.709 matrix; leave it out for BT.2020 frames")
    return Color(
        primaries=color.primaries or "bt709",
        transfer=color.transfer or "iec61966-2-1",
        matrix="bt709",
        range="tv",
    )
