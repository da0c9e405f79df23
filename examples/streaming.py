"""Streams frames from a generator: each is sent while the next one is still being made."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import telecine


def make_frames(count: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Stands for a model that makes one frame after the other; never holds more than one."""
    ramp = np.linspace(0, 255, 160).astype(np.uint8)
    for t in range(count):
        gray = np.tile(np.roll(ramp, 8 * t), (120, 1))
        yield np.stack([gray, gray, gray], axis=-1)


def show(progress: telecine.Progress) -> None:
    """Runs on a thread of the SDK; should it raise, the job goes on without it."""
    encoded = sum(output.frames_encoded for output in progress.outputs)
    print(f"{progress.acknowledged_bytes} bytes are safe, {encoded} frames are encoded")


# The job id makes the upload resumable: the same id and the same frames continue where it stopped.
with (
    telecine.Client() as client,
    client.open_job(fps=16, outputs="webm", job_id="streaming-1", on_progress=show) as job,
):
    for frame in make_frames(48):
        job.push(frame)  # copies the frame, and waits only if too much is not acknowledged yet
    job.finish()  # the hand-off: from here on no crash can lose the clip
    print("free again; the server goes on encoding")
    result = job.result(to="streaming")

print(result["webm"].local_path)
