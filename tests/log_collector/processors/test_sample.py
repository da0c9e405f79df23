"""A job is whole or thin by its hash alone; first, last and WARNING always stay; counts can be restored."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telecine.logging.record.sampling import SampleUnit, is_whole, stage_rates

from log_collector.config import CollectorConfig
from log_collector.ingest.selection import Selected, Selection, SelectionConfig
from log_collector.processors.sample import SamplingRule
from log_collector.record import RecordKey

SECOND = 10**9
POLL = "provider:status"


def line(number: int, job: str | None, stage: str = POLL, level: str = "INFO") -> bytes:
    fields = {"n": number, "level": level, "service": "worker", "stage": stage}
    return json.dumps(fields | ({} if job is None else {"job_id": job}), separators=(",", ":")).encode()


def keys(lines: list[bytes]) -> list[RecordKey]:
    return [msgspec.json.decode(x, type=RecordKey) for x in lines]


def sampling(rate: int, **changes: object) -> Selection:
    return Selection(SelectionConfig(sampling=(SamplingRule(rate=rate, stage=POLL),), **changes))  # type: ignore[arg-type]


def select(selection: Selection, lines: list[bytes], now: int = SECOND) -> Selected:
    return selection.select(lines, keys(lines), now)


def numbers(lines: list[bytes]) -> list[int]:
    return [json.loads(x)["n"] for x in lines]


def thin_job(rate: int) -> str:
    return next(str(i) for i in range(1000) if not is_whole(str(i), rate))


def whole_job(rate: int) -> str:
    return next(str(i) for i in range(1000) if is_whole(str(i), rate))


def test_a_whole_job_keeps_every_record_and_the_rate_stands_on_it() -> None:
    selected = select(sampling(5), [line(i, whole_job(5)) for i in range(4)])
    assert numbers(selected.lines) == [0, 1, 2, 3]
    assert [json.loads(x).get("sample_rate", 1) for x in selected.lines] == [1, 5, 5, 5]


def test_a_thin_job_keeps_first_and_last_of_the_stage() -> None:
    job = thin_job(5)
    selection = sampling(5)
    selected = select(selection, [line(i, job) for i in range(10)])
    assert numbers(selected.lines) == [0]
    assert (selected.dropped, selected.held) == ({"sampled": 8}, 1)
    after = select(selection, [line(99, job, stage="provider:complete")])
    assert numbers(after.lines) == [9, 99]
    last = json.loads(after.lines[0])
    assert (last["sample_rate"], last["sampled_out"]) == (0, 8)
    assert after.held == -1


def test_warnings_and_above_always_stay() -> None:
    """open-telemetry/opentelemetry-collector-contrib#9117: sampling must know severities"""
    job = thin_job(5)
    lines = [line(i, job, level=level) for i, level in enumerate(("INFO", "WARNING", "ERROR", "CRITICAL"))]
    assert numbers(select(sampling(5), lines).lines) == [0, 1, 2, 3]


def test_an_idle_stage_gives_out_its_last_record() -> None:
    selection = sampling(5, idle_seconds=10.0)
    select(selection, [line(i, thin_job(5)) for i in range(3)], now=SECOND)
    assert selection.tick(5 * SECOND).lines == []
    assert numbers(selection.tick(12 * SECOND).lines) == [2]


def test_beyond_the_bound_the_oldest_stage_is_ended_not_lost() -> None:
    thin = [str(i) for i in range(1000) if not is_whole(str(i), 5)][:4]
    selection = sampling(5, max_keys=2)
    selected = select(selection, [line(10 * i + n, job) for i, job in enumerate(thin) for n in range(3)])
    assert numbers(selected.lines) == [0, 10, 20, 30, 2, 12]


def test_other_stages_services_and_records_that_are_sampled_already_pass() -> None:
    job = thin_job(5)
    lines = [line(i, job, stage="encode:output") for i in range(3)]
    lines += [line(9, job)[:-1] + b',"sample_rate":7}'] * 3
    assert select(sampling(5), lines).lines == lines


def test_the_environment_of_seed_004_makes_a_rule() -> None:
    assert stage_rates({"TELECINE_LOG_SAMPLING_PROVIDER_STATUS": "5"}) == {POLL: 5}
    assert stage_rates({"TELECINE_LOG_SAMPLING_PROVIDER_MAP_PARAMS": "2"}) == {"provider:map_params": 2}


def test_the_collector_puts_the_environment_before_its_own_rules(monkeypatch: object) -> None:
    monkeypatch.setenv("TELECINE_LOG_SAMPLING_PROVIDER_STATUS", "5")  # type: ignore[attr-defined]
    assert CollectorConfig().effective_selection().sampling == (SamplingRule(rate=5, stage=POLL),)


