"""A server that does not answer is reported: which one, why, for how long; soon, and again."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr

import numpy as np
import pytest
from structlog.testing import capture_logs
from telecine import AsyncClient, Client, RetryPolicy
from telecine.channel.outage import QUIET_AFTER_ANSWER_SECONDS, SAY_EVERY_SECONDS, Outage, _Watch
from telecine.clients.logs import LogClient
from telecine.clients.settings import pause_seconds
from telecine.exceptions import DiskFullError, LaterError, SpoolFullError, TelecineError, UnavailableError
from telecine.retry import Retry

FRAMES = np.zeros((2, 16, 16, 3), np.uint8)
REFUSED = (
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:x: Failed to connect to remote host: No"
)


class Book:
    """Stands where a logger does, and where a clock does."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now = 100.0

    def warning(self, text: str, **_: object) -> None:
        self.lines.append(text)

    info = warning

    def clock(self) -> float:
        return self.now


@pytest.fixture
def book() -> Book:
    return Book()


def outage_of(book: Book) -> Outage:
    return Outage("encoder gpu:1", 60.0, clock=book.clock, log=book)  # type: ignore[arg-type]


def test_a_short_outage_is_nobodys_business(book: Book) -> None:
    outage = outage_of(book)
    outage.failed(UnavailableError("x"))
    book.now += 0.9
    outage.look()
    outage.answered()
    assert book.lines == []


def test_a_longer_one_says_who_why_and_how_long_at_intervals(book: Book) -> None:
    outage = outage_of(book)
    outage.failed(UnavailableError(REFUSED))
    for _ in range(250):
        book.now += 0.1
        outage.look()
    assert book.lines == [
        f"encoder gpu:1 does not answer (No); waited {waited} s, trying for {60 - waited} s more"
        for waited in (1, 11, 21)
    ]
    outage.answered()
    assert book.lines[-1] == "encoder gpu:1 answers again, after 25 s"


def test_silence_alone_is_an_outage_and_other_reasons_have_their_words(book: Book) -> None:
    outage = outage_of(book)
    book.now += outage.wait_seconds
    outage.look()
    outage.failed(SpoolFullError("the spool is full"))
    book.now += SAY_EVERY_SECONDS
    outage.look()
    assert book.lines[0].startswith("encoder gpu:1 does not answer; waited 1 s")
    assert "cannot take it now (the spool is full)" in book.lines[1]


def test_time_counts_from_the_failure_and_not_from_the_last_answer(book: Book) -> None:
    outage = outage_of(book)
    outage.answered()
    assert outage.wait_seconds == QUIET_AFTER_ANSWER_SECONDS
    book.now += 4
    outage.failed(UnavailableError("gone"))
    book.now += 1.5
    outage.failed(UnavailableError("gone"))
    assert book.lines == ["encoder gpu:1 does not answer (gone); waited 2 s, trying for 58 s more"]


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def encode(address: str) -> None:
    Client(address, retry=RetryPolicy(give_up_after_seconds=3)).encode(FRAMES, fps=4)


def encode_async(address: str) -> None:
    async def run() -> None:
        async with AsyncClient(address, retry=RetryPolicy(give_up_after_seconds=3)) as client:
            await client.encode(FRAMES, fps=4)

    asyncio.run(run())


def get_job(address: str) -> None:
    Client(address, call_timeout_seconds=3).get_job("x")


def get_job_async(address: str) -> None:
    async def run() -> None:
        async with AsyncClient(address, call_timeout_seconds=3) as client:
            await client.get_job("x")

    asyncio.run(run())


def stats(address: str) -> None:
    LogClient(address, call_timeout_seconds=3).stats()


class FirstWord(io.StringIO):
    """Standard error that remembers when the first line came."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0

    def write(self, text: str) -> int:
        self.at = self.at or time.monotonic()
        return super().write(text)


@pytest.mark.parametrize("call", [encode, encode_async, get_job, get_job_async, stats])
def test_everything_that_calls_a_server_reports_it_on_standard_error(call: Callable[[str], None]) -> None:
    with redirect_stderr(FirstWord()) as said:
        began = time.monotonic()
        with pytest.raises((LaterError, TelecineError)):
            call("127.0.0.1:1")
    assert "127.0.0.1:1 does not answer (Connection refused); waited 1 s, trying for " in said.getvalue()
    assert said.at - began < 2.5  # 2 s, and the machine's other work


@pytest.mark.parametrize("call", [get_job, stats])
def test_a_server_that_takes_the_connection_and_is_silent_is_reported_too(
    call: Callable[[str], None], silent: str
) -> None:
    with redirect_stderr(FirstWord()) as said, pytest.raises(TelecineError):
        call(silent)
    assert f"{silent} does not answer" in said.getvalue()


@pytest.mark.parametrize("error", [DiskFullError("full"), SpoolFullError("full"), UnavailableError("gone")])
def test_a_full_disk_is_reported_by_the_outage_and_its_decisions_are_information(error: LaterError) -> None:
    with Client("127.0.0.1:1") as client, capture_logs() as records:
        backoff, outage = client.settings.stream_backoff(), client.settings.outage()
        pause_seconds(backoff, error, "WatchJob", outage)
        decision = backoff.decide(error, time.monotonic(), 0.5)
        client.settings.report_lost(decision, error, "j", 1)
    assert [record["log_level"] for record in records] == ["info", "info"]


def test_a_call_goes_on_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is ending, or has as many threads as it may have."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("telecine.channel.outage._watch", _Watch())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert Outage("encoder gpu:1", 60.0).run(Retry(RetryPolicy()), lambda: 7) == 7
