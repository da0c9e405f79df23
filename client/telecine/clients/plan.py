"""Turns the keyword arguments of a job into what an upload needs, and checks what can be checked early."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict, cast

from telecine.clients.settings import ClientSettings
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import InvalidRequestError, OutOfOrderError
from telecine.exceptions.root import FieldViolation
from telecine.frames.reader import FrameReader
from telecine.request.fields import flag, number, refused, text, whole, words
from telecine.request.frame_layout import MAX_SIDE, FrameLayout
from telecine.request.job_spec import MAX_FRAMES, JobOptions, deadline_after, job_spec, new_job_id
from telecine.request.metadata import metadata_texts
from telecine.request.options import Color, OddSizePolicy, OutputLike, PixelFormat, Webhook, as_outputs
from telecine.request.rates import FrameRate, exact_frame_rate
from telecine.request.source_warnings import SourceCode, SourceWarning, SourceWarnings
from telecine.results.values import EncodeResult, JobWarning, Progress
from telecine.sound.reader import SoundReader, open_sound
from telecine.upload.machine import Upload

ProgressCallback = Callable[[Progress], None]

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAX_SECONDS = 1e9
"""The longest deadline; some thirty years."""
_ANY_LAYOUT = FrameLayout(2, 2, PixelFormat.RGB24)


class JobArguments(TypedDict, total=False):
    """The settings of a job besides its frame rate and outputs.

    All of them are optional, and None is the same as left out.
    """

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
    """The axes of arrays: "auto" (channels last), "TCHW", "CTHW", "CHW", "THWC", "HWC", "THW" or "HW"."""
    out_of_range: str
    """"error" (refuse floats out of 0..1 and NaN) or "clip" (clip and count them)."""
    convert_to: str | None
    """"yuv420p": convert rgb24 frames here and send half the bytes, with the values that the server's
    own conversion gives. Costs 4 ms of CPU for a frame of 832x480; worth it on slow networks. Tensors are
    converted on their own device, so that half the bytes leave a GPU."""
    color: Color | None
    """What the samples mean. Left out: full-range sRGB for RGB, BT.709 limited for YUV."""
    odd_size: OddSizePolicy | str
    """"pad", "crop" or "error", where a codec cannot take a width or height."""
    metadata: Mapping[str, object]
    """The caller's own data (prompt, seed, model ...), for the manifest. Text stays as it is (lone surrogates
    are escaped, with a warning); everything else is written as JSON, numbers and arrays of numpy and torch
    too, and NaN as "NaN". The server's limit for all of it is 1 MiB by default."""
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
    audio: object
    """The clip's sound: an `Audio` (samples with their rate and layout), a WAV file as path or bytes, frames
    of PyAV, or ComfyUI's dictionary. With an `Audio` without samples they come by `push_audio`. Left out:
    the clip is silent."""
    on_progress: ProgressCallback | None
    """Called with a `Progress` as the job moves on; from a thread of the SDK (blocking client) or on the
    event loop (asyncio). If it raises, that is logged, and it is not called again."""


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job as it was asked for."""

    options: JobOptions
    reader: FrameReader
    warnings: SourceWarnings
    """What the frames do not carry of their source; shared with the reader."""
    is_converting: bool
    on_progress: ProgressCallback | None
    sound: SoundReader | None = None
    """None: the clip is silent."""

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
            self.sound.track.sample_bytes if self.sound is not None else 0,
        )

    def result(self, upload: Upload) -> EncodeResult:
        """What an upload that has ended has come to. Raises the error that ended it without a result."""
        ended = upload.result
        if ended is None:
            upload.raise_error()
            raise OutOfOrderError("the job was closed")
        clipped = self.reader.range.clipped_samples
        known = {(entry.code, entry.message) for entry in ended.job.warnings}
        own = [JobWarning(entry.code, entry.message) for entry in self.warnings.found]
        # A server of an older version has not taken them.
        missing = [entry for entry in own if (entry.code, entry.message) not in known]
        job = replace(ended.job, warnings=(*ended.job.warnings, *missing))
        return EncodeResult(job, job.artifacts, ended.manifest_json, clipped)

    def last_warnings(self) -> tuple[SourceWarning, ...]:
        """What the frames do not carry, once the last one is there."""
        self.reader.end()
        if clipped := self.reader.range.clipped_samples:
            self.warnings.add(
                SourceCode.SAMPLES_CLIPPED, f"{clipped} samples were out of range or NaN and were clipped"
            )
        if self.sound is not None and (clipped := self.sound.clipped_samples):
            self.warnings.add(
                SourceCode.SAMPLES_CLIPPED,
                f"{clipped} values of the sound were beyond -1 or 1 and were clipped",
            )
        return self.warnings.found

    def sound_reader(self) -> SoundReader:
        """The job's sound. Raises OutOfOrderError where none was declared."""
        if self.sound is None:
            raise OutOfOrderError(
                "sound was pushed, and the job has none: declare it with "
                "audio=Audio(sample_rate=…, layout=…, sample_format=…)"
            )
        return self.sound


