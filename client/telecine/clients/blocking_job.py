"""One job of the blocking client: two threads and a connection around the upload machine."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol, Self

from telecine import exceptions as errors
from telecine.clients.about_job import names_job
from telecine.clients.belonging import PICKLING_ADVICE, not_pickled
from telecine.clients.plan import JobPlan
from telecine.clients.progress import ProgressReporter, snapshot
from telecine.clients.settings import CANCEL_SECONDS, RING_WAIT_SECONDS, timeout_of
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.request.source_warnings import SourceCode
from telecine.results.destination import destination_of, outputs_for
from telecine.results.values import EncodeResult, Progress
from telecine.upload.events import Connect, Disconnect, Event, Wait
from telecine.upload.machine import Upload
from telecine.upload.messages import MessageCodec

if TYPE_CHECKING:
    from telecine.channel.blocking import BlockingChannel, Stream
    from telecine.clients.settings import ClientSettings
    from telecine.request.frame_layout import FrameLayout


class Owner(Protocol):
    """What a job needs of the client that made it."""

    @property
    def settings(self) -> ClientSettings:
        """How the client behaves."""
        ...

    @property
    def channel(self) -> BlockingChannel:
        """The door to gRPC."""
        ...

    def cancel_job(
        self, job_id: str, *, timeout_seconds: float | None = None, is_forestalling: bool = False
    ) -> object:
        """Cancels a job on the server."""
        ...

    def conclude(self, result: EncodeResult, to: str | Path | None, *, allow_partial: bool) -> EncodeResult:
        """Downloads what an ended job has made, and raises what it stands for."""
        ...


class Job:
    """Frames on their way, and the outputs made of them. Made by `Client.open_job`.

    Call `push` with frames, then `finish`, then take the `result`. Lost connections and server restarts are
    invisible, except for the time they take. As a context manager: leaving normally finishes the upload;
    leaving with an exception (Ctrl-C included) cancels the job if it was not handed off yet.

    One thread pushes; any thread may read `progress`, wait or cancel. Not to be used after a fork.
    """

    def __init__(self, client: Owner, plan: JobPlan, request_id: str) -> None:
        self._client = client
        self._plan = plan
        self._request_id = request_id
        self._reporter = ProgressReporter(plan.on_progress)
        lock = threading.Lock()
        # One lock, and one condition for each kind of waiter: pushers would else wake everybody.
        self._caller_wakes = threading.Condition(lock)
        self._sender_wakes = threading.Condition(lock)
        self._driver_wakes = threading.Condition(lock)
        self._lock = lock
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
        with self._lock:
            return snapshot(self._upload, self.job_id, self._frame_bytes)

    # --- what a caller does ----------------------------------------------------------------------

    @names_job
    def push(self, frames: object) -> None:
        """Takes over frames.

        Returns as soon as they are copied; blocks only while the client's `retained_bytes` are all waiting
        for their acknowledgement. Afterwards the caller may overwrite the frames.

        Frames are arrays, tensors, PIL images, raw bytes, or an iterable of those. Arrays have shape (T, H,
        W, C), (H, W, C), (T, H, W) or (H, W); samples are uint8, uint16, or floats from 0 to 1. All frames of
        a job have one size and one pixel format.

        Raises:
            InvalidFramesError: The frames cannot be taken; nothing of the faulty frame was sent.
            ValueRangeError: Floats are NaN or out of range, and `out_of_range` is not "clip".
            OutOfOrderError: The upload was finished, or the job was closed.
            TelecineError: Any other error that ended the job.
        """
        self._client.settings.check_process()
        if self._ended is not None:
            raise self._ended
        reader = self._plan.reader
        for item in reader.items(frames):
            for block in reader.blocks(item):
                if self._upload is None and reader.layout is not None:
                    self._start(reader.layout)
                position = 0
                while position < len(block):
                    position += self._push_some(block[position:])

    @names_job
    def push_audio(self, samples: object) -> None:
        """Takes over sound of the track that was declared by `audio`; in any order beside frames.

        Blocks and copies as `push` does. The connection needs the size of the frames: push the first one
        before, or declare `width`, `height` and `pixel_format`.

        Args:
            samples: Arrays or tensors of shape (channels, samples) or (samples, channels), or (samples,) for
                mono, int16, int32 or floats from -1 to 1; frames of PyAV; or an iterable of those.

        Raises:
            InvalidFramesError: The samples cannot be taken: another shape or type, NaN or infinity.
            OutOfOrderError: No sound was declared, no frame was pushed yet, or the upload was finished.
            TelecineError: Any other error that ended the job.
        """
        self._client.settings.check_process()
        if self._ended is not None:
            raise self._ended
        for block in self._plan.sound_reader().blocks_of(samples):
            self._push_sound(block)

    def _push_sound(self, block: memoryview) -> None:
        upload = self._upload
        if upload is None:
            raise errors.OutOfOrderError(
                "push a frame before the sound, or declare width, height and pixel_format"
            )
        position = 0
        while position < len(block):
            rest = block[position:]
            with self._lock:
                self._wait(lambda rest=rest: upload.has_ended or upload.room(len(rest)) > 0, None)  # type: ignore[misc] # a default argument
                size = upload.room(len(rest)) or len(rest)
                upload.push_audio(bytes(rest[:size]))
                self._sender_wakes.notify()
            position += size

    @names_job
    def finish(self, timeout_seconds: float | None = None) -> None:
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
        if self._plan.sound is not None and self._upload is not None and self._upload.total_frames is None:
            for block in self._plan.sound.blocks():
                self._push_sound(block)
        with self._lock:
            upload = self._upload
            if upload is None:
                raise self._ended or errors.InvalidFramesError("no frame was pushed; a job has at least one")
            if upload.total_frames is None:
                upload.finish(self._plan.last_warnings())
                self._sender_wakes.notify_all()
            self._wait(lambda: upload.is_handed_off or upload.has_ended, timeout_seconds)
            upload.raise_error()

    @names_job
    def result(
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
                (`Client.download`, `Client.read`).
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
        self.finish(timeout_seconds)
        upload = self._upload
        if upload is None:  # pragma: no cover -- finish has raised
            raise errors.OutOfOrderError("no frame was pushed")
        with self._lock:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._wait(lambda: upload.has_ended, remaining)
            result = self._plan.result(upload)
        return self._client.conclude(result, to, allow_partial=allow_partial)

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

    @names_job
    def cancel(self) -> None:
        """Cancels the job here and on the server; its waiters get JobCancelledError. Idempotent."""
        upload = self._upload
        is_known = upload is not None and upload.connection > 0 and not upload.has_ended
        self._end(errors.JobCancelledError(f"job {self.job_id} was cancelled here"))
        if is_known:
            try:
                self._client.cancel_job(self.job_id, timeout_seconds=CANCEL_SECONDS, is_forestalling=True)
            except errors.JobNotFoundError:
                pass  # the server has not heard of it, and will refuse it when it does

    def close(self) -> None:
        """Stops following the job, which stays as it is on the server. Idempotent."""
        self._end(errors.OutOfOrderError(f"job {self.job_id} was closed here; follow it with Client.wait"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._upload is not None and not self._upload.has_ended:
                self.finish()
            elif kind is not None and not self.is_handed_off:
                try:
                    self.cancel()
                except errors.TelecineError:
                    pass  # the exception that brought us here counts; the server expires the job
        finally:
            self.close()

    def __reduce__(self) -> NoReturn:
        raise not_pickled("a job", PICKLING_ADVICE)

    # --- inside ----------------------------------------------------------------------------------

    def _start(self, layout: FrameLayout) -> None:
        self._spec = self._plan.spec(layout)
        self._frame_bytes = layout.frame_bytes
        self._upload = self._plan.upload(layout, self._client.settings)
        self._outage = self._client.settings.outage(job_id=self.job_id)
        threading.Thread(target=self._drive, name=f"telecine-{self.job_id[:8]}", daemon=True).start()

    def _push_some(self, rest: memoryview) -> int:
        """Copies as much as there is room for, into the ring if it can; returns how many bytes."""
        upload, wanted = self._upload, len(rest)
        if upload is None:
            return wanted
        with self._lock:
            if not upload.pushed_bytes and self._client.settings.shares_memory:
                self._caller_wakes.wait_for(lambda: upload.is_answered, RING_WAIT_SECONDS)
            if upload.has_ring:  # a stalled server is no reason to wait while there is room elsewhere
                self._caller_wakes.wait_for(
                    lambda: not upload.has_ring or upload.ring_room(wanted) > 0, RING_WAIT_SECONDS
                )
            ring, offset, size = self._codec.ring, upload.pushed_bytes, upload.ring_room(wanted)
            if not size:
                self._wait(lambda: upload.has_ended or upload.room(wanted) > 0, None)
                ring, size = None, upload.room(wanted)
        block = rest[:size]
        piece = bytes(block) if ring is None else ring.put(offset, block)
        with self._lock:
            upload.push(piece)
            self._sender_wakes.notify()
        return size

    def _wait(self, condition: Callable[[], bool], timeout_seconds: float | None) -> None:
        """With the lock held. Raises TimedOutError."""
        if not self._caller_wakes.wait_for(condition, timeout_seconds):
            raise errors.TimedOutError(f"job {self.job_id} did not get there in {timeout_seconds:g} s")

    def _end(self, error: errors.TelecineError) -> None:
        with self._lock:
            if self._upload is None:
                self._ended = self._ended or error
            else:
                self._upload.cancelled(error)
                self._wake_all()

    def _wake_all(self) -> None:
        self._caller_wakes.notify_all()
        self._sender_wakes.notify_all()
        self._driver_wakes.notify_all()

    def _drive(self) -> None:
        """The job's own thread; should it fail, its waiters hear of it."""
        try:
            self._follow_machine()
        except Exception as error:  # a fault of ours must not become a wait without end
            self._end(errors.ServiceFaultError(f"job {self.job_id}: {type(error).__name__}: {error}"))
            raise

    def _follow_machine(self) -> None:
        """Opens and closes connections as the machine says."""
        upload = self._upload
        stream: Stream[pb.EncodeResponse] | None = None
        while upload is not None:
            with self._lock:
                step = upload.step(time.monotonic())
                if isinstance(step, Wait):
                    self._driver_wakes.wait(min(step.seconds, self._outage.wait_seconds))
            self._outage.look()
            if step is None:
                break
            if isinstance(step, Connect):
                stream = self._connect(upload, step.connection)
            elif isinstance(step, Disconnect):
                if stream is not None:
                    stream.cancel()
                self._lost(upload, step.connection, step.error)
        if stream is not None:
            stream.cancel()

    def _connect(self, upload: Upload, connection: int) -> Stream[pb.EncodeResponse] | None:
        codec = MessageCodec(self._spec, shares_memory=self._client.settings.shares_memory)
        with self._lock:
            self._codec = codec
        try:
            messages = self._messages(upload, connection, codec)
            stream = self._client.channel.encode(messages, self._request_id)
        except errors.TelecineError as error:
            self._lost(upload, connection, error)
            return None
        threading.Thread(
            target=self._read, args=(upload, connection, stream, codec), name="telecine-reader", daemon=True
        ).start()
        return stream

    def _messages(self, upload: Upload, connection: int, codec: MessageCodec) -> Iterator[bytes]:
        """What gRPC's own thread sends on that connection."""
        while True:
            with self._lock:
                while (message := upload.next_message(connection)) is None:
                    if not upload.is_current(connection):
                        return
                    self._sender_wakes.wait()
            yield codec.encode(message)

    def _read(
        self, upload: Upload, connection: int, stream: Stream[pb.EncodeResponse], codec: MessageCodec
    ) -> None:
        """Takes the answers of one connection, on a thread of its own, until it ends."""
        error: errors.TelecineError = errors.UnavailableError("the server ended the stream early")
        try:
            for response in stream:
                self._received(upload, connection, codec.decode(response))
        except errors.TelecineError as raised:
            error = raised
        except Exception as raised:  # noqa: BLE001 -- nobody else would hear of it
            error = errors.ServiceFaultError(f"an answer cannot be taken: {type(raised).__name__}: {raised}")
        self._lost(upload, connection, error)
        codec.forget_ring()

    def _received(self, upload: Upload, connection: int, event: Event) -> None:
        self._outage.answered()
        with self._lock:
            is_news = upload.received(connection, event, time.monotonic())
            if is_news:
                self._caller_wakes.notify_all()
            if is_news or upload.has_ended or upload.owes_keep_alive:
                self._sender_wakes.notify_all()
            if upload.has_ended:
                self._wake_all()
            progress = snapshot(upload, self.job_id, self._frame_bytes) if is_news else None
        if progress is not None:
            self._reporter.report(progress)

    def _lost(self, upload: Upload, connection: int, error: errors.TelecineError) -> None:
        with self._lock:
            decision = upload.lost(connection, error, time.monotonic(), random.random())  # noqa: S311 -- jitter
            self._wake_all()
        if decision is not None and decision.is_again:
            self._outage.failed(error)
        self._client.settings.report_lost(decision, error, self.job_id, connection)
