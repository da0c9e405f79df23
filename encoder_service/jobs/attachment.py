"""A stream's right to its job; a newer stream takes it away and goes on from the persisted bytes."""

from __future__ import annotations

import asyncio

from encoder_service.jobs.job import Job
from encoder_service.spool.ingest import Ingest


class Attachment:
    """Made by `Jobs.attach`, released by the stream that holds it. Lives on the event loop."""

    def __init__(
        self, job: Job, ingest: Ingest | None, *, is_resumed: bool, audio_ingest: Ingest | None = None
    ) -> None:
        self.job = job
        self.ingest = ingest
        """None when the job takes no more bytes."""
        self.audio_ingest = audio_ingest
        """The same for its sound; None also where it has none."""
        self.is_resumed = is_resumed
        """The job was known before this stream."""
        self.reader: asyncio.Task[None] | None = None
        """Reads the stream's requests; set by the stream."""
        self._interruption: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._released = asyncio.Event()

    def interrupt(self, error: Exception) -> None:
        """Makes the stream end with this error; the first one counts."""
        if not self._interruption.done():
            self._interruption.set_result(error)

    async def interrupted(self) -> Exception:
        """Waits for `interrupt`; for the stream alone."""
        return await asyncio.shield(self._interruption)

    async def stop_receiving(self) -> None:
        """Ends the reading of requests and waits until what was taken is persisted; the stream stays."""
        if self.reader is not None and self.reader is not asyncio.current_task():
            self.reader.cancel()
            await asyncio.wait([self.reader])
        for ingest in (self.ingest, self.audio_ingest):
            if ingest is not None:
                await ingest.close()

    async def drain(self) -> None:
        """Returns when everything taken of both tracks is persisted. Raises ServiceError."""
        for ingest in (self.ingest, self.audio_ingest):
            if ingest is not None:
                await ingest.drain()

    async def take_away(self, error: Exception) -> None:
        """Interrupts the stream and waits until it has let go of the job."""
        self.interrupt(error)
        await self._released.wait()

    async def release(self) -> None:
        """Lets go of the job: nothing of this stream is written after this. Idempotent."""
        await self.stop_receiving()
        if self.ingest is not None:
            # Nothing is being written any more; a job that waits for its client holds no file open.
            self.job.park_files()
        if self.job.attachment is self:
            self.job.attachment = None
        self._released.set()
