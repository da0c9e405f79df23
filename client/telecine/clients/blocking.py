"""The blocking client: one connection to an encoder service, or to an embedded one."""

from __future__ import annotations

import io
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, Self, Unpack

from telecine import exceptions as errors
from telecine.channel import calls
from telecine.channel.blocking import BlockingChannel
from telecine.clients.belonging import PICKLING_ADVICE, not_pickled
from telecine.clients.blocking_job import Job
from telecine.clients.embedded import embedded_address
from telecine.clients.plan import JobArguments, ProgressCallback, id_of, plan_job
from telecine.clients.progress import ProgressReporter
from telecine.clients.settings import (
    DOWNLOAD_ATTEMPT_SECONDS,
    pause_seconds,
    settings_of,
    timeout_of,
)
from telecine.clients.viewing import Viewing
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.frames.animation import whole
from telecine.request.options import KeepAlive, OutputLike, RetryPolicy, Tls
from telecine.request.rates import FrameRate
from telecine.results import reading
from telecine.results.destination import Destination, destination_of, expect_one, outputs_for
from telecine.results.download import Transfer, target_of
from telecine.results.outcome import is_worth_fetching, verdict
from telecine.results.part import open_part
from telecine.results.target import writing
from telecine.results.values import Artifact, Capabilities, DamagedJob, EncodeResult, JobInfo, JobState
from telecine.results.watching import Watching, progress_of
from telecine.sound.reader import require_at_once


