"""LeRobot's `StreamingVideoEncoder` with the encoder service behind it: no frame is ever dropped.

    import telecine.compat.lerobot as t
    t.install("encoder:50051")        # before lerobot.datasets.lerobot_dataset is used

Same methods as the original of 0.4.4. Where its queue is full the original drops frames; here `feed_frame`
waits, which `waited_seconds` counts, and an episode whose file has not as many frames as were fed is an
error. LeRobot pins an av that is older than the encoder's: name a server that runs elsewhere.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from telecine.clients.blocking import Client
from telecine.clients.blocking_job import Job
from telecine.compat.clips import client_of
from telecine.compat.fallback import CompatCode, bound_elsewhere, warn
from telecine.exceptions import TelecineError
from telecine.request.options import Output
from telecine.results.values import EncodeResult

_HOMES = ("lerobot.datasets.video_utils", "lerobot.datasets.lerobot_dataset")
_NAME = "StreamingVideoEncoder"
_CODECS = {"libsvtav1": "av1", "auto": "h264"}
"""LeRobot's names of encoders that are not those of codecs."""
_MIN_FOR_STATISTICS = 2
_server: str | None = None


def install(server: str | None = None) -> bool:
    """Puts our class where LeRobot has its own; returns whether that was done.

    Args:
        server: "host:port" or "unix:/path". None: the configured one (TELECINE_SERVER), else an embedded
            server.
    """
    global _server  # noqa: PLW0603 - one setting of the process, as the patch is
    _server = server
    try:
        homes = [import_module(home) for home in _HOMES]
    except Exception as error:  # noqa: BLE001 - whatever a foreign package raises while it is imported
        message = f"lerobot cannot be imported ({type(error).__name__}: {error}); nothing was installed"
        warn(CompatCode.NOT_INSTALLED, message)
        return False
    original = getattr(homes[0], _NAME, None)
    if original is StreamingVideoEncoder:
        return True
    if original is None or any(not hasattr(original, name) for name in _METHODS):
        warn(CompatCode.UNKNOWN_SIGNATURE, f"lerobot's {_NAME} is another than this was written for")
        return False
    if places := bound_elsewhere(original, _HOMES):
        message = f"{', '.join(places[:5])} keeps the original: install before it is imported"
        warn(CompatCode.BOUND_BEFORE, message)
    for home in homes:
        setattr(home, _NAME, StreamingVideoEncoder)
    return True


