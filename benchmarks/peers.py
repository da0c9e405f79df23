"""What people do today: frames through a pipe into FFmpeg (imageio-ffmpeg), and Pillow's `save_all`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
from PIL import Image

from benchmarks.clips import Clip


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """One encoder with everything that decides its speed; the same on both sides."""

    format: str
    codec: str
    """Telecine's name."""
    encoder: str
    """FFmpeg's name."""
    crf: int
    preset: str = ""
    options: tuple[tuple[str, str], ...] = ()

    def ffmpeg_arguments(self) -> list[str]:
        """The settings as FFmpeg's command line takes them."""
        arguments = ["-crf", str(self.crf)]
        if self.encoder == "libvpx-vp9":
            arguments += ["-b:v", "0"]
        if self.preset:
            arguments += ["-preset", self.preset]
        for name, value in self.options:
            arguments += [f"-{name}", value]
        return arguments


H264_FAST = VideoSettings("mp4", "h264", "libx264", 18, "fast")
H264_VERYFAST = VideoSettings("mp4", "h264", "libx264", 18, "veryfast")
VP9_GOOD = VideoSettings(
    "webm",
    "vp9",
    "libvpx-vp9",
    32,
    options=(("deadline", "good"), ("cpu-used", "4"), ("b", "0")),
)
"""Without `row-mt`, as on our side by default: either is then done sooner on few cores."""

WEBP_QUALITY = 80
WEBP_METHOD = 4


@dataclass(frozen=True, slots=True)
class PipeTimes:
    """What the sender of one clip sees of imageio-ffmpeg."""

    last_frame_seconds: float
    """Until the pipe had taken the last frame; FFmpeg is still encoding."""
    closed_seconds: float
    """Until `close()` returned: the file is complete, and the caller is free."""


def pipe_to_ffmpeg(
    clip: Clip,
    settings: VideoSettings,
    target: Path,
    fps: int,
    count: int | None = None,
    *,
    sound: Path | None = None,
) -> PipeTimes:
    """Encodes a clip as imageio-ffmpeg's users do, with BT.709 conversion and faststart as on our side.

    `sound`: a WAV file that goes with it.
    """
    filters = ["-vf", "scale=out_color_matrix=bt709:out_range=tv"] if clip.pixel_format == "rgb24" else []
    faststart = ["-movflags", "+faststart"] if target.suffix == ".mp4" else []
    begin = time.perf_counter()
    writer = imageio_ffmpeg.write_frames(
        str(target),
        (clip.shape.width, clip.shape.height),
        pix_fmt_in=clip.pixel_format,
        pix_fmt_out="yuv420p",
        fps=fps,
        quality=None,
        codec=settings.encoder,
        macro_block_size=1,
        ffmpeg_log_level="error",
        ffmpeg_timeout=0,
        audio_path=str(sound) if sound is not None else None,
        audio_codec="aac" if sound is not None else None,
        output_params=[*filters, *settings.ffmpeg_arguments(), *faststart],
    )
    writer.send(None)
    for frame in clip.frames(count):
        writer.send(frame)
    last_frame = time.perf_counter() - begin
    writer.close()
    return PipeTimes(last_frame, time.perf_counter() - begin)


def pillow_webp(clip: Clip, target: Path, fps: int) -> float:
    """Writes an animated WebP as Pillow's users do; returns seconds. Takes rgb24."""
    begin = time.perf_counter()
    size = (clip.shape.width, clip.shape.height)
    images = [Image.frombytes("RGB", size, bytes(frame)) for frame in clip.frames()]
    images[0].save(
        target,
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / fps),
        loop=0,
        quality=WEBP_QUALITY,
        method=WEBP_METHOD,
    )
    return time.perf_counter() - begin


def one_after_the_other(clip: Clip, directory: Path, fps: int) -> float:
    """MP4, WebM and WebP of an rgb24 clip, each made when the one before is done; returns seconds."""
    begin = time.perf_counter()
    pipe_to_ffmpeg(clip, H264_FAST, directory / "clip.mp4", fps)
    pipe_to_ffmpeg(clip, VP9_GOOD, directory / "clip.webm", fps)
    pillow_webp(clip, directory / "clip.webp", fps)
    return time.perf_counter() - begin
