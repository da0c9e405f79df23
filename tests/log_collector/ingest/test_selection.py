"""Rate limits tell what they left out; the flight recorder gives out a job's debug records when it errors."""

from __future__ import annotations

import json

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from log_collector.ingest.selection import Selected, Selection, SelectionConfig
from log_collector.processors.flight_recorder import FlightRecorderConfig
from log_collector.processors.rate_limit import RateLimitRule
from log_collector.record import RecordKey

SECOND = 10**9


def line(number: int, level: str = "INFO", job: str = "j", **fields: object) -> bytes:
    made = {"n": number, "level": level, "service": "worker", "job_id": job, **fields}
    return json.dumps(made, separators=(",", ":")).encode()


def select(selection: Selection, lines: list[bytes], now: int = SECOND) -> Selected:
    return selection.select(lines, [msgspec.json.decode(x, type=RecordKey) for x in lines], now)


def numbers(lines: list[bytes]) -> list[int]:
    return [json.loads(x).get("n", -1) for x in lines]


def limited(per: tuple[str, ...] = ("service",)) -> Selection:
    rule = RateLimitRule(records_per_second=1, burst=2, per=per)  # type: ignore[arg-type]
    return Selection(SelectionConfig(rate_limits=(rule,), idle_seconds=5.0))


def recording(records: int = 3, size_bytes: int = 10_000) -> Selection:
    return Selection(SelectionConfig(flight_recorder=FlightRecorderConfig(records, size_bytes)))


def test_beyond_the_burst_records_are_left_out_and_the_next_one_says_how_many() -> None:
    """open-telemetry/opentelemetry-collector-contrib#35204: a limit per service, with visible counters."""
    selection = limited()
    selected = select(selection, [line(i) for i in range(5)])
    assert numbers(selected.lines) == [0, 1]
    assert selected.dropped == {"rate_limited": 3}
    later = select(selection, [line(9)], now=3 * SECOND)
    summary = json.loads(later.lines[0])
    assert (summary["event"], summary["dropped"], summary["service"]) == ("log:rate_limited", 3, "worker")
    assert (numbers(later.lines), later.generated) == ([-1, 9], 1)


def test_warnings_pass_every_limit() -> None:
    assert numbers(select(limited(), [line(i, "ERROR") for i in range(9)]).lines) == list(range(9))


def test_each_key_has_a_bucket_of_its_own() -> None:
    """open-telemetry/opentelemetry-collector-contrib#36592"""
    lines = [line(i, job=str(i % 3)) for i in range(9)]
    assert numbers(select(limited(("service", "job_id")), lines).lines) == [0, 1, 2, 3, 4, 5]


def test_what_was_left_out_is_reported_even_if_no_record_comes_any_more() -> None:
    selection = limited()
    select(selection, [line(i) for i in range(5)])
    assert selection.tick(2 * SECOND).lines == []
    assert json.loads(selection.tick(9 * SECOND).lines[0])["dropped"] == 3


def test_a_clock_that_jumps_back_opens_no_limit() -> None:
    selection = limited()
    select(selection, [line(i) for i in range(5)], now=100 * SECOND)
    assert numbers(select(selection, [line(i) for i in range(5)], now=SECOND).lines) == []


def test_debug_records_wait_for_an_error_of_their_job_and_stand_before_it() -> None:
    selection = recording()
    lines = [line(i, "DEBUG") for i in range(5)] + [line(50, "DEBUG", job="other")]
    selected = select(selection, lines)
    assert (selected.lines, selected.held, selected.dropped) == ([], 4, {"flight_recorder": 2})
    error = select(selection, [line(9), line(10, "ERROR")])
    assert numbers(error.lines) == [9, 2, 3, 4, 10]
    assert error.held == -3


def test_the_recorder_gives_up_the_jobs_unseen_for_longest() -> None:
    selection = recording(records=100, size_bytes=300)
    selected = select(selection, [line(i, "DEBUG", job=f"j{i}") for i in range(20)])
    assert 0 < selected.held < 6
    assert numbers(select(selection, [line(99, "ERROR", job="j0")]).lines) == [99]
    assert numbers(select(selection, [line(99, "ERROR", job="j19")]).lines) == [19, 99]


def test_debug_records_without_a_job_are_stored_like_all_others() -> None:
    lines = [b'{"level":"DEBUG","service":"worker","n":1}']
    assert select(recording(), lines).lines == lines


specs = st.lists(st.tuples(st.sampled_from(["DEBUG", "INFO", "ERROR"]), st.sampled_from("abc")), max_size=50)


def both() -> Selection:
    rule = RateLimitRule(records_per_second=5, burst=3, per=("job_id",))
    return Selection(SelectionConfig(rate_limits=(rule,), flight_recorder=FlightRecorderConfig(2, 250)))


@given(st.lists(specs, max_size=5))
@settings(deadline=None)
def test_every_record_is_written_dropped_or_held(batches: list[list[tuple[str, str]]]) -> None:
    selection = both()
    for number, batch in enumerate(batches):
        lines = [line(i, level, job) for i, (level, job) in enumerate(batch)]
        held_before = selection.held_count
        s = select(selection, lines, now=number * SECOND)
        assert len(lines) + s.generated == len(s.lines) + sum(s.dropped.values()) + s.held
        assert selection.held_count == held_before + s.held


@given(specs, specs)
@example([("DEBUG", "a"), ("DEBUG", "a"), ("DEBUG", "c")], [("DEBUG", "b"), ("DEBUG", "b"), ("ERROR", "a")])
@settings(deadline=None)
def test_a_batch_that_was_taken_back_has_never_been(
    first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    one = [line(i, *spec) for i, spec in enumerate(first)]
    two = [line(100 + i, *spec) for i, spec in enumerate(second)]
    plain, failing = both(), both()
    expected = select(plain, one).lines + select(plain, two, 2 * SECOND).lines
    found = select(failing, one).lines
    select(failing, two, 2 * SECOND).undo.run()
    assert found + select(failing, two, 2 * SECOND).lines == expected