def plan_job(fps: FrameRate, outputs: OutputLike | Sequence[OutputLike], arguments: JobArguments) -> JobPlan:
    """Raises InvalidRequestError or InvalidFramesError for what can be seen to be wrong without frames."""
    known = JobArguments.__annotations__
    if unknown := sorted(set(arguments) - set(known)):
        raise InvalidRequestError(
            f"unknown arguments: {', '.join(unknown)}; expected some of {', '.join(known)}",
            faults=[FieldViolation(name, "is unknown") for name in unknown],
        )
    # None means what leaving it out means, whichever the argument.
    said = cast(JobArguments, {name: value for name, value in arguments.items() if value is not None})
    metadata = metadata_texts(_metadata(said.get("metadata", {})))
    sound = open_sound(said["audio"]) if "audio" in said else None
    options = JobOptions(
        audio=sound.track if sound is not None else None,
        fps=exact_frame_rate(fps),
        outputs=as_outputs(outputs),
        job_id=checked_job_id(said.get("job_id", "")),
        color=said.get("color"),
        odd_size=said.get("odd_size", OddSizePolicy.PAD),
        metadata=metadata.texts,  # once: it may be a megabyte
        priority=whole(said.get("priority", 0), "priority", -100, 100),
        deadline_unix_nano=_deadline(said.get("deadline_seconds")),
        expected_frames=whole(said.get("expected_frames", 0), "expected_frames", 0, MAX_FRAMES),
        strict=flag(said.get("strict", False), "strict"),
        webhooks=words(said.get("webhooks", ()), "webhooks"),
        skip_unavailable=flag(said.get("skip_unavailable", False), "skip_unavailable"),
    )
    warnings = SourceWarnings(is_strict=options.strict)
    for key in metadata.escaped:
        warnings.add(
            SourceCode.METADATA_ESCAPED,
            f'metadata "{key}" holds characters that no text can carry; they are escaped',
        )
    reader = FrameReader(
        width=_side(said.get("width"), "width"),
        height=_side(said.get("height"), "height"),
        pixel_format=said.get("pixel_format"),
        layout=said.get("layout", "auto"),
        out_of_range=said.get("out_of_range", "error"),
        convert_to=said.get("convert_to"),
        warnings=warnings,
        is_color_declared=options.color is not None,
    )
    on_progress = said.get("on_progress")
    if on_progress is not None and not callable(on_progress):
        raise refused("on_progress", on_progress, "a function that takes a Progress")
    is_converting = arguments.get("convert_to") is not None
    plan = JobPlan(options, reader, warnings, is_converting, on_progress, sound)
    plan.spec(reader.layout or _ANY_LAYOUT)  # faults in outputs and colour show before the first frame
    return plan


def checked_job_id(job_id: str) -> str:
    """The id that a caller chose, or a fresh one for an empty text. Raises InvalidRequestError."""
    if job_id == "":
        return new_job_id()
    expected = "1 to 128 characters of [A-Za-z0-9._-], beginning with a letter or digit"
    if _JOB_ID.fullmatch(text(job_id, "job_id", expected)) is None:
        raise refused("job_id", job_id, expected)
    return job_id


def id_of(job_id: str) -> str:
    """The id of a job that a caller names. Raises InvalidRequestError for what is no text."""
    return text(job_id, "job_id", "the id of a job")


def _metadata(metadata: Mapping[str, object]) -> Mapping[str, object]:
    if not isinstance(metadata, Mapping):
        raise refused("metadata", metadata, "a mapping of names to values")
    return metadata


def _side(pixels: int | None, field: str) -> int | None:
    return None if pixels is None else whole(pixels, field, 1, MAX_SIDE)


def _deadline(seconds: float | None) -> int:
    return deadline_after(None if seconds is None else number(seconds, "deadline_seconds", 0, _MAX_SECONDS))


def _converted(color: Color | None) -> Color:
    """The colour of converted frames: the declared one, with BT.709 limited as matrix and range."""
    color = color or Color()
    if color.matrix not in {None, "gbr"} or color.range not in {None, "pc"}:
        wrong = "takes full-range RGB; leave color.matrix and color.range out"
        raise InvalidRequestError(f"convert_to {wrong}", faults=[FieldViolation("convert_to", wrong)])
    if color.primaries == "bt2020":
        wrong = "has the BT.709 matrix; leave it out for BT.2020 frames"
        raise InvalidRequestError(f"convert_to {wrong}", faults=[FieldViolation("convert_to", wrong)])
    return Color(
        primaries=color.primaries or "bt709",
        transfer=color.transfer or "iec61966-2-1",
        matrix="bt709",
        range="tv",
    )
