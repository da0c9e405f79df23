"""Drives real workers, forked by a real zygote, over their pipes."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from encoder_service.data_layout import AUDIO_FILE_NAME
from encoder_service.evidence.facts import Confinement, Failed, Produced
from encoder_service.pool.environment import worker_environment
from encoder_service.spec.audio.track import AudioSpec
from encoder_service.spec.spec import OutputSpec, VideoSpec
from encoder_service.worker_protocol import Assignment, Event, HighWatermark, Order, Probed, Ready
from encoder_service.zygote_protocol import Ended, Fork, Forked, Report, ZygoteReady, receive, send


class WorkerDriver:
    """A started zygote and its latest worker; a context manager that ends both."""

    def __init__(self, **environ: str) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-P", "-m", "encoder_service.worker.process.zygote", str(theirs.fileno())]
        self.zygote = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env=worker_environment({**os.environ, **environ}, (), 0),
            cwd="/",
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self.events: list[Event] = []
        self.exit_code: int | None = None
        """Of the latest worker; None: it has not been waited for."""
        self._reports: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
        self._decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
        self._files: list[IO[Any]] = []
        self.pid = 0
        assert isinstance(self._report(), ZygoteReady)
        self.fork()

    def fork(self) -> None:
        """Starts a worker; the one before it is left to end."""
        self._close_pipes()
        orders, send_orders = os.pipe()
        receive_events, events = os.pipe()
        receive_words, words = os.pipe()
        send(self._connection, Fork(1), (orders, events, words))
        for descriptor in (orders, events, words):
            os.close(descriptor)
        self.orders = os.fdopen(send_orders, "wb", buffering=0)
        self._lines = os.fdopen(receive_events, "rb")
        self.words = os.fdopen(receive_words, "rb")
        self._files = [self.orders, self._lines, self.words]
        report = self._report()
        while isinstance(report, Ended):
            report = self._report()
        assert isinstance(report, Forked)
        self.pid = report.pid
        self.exit_code = None
        ready = self.next_event()
        assert isinstance(ready, Ready)
        assert ready.pid == self.pid

    def send(self, *orders: Order) -> None:
        """A worker that has ended takes none: its events say why."""
        with contextlib.suppress(BrokenPipeError):
            for order in orders:
                self.orders.write(msgspec.json.encode(order) + b"\n")

    def next_event(self) -> Event:
        """The next event. Raises EOFError when the worker has ended."""
        line = self._lines.readline()
        if not line:
            raise EOFError(f"the worker ended with {self.wait()}")
        event = self._decoder.decode(line)
        self.events.append(event)
        return event

    def answer(self) -> Produced | Failed | Probed:
        """Reads on to the answer."""
        while True:
            event = self.next_event()
            if isinstance(event, Produced | Failed | Probed):
                return event

    def produce(
        self,
        video: VideoSpec,
        output: OutputSpec,
        spool: Path,
        directory: Path,
        frames: int,
        attempt: int = 1,
        allowed_options: dict[str, tuple[str, ...]] | None = None,
        confinement: Confinement | None = None,
        audio: AudioSpec | None = None,
    ) -> Produced | Failed:
        """One assignment whose frames are all there, and a fresh worker for the next one.

        `audio`: of the sound in `audio.raw` beside the frames.
        """
        sound = spool.with_name(AUDIO_FILE_NAME)
        directory.mkdir(exist_ok=True)
        self.send(
            Assignment(
                "job",
                output,
                video,
                str(spool),
                str(directory),
                attempt=attempt,
                threads=2,
                allowed_options=allowed_options or {},
                confinement=confinement or Confinement(),
                audio=audio,
                audio_path=str(sound) if audio is not None else "",
            ),
            HighWatermark(
                frames,
                is_complete=True,
                samples=sound.stat().st_size // audio.sample_bytes if audio is not None else 0,
            ),
        )
        answer = self.answer()
        assert not isinstance(answer, Probed)
        self.fork()
        return answer

    def wait(self, timeout_seconds: float = 20.0) -> int:
        """Waits for the end of the latest worker; returns its exit code. Raises TimeoutError."""
        while self.exit_code is None:
            if not select.select([self._connection], [], [], timeout_seconds)[0]:
                raise TimeoutError(f"the worker has not ended after {timeout_seconds} s")
            report = self._report()
            if isinstance(report, Ended) and report.pid == self.pid:
                self.exit_code = report.exit_code
        return self.exit_code

    def close_orders(self) -> None:
        self.orders.close()

    def _report(self) -> Report:
        data, descriptors = receive(self._connection)
        for descriptor in descriptors:
            os.close(descriptor)
        if not data:
            raise EOFError(f"the zygote ended with {self.zygote.wait()}")
        return self._reports.decode(data)

    def _close_pipes(self) -> None:
        for file in self._files:
            with contextlib.suppress(OSError):
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self.zygote.wait()
        self._close_pipes()
