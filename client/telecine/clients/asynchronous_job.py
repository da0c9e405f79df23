"""One job of the asyncio client: two tasks and a connection around the upload machine."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol, Self

from telecine import exceptions as errors
from telecine.clients.about_job import names_job, names_job_async
from telecine.clients.belonging import PICKLING_ADVICE, EventLoop, not_pickled
from telecine.clients.plan import JobPlan
from telecine.clients.progress import ProgressReporter, snapshot
from telecine.clients.settings import CANCEL_SECONDS, RING_WAIT_SECONDS, timeout_of
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.request.source_warnings import SourceCode
from telecine.results.destination import destination_of, outputs_for
from telecine.results.values import EncodeResult, Progress
from telecine.sound.reader import SoundReader
from telecine.upload.events import Connect, Disconnect, Event, Wait
from telecine.upload.machine import Upload
from telecine.upload.messages import MessageCodec

if TYPE_CHECKING:
    from telecine.channel.asynchronous import AsyncChannel, AsyncStream
    from telecine.clients.settings import ClientSettings
    from telecine.request.frame_layout import FrameLayout


class Owner(Protocol):
    """What a job needs of the client that made it."""

    @property
    def settings(self) -> ClientSettings:
        """How the client behaves."""
        ...

    async def channel(self) -> AsyncChannel:
        """The door to gRPC."""
        ...

    async def cancel_job(
        self, job_id: str, *, timeout_seconds: float | None = None, is_forestalling: bool = False
    ) -> object:
        """Cancels a job on the server."""
        ...

    async def conclude(
        self, result: EncodeResult, to: str | Path | None, *, allow_partial: bool
    ) -> EncodeResult:
        """Downloads what an ended job has made, and raises what it stands for."""
        ...


class AsyncJob:
    """Frames on their way, and the outputs made of them. Made by `AsyncClient.open_job`.

    Call `push` with frames, then `finish`, then take the `result`. Lost connections and server restarts are
    invisible, except for the time they take. `async with`: leaving normally finishes the upload; leaving
    with an exception (a cancelled task included) cancels the job if it was not handed off yet.

    Belongs to the event loop of its client. One task pushes; any task may read `progress`, wait or cancel.
    """

    def __init__(self, client: Owner, plan: JobPlan, request_id: str) -> None:
        self._client = client
        self._plan = plan
        self._request_id = request_id
        self._reporter = ProgressReporter(plan.on_progress)
        self._loop = EventLoop("job", "Follow it with AsyncClient.wait there.", may_follow=False)
        self._changed = Signal()
        self._driver: asyncio.Task[None] | None = None
        self._upload: Upload | None = None
        self._ended: errors.TelecineError | None = None
        """Why it was over before its first frame."""
        self._spec = pb.JobSpec()
        self._codec = MessageCodec(self._spec, shares_memory=False)
        self._frame_bytes = 0
        self._outage = client.settings.outage(job_id=self.job_id)
        if plan.reader.layout is not None:
            self._start(plan.reader.layout)

    @property
    def job_id(self) -> str:
        """The id of the job, here and on the server."""
        return self._plan.options.job_id

    @property
    def is_handed_off(self) -> bool:
        """Whether all frames are safe in the service: no crash can lose the job any more."""
        return self._upload is not None and self._upload.is_handed_off

    @property
    def progress(self) -> Progress:
        """How far the upload and each output have come."""
        return snapshot(self._upload, self.job_id, self._frame_bytes)

    # --- what a caller does ----------------------------------------------------------------------

    @names_job_async
    async def push(self, frames: object) -> None:
        """Takes over frames.

        Conversions run in a thread, one block at a time. Waits only while the client's `retained_bytes` are
        all waiting for their acknowledgement. Afterwards the caller may overwrite the frames.

        Frames are arrays, tensors, PIL images, raw bytes, an iterable of those, or an asynchronous iterable.
        Arrays have shape (T, H, W, C), (H, W, C), (T, H, W) or (H, W); samples are uint8, uint16, or floats
        from 0 to 1. All frames of a job have one size and one pixel format.

        Raises:
            InvalidFramesError: The frames cannot be taken; nothing of the faulty frame was sent.
            ValueRangeError: Floats are NaN or out of range, and `out_of_range` is not "clip".
            OutOfOrderError: The upload was finished, or the job was closed.
            TelecineError: Any other error that ended the job.
        """
        self._client.settings.check_process()
        self._loop.enter()
        if self._ended is not None:
            raise self._ended
        if isinstance(frames, AsyncIterable):
            async for part in frames:
                await self.push(part)
            return
        for item in self._plan.reader.items(frames):
            await self._push_item(item)

    @names_job_async
    async def push_audio(self, samples: object) -> None:
        """Takes over sound of the track that was declared by `audio`; in any order beside frames.

        Waits and copies as `push` does. The connection needs the size of the frames: push the first one
        before, or declare `width`, `height` and `pixel_format`.

        Args:
            samples: Arrays or tensors of shape (channels, samples) or (samples, channels), or (samples,) for
                mono, int16, int32 or floats from -1 to 1; frames of PyAV; an iterable or an asynchronous
                iterable of those.

        Raises:
            InvalidFramesError: The samples cannot be taken: another shape or type, NaN or infinity.
            OutOfOrderError: No sound was declared, no frame was pushed yet, or the upload was finished.
            TelecineError: Any other error that ended the job.
        """
        self._client.settings.check_process()
        self._loop.enter()
        if self._ended is not None:
            raise self._ended
        if isinstance(samples, AsyncIterable):
            async for part in samples:
                await self.push_audio(part)
            return
        await self._push_sound(self._plan.sound_reader().blocks_of(samples))

    async def _push_sound(self, blocks: Iterator[memoryview]) -> None:
        upload = self._upload
        if upload is None:
            raise errors.OutOfOrderError(
                "push a frame before the sound, or declare width, height and pixel_format"
            )
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            position = 0
            while position < len(block):
                wanted = len(block) - position
                await self._wait(lambda wanted=wanted: upload.has_ended or upload.room(wanted) > 0, None)  # type: ignore[misc] # a default argument
                size = upload.room(wanted) or wanted
                upload.push_audio(bytes(block[position : position + size]))
                self._changed.notify()
                position += size

    async def _push_whole_sound(self, sound: SoundReader) -> None:
        if sound.awaited_pieces is None:
            await self._push_sound(sound.blocks())
            return
        async for piece in sound.awaited_pieces:
            await self._push_sound(sound.blocks_of(piece))
        sound.require_samples()

    @names_job_async
    async def finish(self, timeout_seconds: float | None = None) -> None:
        """Ends the upload and waits for the hand-off: every frame is acknowledged as safe, and all sound.

        Sound that the job was opened with is sent now.

        From then on the job ends on the server, whatever happens to this process. Calling it again only
        waits. `timeout_seconds`: how long to wait for the hand-off; None: as long as the connection is
        retried.

        Raises:
            InvalidFramesError: No frame was pushed, or the last one is incomplete.
            TimedOutError: The hand-off took longer than `timeout_seconds`; the upload goes on.
            TelecineError: Any other error that ended the job.
        """
        self._loop.enter()
        upload = self._upload
        if upload is None:
            raise self._ended or errors.InvalidFramesError("no frame was pushed; a job has at least one")
        if self._plan.sound is not None and upload.total_frames is None:
            await self._push_whole_sound(self._plan.sound)
        if upload.total_frames is None:
            upload.finish(self._plan.last_warnings())
            self._changed.notify()
        await self._wait(lambda: upload.is_handed_off or upload.has_ended, timeout_seconds)
        upload.raise_error()

    @names_job_async
    async def result(
        self,
        to: str | Path | None = None,
        *,
        allow_partial: bool = False,
        timeout_seconds: float | None = None,
    ) -> EncodeResult:
        """Waits for the end of the job; finishes the upload first if that was not done.

        Args:
            to: A directory, or a file for the only output, as in `encode`; each file is checked by its
                SHA-256 and appears only when it is complete. None: they stay on the server
                (`AsyncClient.download`, `AsyncClient.read`).
            allow_partial: Return the outputs that were made, even if others failed, instead of raising.
            timeout_seconds: Give up after this many seconds; the job goes on. None: wait until it ends.

        Raises:
            TargetError: `to` cannot be made or written; the job goes on, and may be waited for again.
            JobIncompleteError: Some outputs failed, and `allow_partial` is False.
            JobFailedError: No output could be made; the other JobErrors name other ways for a job to end.
            TimedOutError: The job has not ended within `timeout_seconds`.
            LaterError: The server could not be reached, or has no room, for longer than `retry` allows.
        """
        if (destination := destination_of(to)) is not None:
            outputs_for(destination, self._plan.options.outputs)
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_of(timeout_seconds)
        await self.finish(timeout_seconds)
        upload = self._upload
        if upload is None:  # pragma: no cover -- finish has raised
            raise errors.OutOfOrderError("no frame was pushed")
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        await self._wait(lambda: upload.has_ended, remaining)
        return await self._client.conclude(self._plan.result(upload), to, allow_partial=allow_partial)

    @names_job
    def warn(self, code: SourceCode | str, message: str) -> None:
        """Adds a warning about the frames' source, before `finish`: it stands in result and manifest.

        Args:
            code: One of those of docs/warnings.md that begin with SOURCE, such as "SOURCE_SOUND_DROPPED".
            message: What is not carried over, for people; at most 1000 characters.

        Raises:
            InvalidRequestError: There is no such code.
            InvalidFramesError: The job is strict, so that nothing may be left out.
        """
        self._plan.warnings.add(code, message)

    @names_job_async
    async def cancel(self) -> None:
        """Cancels the job here and on the server; its waiters get JobCancelledError. Idempotent."""
        upload = self._upload
        is_known = upload is not None and upload.connection > 0 and not upload.has_ended
        self._end(errors.JobCancelledError(f"job {self.job_id} was cancelled here"))
        if is_known:
            try:
                await self._client.cancel_job(
                    self.job_id, timeout_seconds=CANCEL_SECONDS, is_forestalling=True
                )
            except errors.JobNotFoundError:
                pass  # the server has not heard of it, and will refuse it when it does

    async def close(self) -> None:
        """Stops following the job, which stays as it is on the server. Idempotent."""
        self._end(
            errors.OutOfOrderError(f"job {self.job_id} was closed here; follow it with AsyncClient.wait")
        )
        if self._driver is not None and self._driver.get_loop() is asyncio.get_running_loop():
            await asyncio.gather(self._driver, return_exceptions=True)

    def __reduce__(self) -> NoReturn:
        raise not_pickled("a job", PICKLING_ADVICE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._upload is not None and not self._upload.has_ended:
                await self.finish()
            elif kind is not None and not self.is_handed_off:
                try:
                    await self.cancel()
                except errors.TelecineError:
                    pass  # the exception that brought us here counts; the server expires the job
        finally:
            await self.close()

    # --- inside ----------------------------------------------------------------------------------

    def _start(self, layout: FrameLayout) -> None:
        self._spec = self._plan.spec(layout)
        self._frame_bytes = layout.frame_bytes
        self._upload = self._plan.upload(layout, self._client.settings)
        self._loop.enter()
        self._outage = self._client.settings.outage(job_id=self.job_id)
        self._driver = asyncio.create_task(self._drive(self._upload), name=f"telecine-{self.job_id[:8]}")

    async def _push_item(self, item: object) -> None:
        reader = self._plan.reader
        blocks: Iterator[memoryview] = reader.blocks(item)
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            if self._upload is None and reader.layout is not None:
                self._start(reader.layout)
            position = 0
            while position < len(block):
                position += await self._push_some(block[position:])

    async def _push_some(self, rest: memoryview) -> int:
        """Copies as much as there is room for, into the ring if it can; returns how many bytes."""
        upload, wanted = self._upload, len(rest)
        if upload is None:
            return wanted
        if not upload.pushed_bytes and self._client.settings.shares_memory:
            await self._changed.wait_for(lambda: upload.is_answered, RING_WAIT_SECONDS)
        if upload.has_ring:  # a stalled server is no reason to wait while there is room elsewhere
            await self._changed.wait_for(
                lambda: not upload.has_ring or upload.ring_room(wanted) > 0, RING_WAIT_SECONDS
            )
        ring, size = self._codec.ring, upload.ring_room(wanted)
        if not size or ring is None:
            await self._wait(lambda: upload.has_ended or upload.room(wanted) > 0, None)
            ring, size = None, upload.room(wanted)
        block = rest[:size]
        upload.push(bytes(block) if ring is None else ring.put(upload.pushed_bytes, block))
        self._changed.notify()
        return size

    async def _wait(self, condition: Callable[[], bool], timeout_seconds: float | None) -> None:
        if not await self._changed.wait_for(condition, timeout_seconds):
            raise errors.TimedOutError(f"job {self.job_id} did not get there in {timeout_seconds:g} s")

    def _end(self, error: errors.TelecineError) -> None:
        if self._upload is None:
            self._ended = self._ended or error
        else:
            self._upload.cancelled(error)
            self._changed.notify()

    async def _drive(self, upload: Upload) -> None:
        """Opens and closes connections as the machine says. The job's own task."""
        running: asyncio.Task[None] | None = None
        try:
            while (step := upload.step(time.monotonic())) is not None:
                if isinstance(step, Wait):
                    await self._changed.wait(min(step.seconds, self._outage.wait_seconds))
                    self._outage.look()
                    continue
                if running is not None:
                    await _stopped(running)
                if isinstance(step, Connect):
                    running = asyncio.create_task(self._converse(upload, step.connection))
                elif isinstance(step, Disconnect):
                    running = None
                    self._lost(upload, step.connection, step.error)
        except Exception as error:  # a fault of ours must not become a wait without end
            self._end(errors.ServiceFaultError(f"job {self.job_id}: {type(error).__name__}: {error}"))
            raise
        finally:
            if running is not None:
                await _stopped(running)

    async def _converse(self, upload: Upload, connection: int) -> None:
        """One connection: sends and reads until it ends."""
        error: errors.TelecineError = errors.UnavailableError("the server ended the stream early")
        sender: asyncio.Task[None] | None = None
        stream: AsyncStream[pb.EncodeResponse] | None = None
        codec = MessageCodec(self._spec, shares_memory=self._client.settings.shares_memory)
        self._codec = codec
        try:
            stream = (await self._client.channel()).encode(self._request_id)
            sender = asyncio.create_task(self._send(upload, connection, stream, codec))
            async for response in stream:
                self._received(upload, connection, codec.decode(response))
        except errors.TelecineError as raised:
            error = raised
        except Exception as raised:  # noqa: BLE001 -- nobody else would hear of it
            error = errors.ServiceFaultError(f"an answer cannot be taken: {type(raised).__name__}: {raised}")
        finally:
            if stream is not None:
                stream.cancel()
            if sender is not None:
                await _stopped(sender)
            codec.forget_ring()
        self._lost(upload, connection, error)

    async def _send(
        self, upload: Upload, connection: int, stream: AsyncStream[pb.EncodeResponse], codec: MessageCodec
    ) -> None:
        while upload.is_current(connection):
            message = upload.next_message(connection)
            if message is not None:
                try:
                    await stream.write(codec.encode(message))
                except errors.TelecineError:
                    return  # the answers say why
                continue
            await self._changed.wait()

    def _received(self, upload: Upload, connection: int, event: Event) -> None:
        self._outage.answered()
        is_news = upload.received(connection, event, time.monotonic())
        if is_news or upload.owes_keep_alive:
            self._changed.notify()
        if is_news:
            self._reporter.report(snapshot(upload, self.job_id, self._frame_bytes))

    def _lost(self, upload: Upload, connection: int, error: errors.TelecineError) -> None:
        decision = upload.lost(connection, error, time.monotonic(), random.random())  # noqa: S311 -- jitter
        self._changed.notify()
        if decision is not None and decision.is_again:
            self._outage.failed(error)
        self._client.settings.report_lost(decision, error, self.job_id, connection)


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Signal:
    """A condition without a lock: between a look and the wait nothing else runs on the loop."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wakes everybody who waits."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Waits for the next `notify`; returns False when the time is over."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_seconds):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    async def wait_for(self, condition: Callable[[], bool], timeout_seconds: float | None = None) -> bool:
        """Waits until the condition holds; returns False when the time is over."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not condition():
                    await self.wait()
        except TimeoutError:
            return False
        return True
