"""The asyncio client: one connection to an encoder service, or to an embedded one."""

from __future__ import annotations

import asyncio
import io
import time
import weakref
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, Self, Unpack

from telecine import exceptions as errors
from telecine.channel import calls
from telecine.channel.asynchronous import AsyncChannel
from telecine.channel.errors import check_open
from telecine.clients.asynchronous_job import AsyncJob
from telecine.clients.belonging import PICKLING_ADVICE, EventLoop, not_pickled
from telecine.clients.embedded import embedded_address
from telecine.clients.plan import JobArguments, ProgressCallback, id_of, plan_job
from telecine.clients.progress import ProgressReporter
from telecine.clients.settings import DOWNLOAD_ATTEMPT_SECONDS, pause_seconds, settings_of, timeout_of
from telecine.clients.viewing import AsyncViewing
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
from telecine.sound.reader import with_sample_format


class AsyncClient(AsyncViewing):
    """Encodes clips on a server from asyncio code: one connection, any number of jobs at once.

    Belongs to one event loop; where that has been closed, to the next one that uses it. It connects (and
    starts the embedded server, if no other is named) with the first call. gRPC does not survive a fork: make
    the client in the process that uses it.

    Args:
        server: "host:port" or "unix:/path". None: the configured one (TELECINE_SERVER, or `[sdk]` of a
            configuration file), else an embedded server, which this process starts once, shares among its
            clients and ends with itself; no other user of the machine can reach it.
        tls: PEM files of a secure connection, read again when they change. None: as configured, or plain.
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
            from its disk (Linux, same user only). None: as configured, by default True.

    Raises:
        InvalidRequestError: The configuration is wrong; every wrong setting is named.
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
        self._loop = EventLoop("client", "Make one inside of what asyncio.run runs.", may_follow=True)
        self._channel: AsyncChannel | None = None
        self._opening = asyncio.Lock()
        self._is_closed = False
        self._jobs: weakref.WeakSet[AsyncJob] = weakref.WeakSet()

    # --- encoding --------------------------------------------------------------------------------

    async def encode(
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

        A cancelled task, and any other exception, cancels the job.

        Args:
            frames: Arrays of shape (T, H, W, C), (H, W, C), (T, H, W) or (H, W); torch tensors on any device;
                PIL images; `bytes` of raw frames (with `width`, `height` and `pixel_format`); or an iterable,
                asynchronous or not, of those. Samples are uint8, uint16, or floats from 0 to 1.
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
        arguments["audio"] = await with_sample_format(arguments.get("audio"))
        job = self.open_job(fps=fps, outputs=outputs_for(destination_of(to), outputs), **arguments)
        try:
            await job.push(whole(frames))
            return await job.result(to, allow_partial=allow_partial)
        except errors.JobError:
            raise
        except BaseException:
            await _cancel_quietly(job)
            raise
        finally:
            await job.close()

    def open_job(
        self,
        *,
        fps: FrameRate,
        outputs: OutputLike | Sequence[OutputLike] = ("mp4",),
        **arguments: Unpack[JobArguments],
    ) -> AsyncJob:
        """Begins a job whose frames are pushed bit by bit.

        It connects as soon as the size and pixel format of the frames are known: now, if `width`, `height`
        and `pixel_format` are given, otherwise with the first `push`.

        Args:
            fps: Frames per second: a number, a fraction such as "24000/1001", or a `Fraction`.
            outputs: What to make: format names ("mp4") or `Output`s, one or several.
            **arguments: The optional settings of a job, as in `encode`; see `JobArguments`.

        Raises:
            InvalidRequestError: An argument is wrong.
            InvalidFramesError: The declared size is one that cannot be taken.
            OutOfOrderError: The client was made before this process was forked, or belongs to another loop.
        """
        self._check()
        check_open(is_closed=self._is_closed)
        job = AsyncJob(self, plan_job(fps, outputs, arguments), calls.current_request_id())
        self._jobs.add(job)
        return job

    # --- jobs ------------------------------------------------------------------------------------

    async def get_job(self, job_id: str) -> JobInfo:
        """Returns the current state of a job.

        Raises:
            JobNotFoundError: The server knows no such job, or has deleted it.
        """
        return reading.job((await self._call(calls.GET_JOB, pb.GetJobRequest(job_id=id_of(job_id)))).job)

    async def jobs(
        self, *, states: Iterable[JobState | str] = (), prefix: str = "", page_size: int = 100
    ) -> AsyncIterator[JobInfo]:
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
            page = await self._call(calls.LIST_JOBS, request)
            for job in page.jobs:
                yield reading.job(job)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def damaged_jobs(self, *, prefix: str = "") -> tuple[DamagedJob, ...]:
        """Returns the jobs whose files are damaged on the server's disk, at most 1000.

        `jobs` does not list them, and every call that names one raises JobDamagedError. `prefix`: only jobs
        whose id begins with this text; empty: all.
        """
        return reading.damaged_jobs(await self._call(calls.LIST_JOBS, reading.list_request((), prefix, 1)))

    async def watch_job(
        self, job_id: str, *, interval_seconds: float = 0.2, timeout_seconds: float | None = None
    ) -> AsyncIterator[JobInfo]:
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
        channel = await self.channel()
        backoff, outage = self.settings.stream_backoff(), self.settings.outage(job_id=job_id)
        request_id = calls.current_request_id()
        while not watching.is_over:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                stream = channel.watch(watching.request(), remaining, request_id)
                try:
                    async for response in stream:
                        backoff.progressed()
                        outage.answered()
                        if (news := watching.take(response)) is not None:
                            yield news
                finally:
                    stream.cancel()
                watching.ended()
            except errors.LaterError as error:
                watching.expect_before(deadline, error)
                await asyncio.sleep(pause_seconds(backoff, error, calls.WATCH_PATH, outage))

    async def wait(
        self,
        job_id: str,
        to: str | Path | None = None,
        *,
        allow_partial: bool = False,
        timeout_seconds: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> EncodeResult:
        """Waits for the end of a job, whichever process started it; returns the ended job.

        Args:
            job_id: The job to wait for.
            to: Directory or file, as in `encode`. None: they stay on the server.
            allow_partial: Return the outputs that were made, even if others failed, instead of raising.
            timeout_seconds: Give up after this many seconds; the job goes on. None: wait until it ends.
            on_progress: Called with a `Progress` on the event loop whenever the job has moved on. None: no
                reports.

        Raises:
            JobNotFoundError: The server knows no such job.
            TargetError: `to` cannot be made or written.
            TimedOutError: The job has not ended within `timeout_seconds`.
            JobIncompleteError: Some outputs failed, and `allow_partial` is False.
            JobFailedError: No output could be made; the other JobErrors name other ways for a job to end.
        """
        destination = destination_of(to)
        info = await self.get_job(job_id)
        expect_one(destination, len(info.outputs))
        reporter = ProgressReporter(on_progress)
        try:
            async for info in self.watch_job(job_id, timeout_seconds=timeout_seconds):
                reporter.report(progress_of(info))
        except errors.TimedOutError as error:
            raise errors.TimedOutError(f"job {job_id} is {info.state} after {timeout_seconds:g} s") from error
        result = EncodeResult(info, info.artifacts, await self._manifest_if_any(job_id))
        return await self.conclude(result, to, allow_partial=allow_partial)

    async def cancel_job(
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
        return reading.job((await self._call(calls.CANCEL_JOB, request, timeout_seconds)).job)

    async def delete_job(self, job_id: str) -> None:
        """Deletes an ended job with its artifacts and its manifest.

        Raises:
            JobNotFoundError: The server knows no such job.
            WrongStateError: The job has not ended; cancel it first.
        """
        await self._call(calls.DELETE_JOB, pb.DeleteJobRequest(job_id=id_of(job_id)))

    async def manifest(self, job_id: str) -> bytes:
        """Returns the manifest of an ended job: UTF-8 JSON that follows docs/manifest.schema.json.

        Raises:
            JobNotFoundError: The server knows no such job.
            WrongStateError: The job has not ended yet.
        """
        request = pb.GetManifestRequest(job_id=id_of(job_id))
        return (await self._call(calls.GET_MANIFEST, request)).manifest_json

    async def capabilities(self) -> Capabilities:
        """Returns what the server can make, with which encoders, library versions and limits."""
        return reading.capabilities(await self._call(calls.GET_CAPABILITIES, pb.GetCapabilitiesRequest()))

    # --- bytes -----------------------------------------------------------------------------------

    async def download(self, job_id: str, path: str, to: str | Path) -> Artifact:
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
        target = target_of(to, path)
        mine, secret = self.settings.host_id, self.settings.secret
        with (
            writing(target, job_id),
            open_part(target) as part,
            Transfer(job_id, path, part.file, host_id=mine, secret=secret) as transfer,
        ):
            return part.place(await self._transfer(transfer))

    async def read(self, job_id: str, path: str, *, limit_bytes: int = 64 << 20) -> bytes:
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
            await self._transfer(transfer)
        return buffer.getvalue()

    async def conclude(
        self, result: EncodeResult, to: str | Path | None, *, allow_partial: bool
    ) -> EncodeResult:
        """Downloads what an ended job has made; raises the error that the job ended with, if any.

        `AsyncJob.result` and `wait` end with this call.

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
                result = await self._fetch(result, destination)
        if (error := verdict(result, allow_partial=allow_partial)) is not None:
            raise error
        return result

    async def channel(self) -> AsyncChannel:
        """Returns the connection, opening it at the first call; for the SDK's own use.

        Raises:
            OutOfOrderError: The client is closed, or belongs to another event loop.
            EmbeddedUnavailableError: No server is named, and the embedded one cannot be started.
        """
        self._check()
        async with self._opening:
            check_open(is_closed=self._is_closed)
            if self._channel is None:
                if not (address := self.settings.server):
                    address = await asyncio.to_thread(embedded_address)
                self._channel = AsyncChannel(self.settings.target(address))
            return self._channel

    async def close(self) -> None:
        """Closes the connection, and stops following jobs, which continue on the server. Idempotent."""
        self._check()
        for job in list(self._jobs):
            await job.close()
        async with self._opening:
            self._is_closed = True
            if self._channel is not None:
                await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        raise not_pickled("a client", PICKLING_ADVICE)

    # --- inside ----------------------------------------------------------------------------------

    def _check(self) -> None:
        self.settings.check_process()
        if self._loop.enter():  # what belonged to a loop that has been closed can only be forgotten
            self._channel, self._opening, self._jobs = None, asyncio.Lock(), weakref.WeakSet()

    async def _call(
        self,
        rpc: calls.Unary[calls.RequestT, calls.ResponseT],
        request: calls.RequestT,
        timeout_seconds: float | None = None,
    ) -> calls.ResponseT:
        channel = await self.channel()
        timeout, retrying, outage = self.settings.calling(rpc.path, timeout_seconds)
        request_id = calls.current_request_id()
        return await outage.run_async(retrying, lambda: channel.call(rpc, request, timeout, request_id))

    async def _fetch(self, result: EncodeResult, to: Destination) -> EncodeResult:
        to.clear()
        fetched = [await self.download(result.job_id, each.path, to.of(each)) for each in result.artifacts]
        to.place_manifest(result.manifest_json)
        return replace(result, artifacts=tuple(fetched))

    async def _transfer(self, transfer: Transfer) -> Artifact:
        channel = await self.channel()
        outage, request_id = self.settings.outage(), calls.current_request_id()
        backoff = self.settings.stream_backoff()
        while True:
            try:
                stream = channel.download(transfer.request(), DOWNLOAD_ATTEMPT_SECONDS, request_id)
                async for response in stream:
                    if transfer.write(response):
                        backoff.progressed()
                        outage.answered()
                if not transfer.is_at_hand or await asyncio.to_thread(transfer.copy):
                    return transfer.verified()
            except errors.LaterError as error:
                transfer.after_failure(error)
                await asyncio.sleep(pause_seconds(backoff, error, calls.DOWNLOAD_PATH, outage))

    async def _manifest_if_any(self, job_id: str) -> bytes:
        try:
            return await self.manifest(job_id)
        except errors.CallerError:
            return b""


async def _cancel_quietly(job: AsyncJob) -> None:
    try:
        await job.cancel()
    except errors.TelecineError:
        pass  # what is under way counts more
