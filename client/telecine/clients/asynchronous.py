"""The asyncio client: one connection to an encoder service, or to an embedded one."""

from __future__ import annotations

import asyncio
import io
import time
import weakref
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self, Unpack

from telecine import exceptions as errors
from telecine.channel import calls
from telecine.channel.arguments import Target
from telecine.channel.asynchronous import AsyncChannel
from telecine.clients.asynchronous_job import AsyncJob
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


class AsyncClient:
    """Encodes clips on a server; `telecine.Client` for asyncio, with the same arguments.

    Belongs to one event loop; it connects (and starts the embedded server, if none is named) with the
    first call. gRPC wants all loops of a process to be one, and does not survive a fork.
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
        outputs: OutputLike | Sequence[OutputLike] = ("mp4",),
        to: str | Path | None = None,
        allow_partial: bool = False,
        **arguments: Unpack[JobArguments],
    ) -> EncodeResult:
        """As `Client.encode`; takes asynchronous iterators of frames too. A cancelled task cancels it."""
        job = self.open_job(fps=fps, outputs=outputs, **arguments)
        try:
            await job.push(frames)
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
        """As `Client.open_job`."""
        self.settings.check_process()
        job = AsyncJob(self, plan_job(fps, outputs, arguments), calls.current_request_id())
        self._jobs.add(job)
        return job

    # --- jobs ------------------------------------------------------------------------------------

    async def get_job(self, job_id: str) -> JobInfo:
        """As `Client.get_job`."""
        return reading.job((await self._call(calls.GET_JOB, pb.GetJobRequest(job_id=job_id))).job)

    async def jobs(
        self, *, states: Iterable[JobState | str] = (), prefix: str = "", page_size: int = 100
    ) -> AsyncIterator[JobInfo]:
        """As `Client.jobs`."""
        request = reading.list_request(states, prefix, page_size)
        while True:
            page = await self._call(calls.LIST_JOBS, request)
            for job in page.jobs:
                yield reading.job(job)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def damaged_jobs(self, *, prefix: str = "") -> tuple[DamagedJob, ...]:
        """As `Client.damaged_jobs`."""
        return reading.damaged_jobs(await self._call(calls.LIST_JOBS, reading.list_request((), prefix, 1)))

    async def watch_job(
        self, job_id: str, *, interval_seconds: float = 0.2, timeout_seconds: float | None = None
    ) -> AsyncIterator[JobInfo]:
        """As `Client.watch_job`."""
        watching = Watching(job_id, interval_seconds)
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self.settings.check_process()
        channel = await self.channel()
        backoff = self.settings.stream_backoff()
        request_id = calls.current_request_id()
        while not watching.is_over:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                stream = channel.watch(watching.request(), remaining, request_id)
                try:
                    async for response in stream:
                        backoff.progressed()
                        if (news := watching.take(response)) is not None:
                            yield news
                finally:
                    stream.cancel()
                watching.ended()
            except errors.LaterError as error:
                watching.expect_before(deadline, error)
                await asyncio.sleep(pause_seconds(backoff, error, calls.WATCH_PATH))

    async def wait(
        self,
        job_id: str,
        to: str | Path | None = None,
        *,
        allow_partial: bool = False,
        timeout_seconds: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> EncodeResult:
        """As `Client.wait`."""
        info = await self.get_job(job_id)
        teller = ProgressTeller(on_progress)
        try:
            async for info in self.watch_job(job_id, timeout_seconds=timeout_seconds):
                teller.tell(progress_of(info))
        except errors.TimedOutError as error:
            raise errors.TimedOutError(f"job {job_id} is {info.state} after {timeout_seconds:g} s") from error
        result = EncodeResult(info, info.artifacts, await self._manifest_if_any(job_id))
        return await self.conclude(result, to, allow_partial=allow_partial)

    async def cancel_job(
        self, job_id: str, *, timeout_seconds: float | None = None, is_forestalling: bool = False
    ) -> JobInfo:
        """As `Client.cancel_job`."""
        request = pb.CancelJobRequest(job_id=job_id, is_forestalling=is_forestalling)
        return reading.job((await self._call(calls.CANCEL_JOB, request, timeout_seconds)).job)

    async def delete_job(self, job_id: str) -> None:
        """As `Client.delete_job`."""
        await self._call(calls.DELETE_JOB, pb.DeleteJobRequest(job_id=job_id))

    async def manifest(self, job_id: str) -> bytes:
        """As `Client.manifest`."""
        return (await self._call(calls.GET_MANIFEST, pb.GetManifestRequest(job_id=job_id))).manifest_json

    async def capabilities(self) -> Capabilities:
        """As `Client.capabilities`."""
        return reading.capabilities(await self._call(calls.GET_CAPABILITIES, pb.GetCapabilitiesRequest()))

    # --- bytes -----------------------------------------------------------------------------------

    async def download(self, job_id: str, path: str, to: str | Path) -> Artifact:
        """As `Client.download`."""
        target = target_of(to, path)
        mine, secret = self.settings.host_id, self.settings.secret
        with (
            open_part(target) as file,
            Transfer(job_id, path, file, host_id=mine, secret=secret) as transfer,
        ):
            found = await self._transfer(transfer)
        return place(target, found)

    async def read(self, job_id: str, path: str, *, limit_bytes: int = 64 << 20) -> bytes:
        """As `Client.read`."""
        buffer = io.BytesIO()
        with Transfer(job_id, path, buffer, limit_bytes) as transfer:
            await self._transfer(transfer)
        return buffer.getvalue()

    async def conclude(
        self, result: EncodeResult, to: str | Path | None, *, allow_partial: bool
    ) -> EncodeResult:
        """As `Client.conclude`."""
        if to is not None and is_worth_fetching(result.job):
            result = await self._fetch(result, Path(to))
        error = verdict(result, allow_partial=allow_partial)
        if error is not None:
            raise error
        return result

    # --- life ------------------------------------------------------------------------------------

    async def channel(self) -> AsyncChannel:
        """The door to gRPC, opened at the first call; for the SDK's own use."""
        async with self._opening:
            if self._is_closed:
                raise errors.OutOfOrderError("the client is closed")
            if self._channel is None:
                address = self.settings.server
                if address is None:
                    address = await asyncio.to_thread(_embedded_address)
                self._channel = AsyncChannel(Target(address, self.settings.tls, self.settings.keep_alive))
            return self._channel

    async def close(self) -> None:
        """Stops following its jobs, which go on on the server, and closes the connection. Idempotent."""
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

    # --- inside ----------------------------------------------------------------------------------

    async def _call(
        self,
        rpc: calls.Unary[calls.RequestT, calls.ResponseT],
        request: calls.RequestT,
        timeout_seconds: float | None = None,
    ) -> calls.ResponseT:
        self.settings.check_process()
        channel = await self.channel()
        timeout = timeout_seconds or self.settings.call_timeout_seconds
        request_id = calls.current_request_id()
        retrying = self.settings.calls.within(timeout, rpc.path)
        return await retrying.run_async(lambda _: channel.call(rpc, request, timeout, request_id))

    async def _fetch(self, result: EncodeResult, directory: Path) -> EncodeResult:
        fetched = [
            await self.download(result.job_id, artifact.path, below(directory, artifact.path))
            for artifact in result.artifacts
        ]
        if result.manifest_json:
            place_manifest(directory, result.manifest_json)
        return replace(result, artifacts=tuple(fetched))

    async def _transfer(self, transfer: Transfer) -> Artifact:
        self.settings.check_process()
        channel = await self.channel()
        backoff = self.settings.stream_backoff()
        request_id = calls.current_request_id()
        while True:
            try:
                stream = channel.download(transfer.request(), DOWNLOAD_ATTEMPT_SECONDS, request_id)
                async for response in stream:
                    if transfer.write(response):
                        backoff.progressed()
                if not transfer.is_at_hand or await asyncio.to_thread(transfer.copy):
                    return transfer.verified()
            except errors.LaterError as error:
                transfer.after_failure(error)
                await asyncio.sleep(pause_seconds(backoff, error, calls.DOWNLOAD_PATH))

    async def _manifest_if_any(self, job_id: str) -> bytes:
        try:
            return await self.manifest(job_id)
        except errors.CallerError:
            return b""


def _embedded_address() -> str:
    from telecine.clients.embedded import embedded_server

    return embedded_server().address


async def _cancel_quietly(job: AsyncJob) -> None:
    try:
        await job.cancel()
    except errors.TelecineError:
        pass  # what is under way counts more
