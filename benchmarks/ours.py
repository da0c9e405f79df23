"""Our side of every comparison: a clip through the SDK into a running service and back onto the disk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from telecine import Client, Output
from telecine.results.values import EncodeResult

from benchmarks.clips import Clip
from benchmarks.peers import WEBP_METHOD, WEBP_QUALITY, VideoSettings


@dataclass(frozen=True, slots=True)
class OurTimes:
    """What the sender of one clip sees, in seconds since its first push."""

    hand_off_seconds: float
    """Until the service had acknowledged every frame as safe."""
    total_seconds: float
    """Until every verified artifact lay on the client's disk."""
    manifest: Any
    """The manifest, as read from its JSON."""

    @property
    def verify_seconds(self) -> float:
        """The longest of the outputs' verification phases: what verifying adds to the end."""
        phases = [output.get("phases") or {} for output in self.manifest.get("outputs", ())]
        return max((float(phase.get("verify_seconds", 0.0)) for phase in phases), default=0.0)


def video_output(settings: VideoSettings) -> Output:
    """The output that is encoded exactly as the peer does."""
    return Output(
        settings.format,
        codec=settings.codec,
        crf=settings.crf,
        preset=settings.preset,
        options=dict(settings.options),
    )


def webp_output() -> Output:
    """Animated WebP with the peer's quality and method."""
    return Output("webp", preset=str(WEBP_METHOD), options={"quality": str(WEBP_QUALITY)})


def encode(
    client: Client,
    clip: Clip,
    outputs: Sequence[Output],
    directory: Path,
    fps: int,
    *,
    count: int | None = None,
    frames: Iterator[memoryview] | None = None,
    audio: object = None,
) -> OurTimes:
    """Sends a clip frame by frame, and its sound, waits for the outputs, downloads them."""
    begin = time.perf_counter()
    job = client.open_job(
        fps=Fraction(fps),
        outputs=outputs,
        width=clip.shape.width,
        height=clip.shape.height,
        pixel_format=clip.pixel_format,
        audio=audio,
    )
    for frame in frames or clip.frames(count):
        job.push(frame)
    job.finish()
    hand_off = time.perf_counter() - begin
    result: EncodeResult = job.result(directory)
    total = time.perf_counter() - begin
    manifest = result.manifest
    job.close()
    client.delete_job(result.job_id)
    return OurTimes(hand_off, total, manifest)
