"""Operations and timed functions tell how long work took and how it went, in one record each."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import json
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from telecine.logging import (
    Level,
    configure_logging,
    current_operation,
    get_logger,
    log_execution_time,
    operation,
    set_log_level,
)
from telecine.logging.operations.operation import MAX_EVENTS, Operation

Records = Callable[[], list[dict[str, Any]]]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def records(tmp_path: Path) -> Records:
    configure_logging("worker", directory=tmp_path, console="off")
    return lambda: [json.loads(line) for line in (tmp_path / "worker.log").read_bytes().splitlines()]


def test_an_operation_is_one_record_at_its_end(records: Records) -> None:
    clock = Clock()
    noon = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    work = Operation("process_clip", {"job_id": "j7"}, get_logger, clock, lambda: noon)
    with work:
        clock.now += 0.25
        work.event("frames_loaded", count=81)
        clock.now += 1
        work.set(artifacts=3)
    (record,) = records()
    assert record["msg"] == "process_clip succeeded"
    assert (record["stage"], record["operation"]) == ("operation:process_clip", "process_clip")
    assert (record["status"], record["level"], record["duration_ms"]) == ("succeeded", "INFO", 1250.0)
    assert record["operation_started"] == "2026-11-21T12:00:00.000000Z"
    assert (record["job_id"], record["artifacts"]) == ("j7", 3)
    assert record["events"] == [{"event": "frames_loaded", "after_ms": 250.0, "count": 81}]
    assert (record["operation_id"], "parent_operation_id" in record) == (work.id, False)


def test_an_exception_fails_the_operation_and_goes_on(records: Records) -> None:
    with pytest.raises(ValueError, match="no frames"), operation("process_clip"):
        raise ValueError("no frames")
    (record,) = records()
    assert (record["status"], record["level"]) == ("failed", "ERROR")
    assert (record["error"], record["error_type"]) == ("no frames", "ValueError")
    assert "test_operation.py" in record["stack"]


async def test_a_cancelled_operation_says_so(records: Records) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with operation("process_clip"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (record,) = records()
    assert (record["status"], record["level"], record["error_type"]) == (
        "cancelled",
        "WARNING",
        "CancelledError",
    )


def test_an_operation_can_fail_or_be_skipped_without_an_exception(records: Records) -> None:
    with operation("upload") as work:
        work.fail("quota")
    with operation("upscale") as work:
        work.skip("large enough")
    failed, skipped = records()
    assert (failed["status"], failed["level"], failed["error"]) == ("failed", "ERROR", "quota")
    assert (skipped["status"], skipped["level"], skipped["reason"]) == ("skipped", "INFO", "large enough")


def test_operations_within_know_their_parent_and_records_their_operation(records: Records) -> None:
    with operation("clip", job_id="j7") as outer:
        get_logger("x").warning("inside")
        with operation("frames") as inner:
            assert current_operation() is inner
            get_logger("x").warning("deeper")
        assert current_operation() is outer
    get_logger("x").warning("outside")
    inside, deeper, frames, clip, outside = records()
    assert (inside["operation"], inside["operation_id"], inside["job_id"]) == ("clip", outer.id, "j7")
    assert (deeper["operation"], deeper["operation_id"], deeper["job_id"]) == ("frames", inner.id, "j7")
    assert (frames["parent_operation_id"], frames["job_id"]) == (outer.id, "j7")
    assert "parent_operation_id" not in clip
    assert not {"operation", "job_id"} & outside.keys()


async def test_tasks_side_by_side_do_not_mix(records: Records) -> None:
    both_inside = asyncio.Barrier(2)

    async def work(name: str) -> None:
        async with operation(name, job_id=name):
            await both_inside.wait()
            get_logger().warning("inside")

    await asyncio.gather(work("a"), work("b"))
    inside = [record for record in records() if record["msg"] == "inside"]
    assert sorted((r["operation"], r["job_id"]) for r in inside) == [("a", "a"), ("b", "b")]


def test_debug_shows_the_beginning_and_each_event_at_once(records: Records) -> None:
    set_log_level("DEBUG")
    with operation("clip", job_id="j7") as work:
        work.event("loaded", count=2)
        begin, event = records()
    assert (begin["msg"], begin["level"], begin["operation_id"]) == ("clip started", "DEBUG", work.id)
    assert (event["msg"], event["event"], event["count"]) == ("clip: loaded", "loaded", 2)
    assert len(records()) == 3


def test_a_stage_of_the_taxonomy_keeps_its_name(records: Records) -> None:
    with operation("provider:submit"):
        pass
    with operation("upscale", stage="pipeline:artifact"):
        pass
    assert [record["stage"] for record in records()] == ["provider:submit", "pipeline:artifact"]


def test_events_are_bounded_and_the_rest_is_counted(records: Records) -> None:
    with operation("many") as work:
        for number in range(MAX_EVENTS + 5):
            work.event("page", number=number)
    (record,) = records()
    assert (len(record["events"]), record["events_left_out"]) == (MAX_EVENTS, 5)


def test_secrets_in_events_are_redacted(records: Records) -> None:
    with operation("login", headers={"Authorization": "Bearer abcdefghijklmnop123456"}) as work:
        work.event("asked", password="hunter2")
    assert "hunter2" not in json.dumps(records())
    assert "abcdefghijklmnop123456" not in json.dumps(records())


def test_an_operation_is_used_once() -> None:
    work = operation("clip")
    with work:
        pass
    with pytest.raises(RuntimeError, match="has begun already"), work:
        pass


def test_as_a_decorator_each_call_is_an_operation(records: Records) -> None:
    @operation("stitch", job_id="j7")
    def stitch(pages: int) -> int:
        """Stitches."""
        return pages * 2

    assert [stitch(1), stitch(pages=2)] == [2, 4]
    assert (stitch.__name__, stitch.__doc__) == ("stitch", "Stitches.")
    first, second = records()
    assert first["operation_id"] != second["operation_id"]
    assert first["job_id"] == "j7"


async def test_every_kind_of_function_stays_what_it_is(records: Records) -> None:
    @operation("coroutine")
    async def coroutine() -> str:
        get_logger().warning("inside")
        return "done"

    @operation("generator")
    def generator() -> Generator[int, str, str]:
        get_logger().warning("inside")
        answer = yield 1
        return answer

    @operation("async_generator")
    async def async_generator() -> AsyncIterator[int]:
        get_logger().warning("inside")
        for number in range(3):
            yield number

    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)
    assert await coroutine() == "done"
    running = generator()
    assert next(running) == 1
    with pytest.raises(StopIteration) as stop:
        running.send("answered")
    assert stop.value.value == "answered"
    assert [number async for number in async_generator()] == [0, 1, 2]
    assert [(r["msg"], r["operation"]) for r in records()] == [
        ("inside", "coroutine"), ("coroutine succeeded", "coroutine"),
        ("inside", "generator"), ("generator succeeded", "generator"),
        ("inside", "async_generator"), ("async_generator succeeded", "async_generator"),
    ]  # fmt: skip


async def test_what_a_generator_binds_is_not_seen_by_its_consumer(records: Records) -> None:
    @operation("pages", job_id="j7")
    def pages() -> Iterator[int]:
        yield 1

    @operation("apages", job_id="j8")
    async def apages() -> AsyncIterator[int]:
        yield 1

    for _ in pages():
        get_logger().warning("consumer")
        assert current_operation() is None
    async for _ in apages():
        get_logger().warning("consumer")
        assert current_operation() is None
    assert ["job_id" in r for r in records() if r["msg"] == "consumer"] == [False, False]


async def test_a_generator_that_is_left_early_was_stopped(records: Records) -> None:
    cleaned = []

    @operation("pages")
    def pages() -> Iterator[int]:
        try:
            yield 1
        finally:
            cleaned.append("sync")

    @operation("apages")
    async def apages() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            cleaned.append("async")

    running = pages()
    next(running)
    running.close()  # type: ignore[attr-defined]
    arunning = apages()
    await anext(arunning)
    await arunning.aclose()  # type: ignore[attr-defined]
    assert cleaned == ["sync", "async"]
    assert [(r["status"], r["level"], "error" in r) for r in records()] == [("stopped", "INFO", False)] * 2


async def test_what_is_thrown_into_a_generator_arrives(records: Records) -> None:
    @operation("pages")
    def pages() -> Generator[str, None, None]:
        try:
            yield "first"
        except KeyError:
            yield "caught"

    @operation("apages")
    async def apages() -> AsyncIterator[str]:
        try:
            yield "first"
        except KeyError:
            yield "caught"

    running = pages()
    assert [next(running), running.throw(KeyError()), *running] == ["first", "caught"]
    arunning = apages()
    assert await anext(arunning) == "first"
    assert await arunning.athrow(KeyError()) == "caught"  # type: ignore[attr-defined]
    with pytest.raises(LookupError):
        await arunning.athrow(LookupError())  # type: ignore[attr-defined]
    assert [r["status"] for r in records()] == ["succeeded", "failed"]


def test_execution_time_is_one_debug_record_for_each_call(records: Records) -> None:
    @log_execution_time
    def stitch() -> str:
        return "page"

    assert stitch() == "page"
    assert records() == []
    set_log_level("DEBUG")
    assert stitch() == "page"
    (record,) = records()
    assert (record["msg"], record["level"], record["stage"]) == (
        "stitch executed",
        "DEBUG",
        "operation:stitch",
    )
    assert record["logger"] == __name__
    assert 0 <= record["duration_ms"] < 10_000
    assert record["operation_started"] <= record["timestamp"]


async def test_execution_time_of_coroutines_and_of_failures(records: Records) -> None:
    @log_execution_time(level="INFO", name="fetch", provider="hub")
    async def fetch(is_there: bool) -> str:
        if not is_there:
            raise LookupError("no such model")
        return "model"

    assert await fetch(is_there=True) == "model"
    with pytest.raises(LookupError):
        await fetch(is_there=False)
    fine, failed = records()
    assert (fine["stage"], fine["provider"], "error" in fine) == ("operation:fetch", "hub", False)
    assert (failed["level"], failed["error"], failed["error_type"]) == (
        "INFO",
        "no such model",
        "LookupError",
    )
    assert "stack" not in failed


async def test_execution_time_of_a_generator_is_its_own_without_its_consumer(records: Records) -> None:
    clock = Clock()

    @log_execution_time(level=Level.INFO)
    def frames() -> Iterator[int]:
        for number in range(3):
            clock.now += 1
            yield number

    @log_execution_time(level=Level.INFO)
    async def aframes() -> AsyncIterator[int]:
        for number in range(3):
            clock.now += 1
            yield number

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("telecine.logging.operations.operation.Timer.__init__.__defaults__", (clock,))
        for _ in frames():
            clock.now += 10
        async for _ in aframes():
            clock.now += 10
    assert [(r["duration_ms"], r["elapsed_ms"]) for r in records()] == [(3000.0, 33_000.0)] * 2


# --- beginning and end by hand ----------------------------------------------------------------------


def test_an_operation_may_be_started_and_ended_by_hand(records: Records) -> None:
    work = operation("process_comic", {"comic": "Berserk", "site": "a"}).start()
    work.add_event("chapters_checked", {"count": 3})
    work.add_event("download_started")
    get_logger().info("between")
    work.end("success")
    work.end("failure", "too late")
    between, record = records()
    assert "comic" not in between
    assert (record["msg"], record["stage"], record["level"]) == (
        "process_comic succeeded", "operation:process_comic", "INFO",
    )  # fmt: skip
    assert (record["comic"], record["site"], record["operation"]) == ("Berserk", "a", "process_comic")
    assert [(event["event"], event.get("count")) for event in record["events"]] == [
        ("chapters_checked", 3), ("download_started", None),
    ]  # fmt: skip
    assert record["duration_ms"] >= 0


@pytest.mark.parametrize(
    ("ending", "status", "error", "level"),
    [
        (("failure", "no route"), "failed", "no route", "ERROR"),
        (("success", "no route"), "failed", "no route", "ERROR"),
        (("failure", ValueError("odd")), "failed", "odd", "ERROR"),
        (("cancelled", None), "cancelled", None, "WARNING"),
        (("skipped", None), "skipped", None, "INFO"),
    ],
)
def test_how_it_ended_by_hand_stands_in_the_record(
    records: Records, ending: tuple[Any, Any], status: str, error: str | None, level: str
) -> None:
    operation("fetch").start().end(*ending)
    (record,) = records()
    assert (record["status"], record.get("error"), record["level"]) == (status, error, level)


def test_an_unknown_status_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'fine'.*succeeded.*failure"):
        operation("fetch").start().end("fine")


# --- progress ---------------------------------------------------------------------------------------


def test_progress_is_logged_once_a_second_and_at_its_end(records: Records) -> None:
    clock = Clock()
    with Operation("video_generation", {"job_id": "task_123"}, get_logger, clock) as work:
        for scene in range(1, 9):
            clock.now += 0.4
            work.progress(scene, "Generating scenes", total=8, scene=scene)
    *progress, _ = records()
    assert [r["scene"] for r in progress] == [1, 4, 7, 8]
    first, last = progress[0], progress[-1]
    assert (first["event"], first["progress"], first["msg"]) == (
        "log:progress", "video_generation", "Generating scenes",
    )  # fmt: skip
    assert (first["progress_percent"], first["progress_done"], first["progress_total"]) == (12.5, 1, 8)
    assert (last["progress_percent"], last["job_id"], last["stage"]) == (
        100, "task_123", "operation:video_generation",
    )  # fmt: skip
    assert first["operation_id"] == last["operation_id"] == work.id


@pytest.mark.parametrize(
    ("done", "total", "percent"),
    [
        (0.5, 1.0, 50),
        (3, 0, None),
        (float("nan"), 1, None),
        (9, 8, 100),
        (-1, 8, 0),
        ("x", 1, None),
        (1, None, None),
    ],
)
def test_progress_of_any_value_raises_nothing(
    records: Records, done: Any, total: Any, percent: float | None
) -> None:
    operation("fetch").start().progress(done, total=total)
    (record,) = records()
    assert record.get("progress_percent") == percent