jobs = st.sampled_from([str(i) for i in range(12)])
records = st.lists(
    st.tuples(
        st.one_of(st.none(), jobs), st.sampled_from([POLL, "a:b"]), st.sampled_from(["INFO", "WARNING"])
    ),
    max_size=60,
)


@given(records, st.integers(1, 6), st.lists(st.integers(0, 60), max_size=4))
@settings(deadline=None)
def test_the_decision_depends_on_the_job_alone_not_on_batches_or_neighbours(
    specs: list[tuple[str | None, str, str]], rate: int, cuts: list[int]
) -> None:
    lines = [line(i, *spec) for i, spec in enumerate(specs)]
    at_once = sampling(rate)
    whole = select(at_once, lines).lines + at_once.give_out_all(SECOND).lines
    in_parts = sampling(rate)
    kept: list[bytes] = []
    edges = sorted({0, len(lines), *(min(c, len(lines)) for c in cuts)})
    for start, end in pairwise(edges):
        kept += select(in_parts, lines[start:end]).lines
    kept += in_parts.give_out_all(SECOND).lines
    assert kept == whole
    kept_numbers = Counter(numbers(kept))
    assert all(count == 1 for count in kept_numbers.values())
    for number, (job, stage, level) in enumerate(specs):
        if level == "WARNING" or stage != POLL or (job and is_whole(job, rate)):
            assert kept_numbers[number] == 1


@given(records, st.integers(1, 6))
@settings(deadline=None)
def test_every_record_is_written_dropped_or_held(specs: list[tuple[str | None, str, str]], rate: int) -> None:
    lines = [line(i, *spec) for i, spec in enumerate(specs)]
    selected = select(sampling(rate), lines)
    accepted = len(lines) + selected.generated
    assert accepted == len(selected.lines) + sum(selected.dropped.values()) + selected.held


@given(records, records, st.integers(1, 6))
@settings(deadline=None)
def test_a_batch_that_was_taken_back_has_never_been(
    first: list[tuple[str | None, str, str]], second: list[tuple[str | None, str, str]], rate: int
) -> None:
    one = [line(i, *spec) for i, spec in enumerate(first)]
    two = [line(100 + i, *spec) for i, spec in enumerate(second)]
    plain, failing = sampling(rate), sampling(rate)
    expected = [*select(plain, one).lines, *select(plain, two).lines, *plain.give_out_all(SECOND).lines]
    found = select(failing, one).lines
    select(failing, two).undo.run()
    found += select(failing, two).lines
    assert [*found, *failing.give_out_all(SECOND).lines] == expected


@given(st.integers(2, 5), st.integers(3, 30))
@settings(deadline=None, max_examples=8)
def test_rates_restore_the_counts(rate: int, polls: int) -> None:
    """Over many jobs the sum of the rates is the number of records, but for the luck of the hash."""
    selection = sampling(rate)
    kept: list[bytes] = []
    count = 300
    for job in range(count):
        kept += select(selection, [line(i, f"job-{job}") for i in range(polls)]).lines
    kept += selection.give_out_all(SECOND).lines
    restored = sum(json.loads(x).get("sample_rate", 1) for x in kept)
    assert abs(restored / (count * polls) - 1) < 0.35
    exact = sum(1 + json.loads(x).get("sampled_out", 0) for x in kept)
    assert exact == count * polls


def test_by_record_a_rule_keeps_single_records_whatever_their_job() -> None:
    rule = SamplingRule(rate=5, stage=POLL, by=SampleUnit.RECORD)
    selection = Selection(SelectionConfig(sampling=(rule,)))
    lines = [line(i, f"job-{i}") for i in range(1000)]
    kept = select(selection, lines)
    assert 140 < len(kept.lines) < 260
    assert {json.loads(x)["sample_rate"] for x in kept.lines} == {5}
    assert numbers(select(selection, lines).lines) == numbers(kept.lines)
    assert len(select(selection, [line(1, "a", level="WARNING")]).lines) == 1


def test_the_environment_may_ask_for_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_LOG_SAMPLING_PROVIDER_STATUS", "5")
    monkeypatch.setenv("TELECINE_LOG_SAMPLE_BY", "record")
    config = CollectorConfig()
    assert config.effective_selection().sampling == (SamplingRule(rate=5, stage=POLL, by=SampleUnit.RECORD),)
    monkeypatch.setenv("TELECINE_LOG_SAMPLE_BY", "stage")
    assert [place for place, _ in config.find_faults()] == ["selection.sampling"]