class StreamingVideoEncoder:
    """Encodes the episodes of a recording, a file for each camera, while they are recorded.

    Args:
        fps: Frames per second: frame i is shown at i / fps, exactly.
        vcodec: "h264", "hevc", "libsvtav1" or "auto"; encoders of hardware stand for their codec.
        pix_fmt: The coded pixel format.
        g: Frames from one key frame to the next: 2 makes every frame quick to seek. None: the encoder's.
        crf: Constant rate factor in the encoder's own scale. None: by the server's default.
        preset: The encoder's preset. None: 12 for SVT-AV1, as the original has it, else the default.
        queue_maxsize: Ignored: frames are kept until they are acknowledged, within `sdk.retained_bytes`.
        encoder_threads: Ignored: the server shares its cores.
        server: "host:port" or "unix:/path". None: that of `install`.
        manifests: A directory that gets the manifest of each file, as `<episode's file>.manifest.json`;
            LeRobot moves the file itself. None: they go with the temporary directory.
    """

    def __init__(
        self,
        fps: int,
        vcodec: str = "libsvtav1",
        pix_fmt: str = "yuv420p",
        g: int | None = 2,
        crf: int | None = 30,
        preset: int | None = None,
        queue_maxsize: int = 30,
        encoder_threads: int | None = None,
        *,
        server: str | None = None,
        manifests: str | Path | None = None,
    ) -> None:
        self.fps, self.vcodec, self.pix_fmt = fps, vcodec, pix_fmt
        self.g, self.crf, self.preset = g, crf, preset
        self.queue_maxsize, self.encoder_threads = queue_maxsize, encoder_threads
        self.waited_seconds: dict[str, float] = {}
        """For how long `feed_frame` has taken in the current or last episode, by camera."""
        self.results: dict[str, EncodeResult] = {}
        """What the last episode came to, with its manifests, by camera."""
        self._server = server
        self._manifests = None if manifests is None else Path(manifests)
        self._cameras: dict[str, _Camera] = {}
        self._is_active = False

    def start_episode(self, video_keys: Sequence[str], temp_dir: str | Path) -> None:
        """Begins an episode; one that is under way is cancelled.

        Args:
            video_keys: The cameras.
            temp_dir: Where each file gets a directory of its own.

        Raises:
            TelecineError: What `Client` raises.
        """
        self.cancel_episode()
        self.waited_seconds = dict.fromkeys(video_keys, 0.0)
        self.results = {}
        client = client_of(self._address)
        for key in video_keys:
            directory = Path(tempfile.mkdtemp(dir=temp_dir))
            path = directory / f"{key.replace('/', '_')}_streaming.mp4"
            self._cameras[key] = _Camera(path, client.open_job(fps=self.fps, outputs=self._output()))
        self._is_active = True

    def feed_frame(self, video_key: str, image: Any) -> None:
        """Sends a frame; it may be changed afterwards. Waits where the server is behind, and drops nothing.

        Args:
            video_key: The camera.
            image: (H, W, C) or (C, H, W); uint8, or floats from 0 to 1.

        Raises:
            RuntimeError: No episode was begun.
            TelecineError: What `Job.push` raises.
        """
        if not self._is_active:
            raise RuntimeError("No active episode. Call start_episode() first.")
        begin = time.perf_counter()
        self._cameras[video_key].feed(np.asarray(image))
        self.waited_seconds[video_key] += time.perf_counter() - begin

    def finish_episode(self) -> dict[str, tuple[Path, dict[str, Any] | None]]:
        """Ends the episode; returns each camera's file and the statistics of its frames, as the original.

        Raises:
            RuntimeError: No episode was begun, or a file has not as many frames as were fed.
            TelecineError: What `Job.result` raises.
        """
        if not self._is_active:
            raise RuntimeError("No active episode to finish.")
        try:
            for camera in self._cameras.values():
                camera.finish()
            found = {key: self._ended(key, camera) for key, camera in self._cameras.items()}
        except BaseException:
            self.cancel_episode()
            raise
        self._cameras, self._is_active = {}, False
        return found

    def cancel_episode(self) -> None:
        """Cancels an episode that is under way, and removes its files. Idempotent."""
        cameras, self._cameras, self._is_active = self._cameras, {}, False
        for camera in cameras.values():
            camera.cancel()

    def close(self) -> None:
        """Ends the encoder; cancels an episode that is under way. Idempotent."""
        self.cancel_episode()

    @property
    def _address(self) -> str | None:
        return self._server or _server

    def _output(self) -> Output:
        codec = _CODECS.get(self.vcodec, self.vcodec.split("_")[0])
        preset = 12 if self.preset is None and codec == "av1" else self.preset
        return Output(
            "mp4",
            codec=codec,
            pixel_format=self.pix_fmt,
            crf=self.crf,
            preset="" if preset is None else str(preset),
            options={} if self.g is None else {"g": self.g},
        )

    def _ended(self, key: str, camera: _Camera) -> tuple[Path, dict[str, Any] | None]:
        if not camera.frames:
            camera.cancel()
            return camera.path, None
        client = client_of(self._address)
        self.results[key] = result = camera.result(client)
        if self._manifests is not None:
            self._manifests.mkdir(parents=True, exist_ok=True)
            name = f"{result.job_id}_{camera.path.name}.manifest.json"
            (self._manifests / name).write_bytes(result.manifest_json)
        return camera.path, camera.statistics.found()


class _Camera:
    """The job of one camera in one episode."""

    def __init__(self, path: Path, job: Job) -> None:
        self.path, self._job = path, job
        self.frames = 0
        self.statistics = _Statistics()

    def feed(self, image: np.ndarray[Any, Any]) -> None:
        if image.ndim == 3 and image.shape[0] == 3:  # as the original reads it
            image = image.transpose(1, 2, 0)
        if image.dtype.kind == "f":
            image = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        self._job.push(image)
        self.frames += 1
        self.statistics.add(image)

    def finish(self) -> None:
        if self.frames:
            self._job.finish()

    def result(self, client: Client) -> EncodeResult:
        with self._job:
            result = self._job.result(self.path)
        if result.job.total_frames != self.frames:
            raise RuntimeError(f"{self.path.name} has {result.job.total_frames} of {self.frames} frames")
        if client.settings.server is None:
            # An embedded server keeps no copies of thousands of episodes; what is left goes with it.
            with suppress(TelecineError):
                client.delete_job(result.job_id)
        return result

    def cancel(self) -> None:
        try:
            self._job.cancel()
        except TelecineError:
            pass  # the server expires what nobody asks for
        self._job.close()
        shutil.rmtree(self.path.parent, ignore_errors=True)


class _Statistics:
    """LeRobot's own statistics of frames, where it is installed."""

    def __init__(self) -> None:
        try:
            module = import_module("lerobot.datasets.compute_stats")
            self._tracker = module.RunningQuantileStats()
            self._smaller = module.auto_downsample_height_width
        except Exception:  # noqa: BLE001 - whatever a foreign package raises; a dataset needs them, a file does not
            self._tracker = None
        self._count = 0

    def add(self, image: np.ndarray[Any, Any]) -> None:
        self._count += 1
        if self._tracker is not None and image.ndim == 3:
            smaller = self._smaller(image.transpose(2, 0, 1))
            self._tracker.update(smaller.transpose(1, 2, 0).reshape(-1, smaller.shape[0]))

    def found(self) -> dict[str, Any] | None:
        if self._tracker is None or self._count < _MIN_FOR_STATISTICS:
            return None
        found: dict[str, Any] = self._tracker.get_statistics()
        return found


_METHODS = ("start_episode", "feed_frame", "finish_episode", "cancel_episode", "close")
