"""A plugin for imageio: `iio.imwrite("clip.mp4", frames, plugin="telecine", fps=16)`.

    import telecine.compat.imageio as t
    t.install()

imageio has no entry points for plugins: `install` puts ours on its list. It writes; imageio's others read.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Self, cast

from telecine.clients.blocking_job import Job
from telecine.clients.plan import JobArguments
from telecine.compat.clips import client_of, forget, format_of
from telecine.compat.fallback import CompatCode, warn
from telecine.exceptions import TelecineError, UnavailableError
from telecine.request.options import Output, Quality
from telecine.request.rates import FrameRate
from telecine.results.destination import beside

NAME = "telecine"
_server: str | None = None


def install(server: str | None = None) -> bool:
    """Puts the plugin on imageio's list under the name "telecine"; returns whether imageio is there.

    Args:
        server: "host:port" or "unix:/path". None: the configured one (TELECINE_SERVER), else an embedded
            server.
    """
    global _server  # noqa: PLW0603 - one setting of the process, as imageio's own list is
    _server = server
    try:
        plugins = import_module("imageio.config.plugins")
    except Exception as error:  # noqa: BLE001 - whatever a foreign package raises while it is imported
        warn(CompatCode.NOT_INSTALLED, f"imageio cannot be imported ({type(error).__name__}: {error})")
        return False
    plugins.known_plugins[NAME] = plugins.PluginConfig(NAME, "TelecinePlugin", __name__, install_name=NAME)
    return True


class TelecinePlugin:
    """Writes one file; made by imageio (`iio.imopen(uri, "w", plugin="telecine")`).

    Several `write`s make one clip. The file is there when it is closed, with its manifest beside it where it
    has a name on the disk.
    """

    def __init__(self, request: Any) -> None:
        self._request = request
        self._job: Job | None = None
        if request.mode.io_mode.value != "w":
            refuse = import_module("imageio.core.request").InitializationError
            raise refuse("telecine writes; read with another plugin, such as pyav")

    @property
    def request(self) -> Any:
        """imageio's own account of the file."""
        return self._request

    def write(
        self,
        ndimage: Any,
        *,
        fps: FrameRate = 24,
        is_batch: bool = True,
        codec: str = "",
        quality: Quality | str = Quality.HIGH,
        crf: float | None = None,
        bit_rate: int | str = 0,
        **arguments: Any,
    ) -> bytes | None:
        """Sends frames; a file of one call is finished when imageio closes it.

        Args:
            ndimage: Frames as `Client.encode` takes them, or with `is_batch=False` one frame.
            fps: Frames per second; of the first call.
            is_batch: Whether there are several frames. An array says so itself.
            codec: As in `Output`. Empty: the format's default.
            quality: As in `Output`.
            crf: As in `Output`. None: by `quality`.
            bit_rate: Bits per second. 0: by `quality`.
            **arguments: Settings of the job, such as `audio`, `metadata`, `layout`, `strict`.

        Returns:
            The file where imageio asked for "<bytes>", else None.

        Raises:
            TelecineError: What `Client.open_job` and `Job.push` raise.
        """
        if self._job is None:
            wanted = Output(self._format(), codec=codec, quality=quality, crf=crf, bit_rate=bit_rate)
            self._job = self._open(wanted, fps, cast(JobArguments, arguments))
        self._job.push(ndimage if is_batch or hasattr(ndimage, "shape") else [ndimage])
        return self._finish() if self._request.raw_uri == "<bytes>" else None

    def close(self) -> None:
        """Finishes the file. Idempotent. Raises what `Job.result` raises."""
        try:
            self._finish()
        finally:
            self._request.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._job is not None:
            job, self._job = self._job, None
            with job, suppress(TelecineError):
                job.cancel()
        self.close()

    def _format(self) -> str:
        return format_of(f"clip{self._request.extension or ''}")

    def _open(self, output: Output, fps: FrameRate, arguments: JobArguments) -> Job:
        try:
            return client_of(_server).open_job(fps=fps, outputs=output, **arguments)
        except UnavailableError:
            forget(_server)
            raise

    def _finish(self) -> bytes | None:
        """The file's bytes, once, if a job was begun."""
        job, self._job = self._job, None
        if job is None:
            return None
        name = self._request.get_local_filename()
        with job:
            job.result(name)
        if name == self._request.filename:
            return None
        beside(Path(name)).unlink(missing_ok=True)  # of a temporary file, which imageio copies elsewhere
        return Path(name).read_bytes()
