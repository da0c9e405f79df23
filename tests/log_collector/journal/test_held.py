"""What a rule holds back is acknowledged, so it is in the journal: no restart, trim or rule forgets it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telecine.logging.record.sampling import is_whole

from log_collector.ingest.selection import Selected, Selection, SelectionConfig
from log_collector.journal.held import HeldRecords, held_id, pack_held
from log_collector.processors.flight_recorder import FlightRecorderConfig
from log_collector.processors.sample import SamplingRule
from log_collector.record import RecordKey
from tests.eventually import eventually_async
from tests.log_collector.harness import batch, collector, last_acknowledged, record, ship
from tests.log_collector.log_files import records_in

SECOND = 10**9
RATE = 5
POLL = "provider:status"
THIN = next(f"job-{n}" for n in range(100) if not is_whole(f"job-{n}", RATE))
RULES = SelectionConfig(
    sampling=(SamplingRule(rate=RATE, stage=POLL),), flight_recorder=FlightRecorderConfig(3, 2_000)
)
SETTINGS = {"selection__flight_recorder__records_per_job": 10}


def keys(lines: list[bytes]) -> list[RecordKey]:
    return [msgspec.json.decode(line, type=RecordKey) for line in lines]


def polled(number: int) -> dict[str, object]:
    return record(number, job_id=THIN, stage=POLL)


async def test_debug_records_of_a_job_are_given_out_although_the_collector_was_restarted(
    tmp_path: Path,
) -> None:
    """open-telemetry/opentelemetry-collector#12711: what waited outside the queue was lost"""
    async with collector(tmp_path, **SETTINGS) as running:
        debug = [record(n, level="DEBUG", job_id="j") for n in range(1, 4)]
        assert last_acknowledged(await ship(running.address, batch(1, debug))) == 3
        assert running.records() == []
    async with collector(tmp_path, **SETTINGS) as running:
        assert running.service._held_count() == 3
        await ship(running.address, batch(4, [record(4, level="ERROR", job_id="j")]))
        assert [r["n"] for r in running.records()] == [1, 2, 3, 4]
        assert running.journal.held() == []


async def test_what_is_held_survives_the_trimming_of_its_segment(tmp_path: Path) -> None:
    small = SETTINGS | {"journal__size_bytes": 1 << 20, "journal__segment_bytes": 64 << 10}
    async with collector(tmp_path, reload_poll_seconds=0.02, files__is_on=False, **small) as running:
        await ship(running.address, batch(1, [record(1, level="DEBUG", job_id="j")]))
        noise = [record(n, x=f"{n:x}" * 100) for n in range(2, 6_002)]
        await ship(running.address, batch(2, noise))
        import random

        chance = random.Random(1)
        seq = 6_002
        while running.journal.oldest_position == 0:
            await ship(running.address, batch(seq, [record(seq, x=chance.randbytes(20_000).hex())]))
            seq += 1
    async with collector(tmp_path, files__is_on=False, **small) as running:
        assert running.service._held_count() == 1


async def test_the_last_record_of_a_thin_stage_is_written_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The restart is a crash here: what an orderly end would write is not written."""
    monkeypatch.setenv("TELECINE_LOG_SAMPLING_PROVIDER_STATUS", str(RATE))
    monkeypatch.setattr("log_collector.ingest.ingest.Ingest.give_out_all", lambda _self: None)
    async with collector(tmp_path) as running:
        await ship(running.address, batch(1, [polled(n) for n in range(1, 6)]))
        assert [r["n"] for r in running.records()] == [1]
    async with collector(tmp_path) as running:
        await ship(running.address, batch(6, [record(6, job_id=THIN, stage="provider:done")]))
        found = running.records()
        assert [r["n"] for r in found] == [1, 5, 6]
        assert found[1]["sampled_out"] == 3


async def test_without_the_rule_what_was_held_is_written(tmp_path: Path) -> None:
    async with collector(tmp_path, **SETTINGS) as running:
        await ship(running.address, batch(1, [record(1, level="DEBUG", job_id="j")]))
    async with collector(tmp_path) as running:
        logs = tmp_path / "logs"
        await eventually_async(lambda: [r["n"] for r in running.records()] == [1])
        assert running.service._held_count() == 0
    assert [r["n"] for r in records_in(logs, "worker.log")] == [1]


async def test_a_reload_of_other_rules_keeps_what_the_recorder_holds(tmp_path: Path) -> None:
    """OC:docs/rfcs/partial-reload.md: a reload loses what a processor has in memory."""
    path = tmp_path / "collector.json"
    rules = {"flight_recorder": {"records_per_job": 10}}
    path.write_text(json.dumps({"selection": rules}))
    async with collector(tmp_path / "data", path) as running:
        await ship(running.address, batch(1, [record(1, level="DEBUG", job_id="j")]))
        path.write_text(json.dumps({"selection": rules | {"idle_seconds": 5}}))
        running.service._reloader.reload()
        await ship(running.address, batch(2, [record(2, level="ERROR", job_id="j")]))
        assert [r["n"] for r in running.records()] == [1, 2]


lines = st.lists(
    st.tuples(st.sampled_from(["DEBUG", "INFO", "ERROR"]), st.sampled_from([THIN, "b"]), st.booleans()),
    max_size=12,
)


def rendered(specs: list[tuple[str, str, bool]], first: int) -> list[bytes]:
    return [
        msgspec.json.encode(
            {"level": level, "service": "worker", "job_id": job, "n": first + i}
            | ({"stage": POLL} if is_polling else {})
        )
        for i, (level, job, is_polling) in enumerate(specs)
    ]


def apply(held: HeldRecords, selected: Selected) -> None:
    """As the journal does it, over the bytes of an entry."""
    given = b"".join(map(held_id, selected.undo.given))
    held.change_by_entry(pack_held(selected.undo.taken), given)


@given(st.lists(st.tuples(lines, st.booleans()), max_size=8))
@settings(deadline=None)
def test_every_record_is_written_dropped_or_held_over_any_restarts(
    batches: list[tuple[list[tuple[str, str, bool]], bool]],
) -> None:
    selection, held = Selection(RULES), HeldRecords()
    written: Counter[int] = Counter()
    received = dropped = 0
    for number, (specs, is_restarted) in enumerate(batches):
        made = rendered(specs, 100 * number)
        outcomes = [selection.select(made, keys(made), number * SECOND)]
        received += len(made)
        if is_restarted:
            apply(held, outcomes[0])
            selection = Selection(RULES)
            kept = held.dump()
            outcomes.append(selection.restore(kept, keys([line for _, line in kept]), number * SECOND))
            apply(held, outcomes[1])
        else:
            apply(held, outcomes[0])
        for outcome in outcomes:
            written.update(json.loads(line)["n"] for line in outcome.lines)
            dropped += sum(outcome.dropped.values())
        assert selection.held_count == len(held.dump())
        assert received == written.total() + dropped + selection.held_count
    assert all(count == 1 for count in written.values())
