"""The blocking client: one connection to an encoder service, or to an embedded one."""

from __future__ import annotations

import io
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self, Unpack

from telecine import exceptions as errors
from telecine.channel import calls
from telecine.channel.arguments import Target
from telecine.channel.blocking import BlockingChannel
from telecine.clients.blocking_job import Job
from telecine.clients.plan import JobArguments, ProgressCallback, plan_job
from telecine.clients.progress import ProgressTeller
from telecine.clients.settings import DOWNLOAD_ATTEMPT_SECONDS, pause_seconds, settings_of
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.request.options import KeepAlive, OutputLike, RetryPolicy, Tls
from telecine.request.rates import FrameRate
from telecine.results import reading
from telecine.results.download import Transfer, below, open_part, place, place_manifest, target_of
from telecine.results.outcome import is_worth_fetching, verdict
from telecine.results.values import Artifact, Capabilities, DamagedJob, EncodeResult, JobInfo, JobState
from telecine.results.watching import Watching, progress_of


class Client:
    """Encodes clips on a server.

    `server`: "host:port" or "unix:/path". None: what is configured (TELECINE_SERVER, `[sdk]` of a file), else
    an embedded server that this process starts once, shares among its clients and ends with itself; no other
    user of the machine can reach it.
    What else is None is as configured too, or by default; see docs/configuration.md.
    `retry`: how patiently it reconnects. `retained_bytes`: bound of the frames that each job keeps in
    memory until they are acknowledged. `call_timeout_seconds`: for everything but streams.
    `shares_memory`: hands frames to a server on this machine through memory that both can see, and copies
    artifacts from its disk, where it offers that (Linux; the same user), in place of sending them.

    Thread-safe; make one and keep it. gRPC does not survive a fork: make the client in the process that
    uses it.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        tls: Tls | None = None,
        keep_alive: KeepAlive | None = None,
        retry: RetryPolicy | None = None,
        retained_bytes: int | None = None,
        call_timeout_seconds: float | None = None,
        shares_memory: bool | None = None,
    ) -> None:
        self.settings = settings_of(
            server, tls, keep_alive, retry, retained_bytes, call_timeout_seconds, shares_memory=shares_memory
        )
        """How it behaves."""
        self.address = self.settings.server or _embedded_address()
        """Where the server listens."""
        self.channel = BlockingChannel(Target(self.address, self.settings.tls, self.settings.keep_alive))
        """The door to gRPC; for the SDK's own use."""
        self._jobs: weakref.WeakSet[Job] = weakref.WeakSet()

    # --- encoding --------------------------------------------------------------------------------

    def encode(
        self,
        frames: object,
        *,
        fps: FrameRate,
        outputs: OutputLike | Sequence[OutputLike] = ("mp4",),
        to: str | Path | None = None,
        allow_partial: bool = False,
        **arguments: Unpack[JobArguments],
    ) -> EncodeResult:
        """Sends frames, waits for the outputs and, with `to`, downloads them into that directory.

        `frames`: see `FrameReader`; an iterator is read as fast as the frames can be sent. Any exception,
        Ctrl-C included, cancels the job. Raises what `Job.push` and `Job.result` raise.
        """
        job = self.open_job(fps=fps, outputs=outputs, **arguments)
        try:
            job.push(frames)
            return job.result(to, allow_partial=allow_partial)
        except errors.JobError:
            raise
        except BaseException:
            _cancel_quietly(job)
            raise
        finally:
            job.close()

    def open_job(
        self,
        *,
        fps: FrameRate,
        outputs: OutputLike | Sequence[OutputLike] = ("mp4",),
        **arguments: Unpack[JobArguments],
    ) -> Job:
        """Begins a job whose frames come bit by bit; see `Job`.

        Connects as soon as the size and pixel format of the frames are known: now, if they are declared,
        else with the first `push`. Raises InvalidRequestError, InvalidFramesError.
        """
        self.settings.check_process()
        job = Job(self, plan_job(fps, outputs, arguments), calls.current_request_id())
        self._jobs.add(job)
        return job

    # --- jobs ------------------------------------------------------------------------------------

    def get_job(self, job_id: str) -> JobInfo:
        """Tells where a job stands. Raises JobNotFoundError."""
        return reading.job(self._call(calls.GET_JOB, pb.GetJobRequest(job_id=job_id)).job)

    def jobs(
        self, *, states: Iterable[JobState | str] = (), prefix: str = "", page_size: int = 100
    ) -> Iterator[JobInfo]:
        """Iterates jobs, newest first, fetching pages as they are needed.

        `states`: only these; `prefix`: only ids that begin so.
        """
        request = reading.list_request(states, prefix, page_size)
        while True:
            page = self._call(calls.LIST_JOBS, request)
            yield from (reading.job(job) for job in page.jobs)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def damaged_jobs(self, *, prefix: str = "") -> tuple[DamagedJob, ...]:
        """Jobs whose files are damaged on the server's disk, at most 1000; `prefix`: ids that begin so.

        `jobs` does not list them, and every call that names one raises DataLossError.
        """
        return reading.damaged_jobs(self._call(calls.LIST_JOBS, reading.list_request((), prefix, 1)))

    def watch_job(
        self, job_id: str, *, interval_seconds: float = 0.2, timeout_seconds: float | None = None
    ) -> Iterator[JobInfo]:
        """Iterates where a job stands: at once, then whenever that has changed, to its end.

        Progress alone comes every `interval_seconds` (0 to 60), a change of state at once. A lost connection
        shows only as a pause; whoever reads slowly gets the newest. Raises JobNotFoundError, TimedOutError
        after `timeout_seconds`, or why the server cannot be reached.
        """
        watching = Watching(job_id, interval_seconds)
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self.settings.check_process()
        channel = self.channel
        backoff = self.settings.stream_backoff()
        request_id = calls.current_request_id()
        while not watching.is_over:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                stream = channel.watch(watching.request(), remaining, request_id)
                try:
                    for response in stream:
                        backoff.progressed()
                        if (news := watching.take(response)) is not None:
                            yield news
                finally:
                    stream.cancel()
                watching.ended()
            except errors.LaterError as error:
                watching.expect_before(deadline, error)
                time.sleep(pause_seconds(backoff, error, calls.WATCH_PATH))

    def wait(
        self,
        job_id: str,
        to: str | Path | None = None,
        *,
        allow_partial: bool = False,
        timeout_seconds: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> EncodeResult:
        """Waits for a job that this process does not hold.

        `to`, `allow_partial` and errors as in `Job.result`; `on_progress` as for `open_job`, called from
        this thread.
        """
        info = self.get_job(job_id)
        teller = ProgressTeller(on_progress)
        try:
            for info in self.watch_job(job_id, timeout_seconds=timeout_seconds):
                teller.tell(progress_of(info))
        except errors.TimedOutError as error:
            raise errors.TimedOutError(f"job {job_id} is {info.state} after {timeout_seconds:g} s") from error
        result = EncodeResult(info, info.artifacts, self._manifest_if_any(job_id))
        return self.conclude(result, to, allow_partial=allow_partial)

    def cancel_job(
        self, job_id: str, *, timeout_seconds: float | None = None, is_forestalling: bool = False
    ) -> JobInfo:
        """Cancels a job; one that has ended stays as it is. Raises JobNotFoundError.

        `timeout_seconds`: how long to try; None: the client's `call_timeout_seconds`. `is_forestalling`:
        a job that is not known yet is refused, should it come within a minute; the error is the same.
        """
        request = pb.CancelJobRequest(job_id=job_id, is_forestalling=is_forestalling)
        return reading.job(self._call(calls.CANCEL_JOB, request, timeout_seconds).job)

    def delete_job(self, job_id: str) -> None:
        """Deletes an ended job with its artifacts. Raises JobNotFoundError, WrongStateError."""
        self._call(calls.DELETE_JOB, pb.DeleteJobRequest(job_id=job_id))

    def manifest(self, job_id: str) -> bytes:
        """The manifest of an ended job, UTF-8 JSON. Raises JobNotFoundError, WrongStateError."""
        return self._call(calls.GET_MANIFEST, pb.GetManifestRequest(job_id=job_id)).manifest_json

    def capabilities(self) -> Capabilities:
        """What the server can make, with which builds and limits."""
        return reading.capabilities(self._call(calls.GET_CAPABILITIES, pb.GetCapabilitiesRequest()))

    # --- bytes -----------------------------------------------------------------------------------

    def download(self, job_id: str, path: str, to: str | Path) -> Artifact:
        """Downloads one artifact (`Artifact.path`, or "manifest.json"), checked by its SHA-256.

        `to`: a file; or a directory that exists (or ends with "/"), below which it keeps its path. It is
        written as `<name>.part` and renamed when it is whole; such a part from an earlier, broken download
        is gone on with. Raises ArtifactNotFoundError, JobNotFoundError, or why it cannot be had.
        """
        target = target_of(to, path)
        mine, secret = self.settings.host_id, self.settings.secret
        with (
            open_part(target) as file,
            Transfer(job_id, path, file, host_id=mine, secret=secret) as transfer,
        ):
            found = self._transfer(transfer)
        return place(target, found)

    def read(self, job_id: str, path: str, *, limit_bytes: int = 64 << 20) -> bytes:
        """The bytes of a small artifact. Raises TooLargeError above `limit_bytes`."""
        buffer = io.BytesIO()
        with Transfer(job_id, path, buffer, limit_bytes) as transfer:
            self._transfer(transfer)
        return buffer.getvalue()

    def conclude(self, result: EncodeResult, to: str | Path | None, *, allow_partial: bool) -> EncodeResult:
        """Downloads what an ended job has made, and raises what it stands for; see `Job.result`."""
        if to is not None and is_worth_fetching(result.job):
            result = self._fetch(result, Path(to))
        error = verdict(result, allow_partial=allow_partial)
        if error is not None:
            raise error
        return result

    # --- life ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stops following its jobs, which go on on the server, and closes the connection. Idempotent."""
        for job in list(self._jobs):
            job.close()
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside ----------------------------------------------------------------------------------

    def _call(
        self,
        rpc: calls.Unary[calls.RequestT, calls.ResponseT],
        request: calls.RequestT,
        timeout_seconds: float | None = None,
    ) -> calls.ResponseT:
        self.settings.check_process()
        timeout = timeout_seconds or self.settings.call_timeout_seconds
        request_id = calls.current_request_id()
        retrying = self.settings.calls.within(timeout, rpc.path)
        return retrying.run(lambda _: self.channel.call(rpc, request, timeout, request_id))

    def _fetch(self, result: EncodeResult, directory: Path) -> EncodeResult:
        fetched = tuple(
            self.download(result.job_id, artifact.path, below(directory, artifact.path))
            for artifact in result.artifacts
        )
        if result.manifest_json:
            place_manifest(directory, result.manifest_json)
        return replace(result, artifacts=fetched)

    def _transfer(self, transfer: Transfer) -> Artifact:
        self.settings.check_process()
        backoff = self.settings.stream_backoff()
        request_id = calls.current_request_id()
        while True:
            try:
                stream = self.channel.download(transfer.request(), DOWNLOAD_ATTEMPT_SECONDS, request_id)
                for response in stream:
                    if transfer.write(response):
                        backoff.progressed()
                if not transfer.is_at_hand or transfer.copy():
                    return transfer.verified()
            except errors.LaterError as error:
                transfer.after_failure(error)
                time.sleep(pause_seconds(backoff, error, calls.DOWNLOAD_PATH))

    def _manifest_if_any(self, job_id: str) -> bytes:
        try:
            return self.manifest(job_id)
        except errors.CallerError:
            return b""


def _embedded_address() -> str:
    from telecine.clients.embedded import embedded_server

    return embedded_server().address


def _cancel_quietly(job: Job) -> None:
    try:
        job.cancel()
    except errors.TelecineError:
        pass  # what is under way counts more