class Client(Viewing):
    """Encodes clips on a server: one connection, any number of jobs at once.

    Thread-safe; make one and keep it. gRPC does not survive a fork: make the client in the process that
    uses it.

    Args:
        server: "host:port" or "unix:/path". None: the configured one (TELECINE_SERVER, or `[sdk]` of a
            configuration file), else an embedded server, which this process starts once, shares among its
            clients and ends with itself; no other user of the machine can reach it.
        tls: PEM files of a secure connection, which are read again when they change. None: as configured
            (`sdk.tls`, TELECINE_TLS_*), by default a plain connection.
        token: A token or an API key, shown with each call, over a network by TLS alone. None: `token_file`.
        token_file: A file with one, read again at each call. None: as configured (TELECINE_TOKEN_FILE).
        keep_alive: How a dead or frozen server is noticed. None: as configured.
        retry: For how long, and how often, lost connections and failed calls are retried. None: as
            configured, by default up to 300 seconds without progress.
        retained_bytes: The most bytes of frames that each job keeps in memory until they are acknowledged.
            None: as configured, by default 256 MiB.
        call_timeout_seconds: Limit of one call in seconds, retries included; streams (uploads, downloads,
            `watch_job`) have none. None: as configured, by default 30.
        shares_memory: Hand frames to a server on this machine through shared memory, and copy artifacts
            from its disk instead of sending them (Linux, same user only). None: as configured, by default
            True.

    Raises:
        InvalidRequestError: The configuration is wrong; every wrong setting is named.
        EmbeddedUnavailableError: No server is named, and the embedded one cannot be started.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        token_file: str | Path | None = None,
        keep_alive: KeepAlive | None = None,
        retry: RetryPolicy | None = None,
        retained_bytes: int | None = None,
        call_timeout_seconds: float | None = None,
        shares_memory: bool | None = None,
    ) -> None:
        shown = (token, token_file)
        self.settings = settings_of(
            server, tls, keep_alive, retry, retained_bytes, call_timeout_seconds, shares_memory, shown
        )
        """How it behaves."""
        self.address = self.settings.server or embedded_address()
        """Where the server listens."""
        self.channel = BlockingChannel(self.settings.target(self.address))
        """The door to gRPC; for the SDK's own use."""
        self._jobs: weakref.WeakSet[Job] = weakref.WeakSet()

    # --- encoding --------------------------------------------------------------------------------

    def encode(
        self,
        frames: object,
        *,
        fps: FrameRate,
        outputs: OutputLike | Sequence[OutputLike] | None = None,
        to: str | Path | None = None,
        allow_partial: bool = False,
        **arguments: Unpack[JobArguments],
    ) -> EncodeResult:
        """Sends frames, waits for the outputs, and downloads them if `to` is given; returns the ended job.

        Any exception, Ctrl-C included, cancels the job.

        Args:
            frames: Arrays of shape (T, H, W, C), (H, W, C), (T, H, W) or (H, W); torch tensors on any device;
                PIL images; `bytes` of raw frames (with `width`, `height` and `pixel_format`); or an iterable
                of those, which is read as fast as the frames can be sent. Samples are uint8, uint16, or
                floats from 0 to 1.
            fps: Frames per second: a number, a fraction such as "24000/1001", or a `Fraction`.
            outputs: Format names ("mp4") or `Output`s. None: what the name `to` ends with, else "mp4".
            to: "clip.mp4": that file, of the only output, with `clip.mp4.manifest.json` beside it; else the
                directory for the artifacts and the manifest. None: they stay on the server; from an
                embedded one without a `data_dir` they go to `telecine-output/<job_id>`.
            allow_partial: Return the outputs that were made, even if others failed, instead of raising.
            **arguments: The optional settings of a job: `job_id`, `width`, `height`, `pixel_format`,
                `layout`, `out_of_range`, `convert_to`, `color`, `odd_size`, `metadata`, `priority`,
                `deadline_seconds`, `expected_frames`, `strict`, `skip_unavailable`, `webhooks`,
                `audio`, `on_progress`; see `JobArguments`.

        Raises:
            InvalidFramesError: The frames have a shape, type or size that cannot be taken.
            ValueRangeError: Floats are NaN or out of range, and `out_of_range` is not "clip".
            InvalidRequestError: An argument is wrong.
            TargetError: `to` cannot be made or written; that is seen before the first frame is read.
            JobIncompleteError: Some outputs failed, and `allow_partial` is False.
            JobFailedError: No output could be made; the other JobErrors name other ways for a job to end.
            LaterError: The server could not be reached, or has no room, for longer than `retry` allows.
        """
        job = self.open_job(fps=fps, outputs=outputs_for(destination_of(to), outputs), **arguments)
        try:
            job.push(whole(frames))
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
        """Begins a job whose frames are pushed bit by bit.

        It connects as soon as the size and pixel format of the frames are known: now, if `width`, `height`
        and `pixel_format` are given, otherwise with the first `push`.

        Args:
            fps: Frames per second: a number, a fraction such as "24000/1001", or a `Fraction`.
            outputs: What to make: format names ("mp4") or `Output`s, one or several.
            **arguments: The optional settings of a job: `job_id`, `width`, `height`, `pixel_format`,
                `layout`, `out_of_range`, `convert_to`, `color`, `odd_size`, `metadata`, `priority`,
                `deadline_seconds`, `expected_frames`, `strict`, `skip_unavailable`, `webhooks`,
                `audio`, `on_progress`; see `JobArguments`.

        Raises:
            InvalidRequestError: An argument is wrong.
            InvalidFramesError: The declared size is one that cannot be taken.
            OutOfOrderError: The client is closed, or was made before this process was forked.
        """
        self._check()
        plan = plan_job(fps, outputs, arguments)
        require_at_once(plan.sound)
        job = Job(self, plan, calls.current_request_id())
        self._jobs.add(job)
        return job

    # --- jobs ------------------------------------------------------------------------------------

    def get_job(self, job_id: str) -> JobInfo:
        """Returns the current state of a job.

        Raises:
            JobNotFoundError: The server knows no such job, or has deleted it.
        """
        return reading.job(self._call(calls.GET_JOB, pb.GetJobRequest(job_id=id_of(job_id))).job)

    def jobs(
        self, *, states: Iterable[JobState | str] = (), prefix: str = "", page_size: int = 100
    ) -> Iterator[JobInfo]:
        """Iterates over the server's jobs, newest first; pages are fetched as they are needed.

        Args:
            states: Only jobs in one of these states. Empty: jobs in every state.
            prefix: Only jobs whose id begins with this text. Empty: all.
            page_size: The most jobs per request to the server, up to 1000. 0: 50.

        Raises:
            InvalidRequestError: There is no such state.
        """
        request = reading.list_request(states, prefix, page_size)
        while True:
            page = self._call(calls.LIST_JOBS, request)
            yield from (reading.job(job) for job in page.jobs)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def damaged_jobs(self, *, prefix: str = "") -> tuple[DamagedJob, ...]:
        """Returns the jobs whose files are damaged on the server's disk, at most 1000.

        `jobs` does not list them, and every call that names one raises JobDamagedError. `prefix`: only jobs
        whose id begins with this text; empty: all.
        """
        return reading.damaged_jobs(self._call(calls.LIST_JOBS, reading.list_request((), prefix, 1)))

    def watch_job(
        self, job_id: str, *, interval_seconds: float = 0.2, timeout_seconds: float | None = None
    ) -> Iterator[JobInfo]:
        """Iterates over the states of a job, from the current one to its end.

        Yields a `JobInfo` at once, and again after each change. A lost connection shows only as a pause. A
        slow reader skips to the newest state.

        Args:
            job_id: The job to watch; any process may watch any job.
            interval_seconds: The least time between two reports of mere progress, 0 to 60 seconds. A change
                of state is reported at once. 0: everything is reported at once.
            timeout_seconds: Give up after this many seconds. None: never.

        Raises:
            JobNotFoundError: The server knows no such job.
            TimedOutError: The job has not ended within `timeout_seconds`.
            UnavailableError: The server could not be reached for longer than `retry` allows.
        """
        watching = Watching(job_id, interval_seconds)
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_of(timeout_seconds)
        self._check()
        channel = self.channel
        backoff = self.settings.stream_backoff()
        request_id = calls.current_request_id()
        outage = self.settings.outage(job_id=job_id)
        while not watching.is_over:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                stream = channel.watch(watching.request(), remaining, request_id)
                try:
                    for response in stream:
                        backoff.progressed()
                        outage.answered()
                        if (news := watching.take(response)) is not None:
                            yield news
                finally:
                    stream.cancel()
                watching.ended()
            except errors.LaterError as error:
                watching.expect_before(deadline, error)
                time.sleep(pause_seconds(backoff, error, calls.WATCH_PATH, outage))

    def wait(
        self,
        job_id: str,
        to: str | Path | None = None,
        *,
        allow_partial: bool = False,
        timeout_seconds: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> EncodeResult:
        """Waits for the end of a job, whichever process started it.

        Args:
            job_id: The job to wait for.
            to: Directory or file, as in `encode`. None: they stay on the server.
            allow_partial: Return the outputs that were made, even if others failed, instead of raising.
            timeout_seconds: Give up after this many seconds; the job goes on. None: wait until it ends.
            on_progress: Called with a `Progress` from this thread whenever the job has moved on. None: no
                reports.

        Returns:
            The ended job with its artifacts, warnings and manifest.

        Raises:
            JobNotFoundError: The server knows no such job.
            TargetError: `to` cannot be made or written.
            TimedOutError: The job has not ended within `timeout_seconds`.
            JobIncompleteError: Some outputs failed, and `allow_partial` is False.
            JobFailedError: No output could be made; the other JobErrors name other ways for a job to end.
        """
        self._check()
        destination = destination_of(to)
        info = self.get_job(job_id)
        expect_one(destination, len(info.outputs))
        reporter = ProgressReporter(on_progress)
        try:
            for info in self.watch_job(job_id, timeout_seconds=timeout_seconds):
                reporter.report(progress_of(info))
        except errors.TimedOutError as error:
            raise errors.TimedOutError(f"job {job_id} is {info.state} after {timeout_seconds:g} s") from error
        result = EncodeResult(info, info.artifacts, self._manifest_if_any(job_id))
        return self.conclude(result, to, allow_partial=allow_partial)

    def cancel_job(
        self, job_id: str, *, timeout_seconds: float | None = None, is_forestalling: bool = False
    ) -> JobInfo:
        """Cancels a job and returns its state. A job that has ended stays as it is.

        Args:
            job_id: The job to cancel.
            timeout_seconds: For how many seconds to try. None: the client's `call_timeout_seconds`.
            is_forestalling: If the server does not know the job yet, have it refuse the job should it arrive
                within a minute; JobNotFoundError is raised all the same.

        Raises:
            JobNotFoundError: The server knows no such job.
        """
        request = pb.CancelJobRequest(job_id=id_of(job_id), is_forestalling=is_forestalling)
        return reading.job(self._call(calls.CANCEL_JOB, request, timeout_seconds).job)

    def delete_job(self, job_id: str) -> None:
        """Deletes an ended job with its artifacts and its manifest.

        Raises:
            JobNotFoundError: The server knows no such job.
            WrongStateError: The job has not ended; cancel it first.
        """
        self._call(calls.DELETE_JOB, pb.DeleteJobRequest(job_id=id_of(job_id)))

    def manifest(self, job_id: str) -> bytes:
        """Returns the manifest of an ended job: UTF-8 JSON that follows docs/manifest.schema.json.

        Raises:
            JobNotFoundError: The server knows no such job.
            WrongStateError: The job has not ended yet.
        """
        return self._call(calls.GET_MANIFEST, pb.GetManifestRequest(job_id=id_of(job_id))).manifest_json

    def capabilities(self) -> Capabilities:
        """Returns what the server can make, with which encoders, library versions and limits."""
        return reading.capabilities(self._call(calls.GET_CAPABILITIES, pb.GetCapabilitiesRequest()))

    # --- bytes -----------------------------------------------------------------------------------

    def download(self, job_id: str, path: str, to: str | Path) -> Artifact:
        """Downloads one artifact to a file and checks its SHA-256.

        The bytes go to `<name>.part`, which is renamed when it is complete. A part that an earlier, broken
        download left is continued.

        Args:
            job_id: The job that made the artifact.
            path: `Artifact.path`, or "manifest.json".
            to: A file; or a directory that exists or whose name ends with "/", below which the artifact keeps
                its path.

        Returns:
            The artifact, with `local_path` set.

        Raises:
            JobNotFoundError: The server knows no such job.
            ArtifactNotFoundError: The job has no such artifact (yet).
            ChecksumMismatchError: The bytes are not those that the server hashed; the file was not kept.
            TargetError: The file cannot be made or written.
            UnavailableError: The server could not be reached for longer than `retry` allows.
        """
        self._check()
        target = target_of(to, path)
        mine, secret = self.settings.host_id, self.settings.secret
        with (
            writing(target, job_id),
            open_part(target) as part,
            Transfer(job_id, path, part.file, host_id=mine, secret=secret) as transfer,
        ):
            return part.place(self._transfer(transfer))

    def read(self, job_id: str, path: str, *, limit_bytes: int = 64 << 20) -> bytes:
        """Returns the bytes of a small artifact, checked by its SHA-256.

        Args:
            job_id: The job that made the artifact.
            path: `Artifact.path`, or "manifest.json".
            limit_bytes: The most bytes to take into memory.

        Raises:
            JobNotFoundError: The server knows no such job.
            ArtifactNotFoundError: The job has no such artifact (yet).
            TooLargeError: The artifact is larger than `limit_bytes`.
        """
        buffer = io.BytesIO()
        with Transfer(job_id, path, buffer, limit_bytes) as transfer:
            self._transfer(transfer)
        return buffer.getvalue()

    def conclude(self, result: EncodeResult, to: str | Path | None, *, allow_partial: bool) -> EncodeResult:
        """Downloads what an ended job has made; raises the error that the job ended with, if any.

        `Job.result` and `wait` end with this call.

        Args:
            result: The ended job.
            to: Directory or file, as in `encode`. None: nothing is downloaded, unless the
                server is an embedded one without a `data_dir`: then `telecine-output/<job_id>`.
            allow_partial: Return the outputs that were made, even if others failed, instead of raising.

        Raises:
            TargetError: `to` cannot be made or written.
            JobIncompleteError: Some outputs failed, and `allow_partial` is False.
            JobFailedError: No output could be made; the other JobErrors name other ways for a job to end.
        """
        destination = destination_of(to) or self.settings.rescue_place(result)
        if destination is not None and is_worth_fetching(result.job):
            destination.expect(result.artifacts)
            with writing(destination.path, result.job_id):
                result = self._fetch(result, destination)
        error = verdict(result, allow_partial=allow_partial)
        if error is not None:
            raise error
        return result

    # --- life ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Closes the connection, and stops following jobs, which continue on the server. Idempotent."""
        for job in list(self._jobs):
            job.close()
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise not_pickled("a client", PICKLING_ADVICE)

    # --- inside ----------------------------------------------------------------------------------

    def _check(self) -> None:
        self.settings.check_process()
        self.channel.check()

    def _call(
        self,
        rpc: calls.Unary[calls.RequestT, calls.ResponseT],
        request: calls.RequestT,
        timeout_seconds: float | None = None,
    ) -> calls.ResponseT:
        self._check()
        timeout, retrying, outage = self.settings.calling(rpc.path, timeout_seconds)
        request_id = calls.current_request_id()
        return outage.run(retrying, lambda: self.channel.call(rpc, request, timeout, request_id))

    def _fetch(self, result: EncodeResult, to: Destination) -> EncodeResult:
        to.clear()
        fetched = tuple(self.download(result.job_id, each.path, to.of(each)) for each in result.artifacts)
        to.place_manifest(result.manifest_json)
        return replace(result, artifacts=fetched)

    def _transfer(self, transfer: Transfer) -> Artifact:
        self._check()
        backoff = self.settings.stream_backoff()
        request_id = calls.current_request_id()
        outage = self.settings.outage()
        while True:
            try:
                stream = self.channel.download(transfer.request(), DOWNLOAD_ATTEMPT_SECONDS, request_id)
                for response in stream:
                    if transfer.write(response):
                        backoff.progressed()
                        outage.answered()
                if not transfer.is_at_hand or transfer.copy():
                    return transfer.verified()
            except errors.LaterError as error:
                transfer.after_failure(error)
                time.sleep(pause_seconds(backoff, error, calls.DOWNLOAD_PATH, outage))

    def _manifest_if_any(self, job_id: str) -> bytes:
        try:
            return self.manifest(job_id)
        except errors.CallerError:
            return b""


def _cancel_quietly(job: Job) -> None:
    try:
        job.cancel()
    except errors.TelecineError:
        pass  # what is under way counts more
