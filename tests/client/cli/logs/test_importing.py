"""Old text becomes records whose durations, errors and times the report can count."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from telecine.cli.logs.importing import read_records
from telecine.cli.logs.options import zone_of
from telecine.cli.logs.report import axis, make_report
from telecine.cli.show.failures import UsageError

CHAPTRIX = """\
2025-11-11 22:30:45,001 - utils.performance - DEBUG - stitch_images_multi_page executed in 1.50 seconds
2025-11-11 22:30:46,001 - utils.performance - DEBUG - stitch_images_multi_page executed in 2.50 seconds
2025-11-11 22:30:47,001 - utils.performance - DEBUG - utils.download executed in 0.25 seconds
2025-11-11 22:30:48,001 - unified_workflow - ERROR - Error processing comic Berserk: no route
Traceback (most recent call last):
  File "unified_workflow.py", line 9, in unified_process_comic
    chapters = site_adapter.get_chapters(url)
requests.exceptions.ConnectionError: no route to host
2025-11-11 22:30:49,001 - utils.structured_logging - INFO - Operation process_comic completed: \
{"operation": "process_comic", "context": {"comic": "Berserk", "level": "x"}, "events": [{"type": "start"}], \
"duration": 3.25, "status": "success"}
"""


def imported(text: str, zone: str = "UTC") -> list[dict[str, Any]]:
    lines = iter(text.encode().splitlines(keepends=True))
    found = read_records(lines, "chaptrix", lambda: datetime(2026, 1, 1, tzinfo=UTC), zone_of(zone))
    return [json.loads(record) for record in found]


def fields_of(message: str) -> tuple[Any, Any]:
    (record,) = imported(f"2025-11-11 22:30:45,001 - a - INFO - {message}\n")
    assert record["msg"] == message
    return record.get("stage"), record.get("duration_ms")


def test_the_operations_of_old_text_are_counted_with_their_durations() -> None:
    records = imported(CHAPTRIX)
    report = make_report(json.dumps(record).encode() for record in records)
    assert {o.name: (o.count, o.mean_ms, o.min_ms, o.max_ms) for o in report.operations} == {
        "operation:stitch_images_multi_page": (2, 2000, 1500, 2500),
        "operation:utils.download": (1, 250, 250, 250),
        "operation:process_comic": (1, 3250, 3250, 3250),
    }
    assert [error.name for error in report.errors] == ["ConnectionError: no route to host"]
    operation = records[-1]
    assert (operation["comic"], operation["status"], operation["level"]) == ("Berserk", "succeeded", "INFO")
    assert operation["events"] == [{"type": "start"}]


@pytest.mark.parametrize(
    ("message", "stage", "milliseconds"),
    [
        ("render.frame took 350 ms", "operation:render.frame", 350),
        ("load() finished in 2m", "operation:load", 120_000),
        ("warm_up completed in 1.5e-3 s", "operation:warm_up", 1.5),
        ("Stage demux: COMPLETED (4.2s)", "stage:demux", 4200),
        ("✅ Stage source_separation: FAILED (1.00 s)", "stage:source_separation", 1000),
        ("Operation save failed: {broken}", "operation:save", None),
        ("it took 5 attempts", None, None),
        ("executed in 3 seconds", None, None),
        ("took 5 sandwiches", None, None),
        ("fetch took 5 mistakes", None, None),
        ("a " * 100_000, None, None),
        ("x" * 100_000 + " took 1 s", None, None),
    ],
)
def test_what_a_message_states_becomes_fields(message: str, stage: Any, milliseconds: Any) -> None:
    message = message.strip()
    assert fields_of(message) == (stage, milliseconds)


def test_what_a_json_record_says_itself_is_left_alone() -> None:
    line = {"timestamp": "2025-11-11T22:30:45Z", "level": "INFO", "message": "save took 2 s"}
    (plain,) = imported(json.dumps(line) + "\n")
    assert (plain["stage"], plain["duration_ms"]) == ("operation:save", 2000)
    (own,) = imported(json.dumps(line | {"duration_ms": 7}) + "\n")
    assert (own.get("stage"), own["duration_ms"]) == (None, 7)


@pytest.mark.parametrize(
    ("zone", "hour"), [("UTC", 22), ("Europe/Berlin", 21), ("+02:00", 20), ("-0530", 4), ("+09", 13)]
)
def test_local_times_are_of_the_zone_that_is_named(zone: str, hour: int) -> None:
    (record,) = imported("2025-11-11 22:30:45,001 - a - INFO - m\n", zone)
    moment = datetime.fromisoformat(record["timestamp"])
    assert (moment.utcoffset(), moment.hour) == (moment.astimezone(UTC).utcoffset(), hour)
    (stated,) = imported("2025-11-11 22:30:45+01:00 - a - INFO - m\n", zone)
    assert datetime.fromisoformat(stated["timestamp"]).hour == 21


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+25:00", "../../etc/passwd", "x" * 5000, "\0"])
def test_a_zone_that_is_none_is_an_error_that_says_what_to_write(zone: str) -> None:
    with pytest.raises(UsageError, match="--timezone"):
        zone_of(zone)


def test_the_bars_over_time_say_when_they_begin_and_end_and_what_the_highest_is() -> None:
    day = axis("2026-11-21T08:00:00", "2026-11-21T09:30:00", 42, 60)
    assert (len(day), day.split()) == (60, ["08:00:00", "highest:", "42", "records", "09:30:00"])
    days = axis("2026-11-21T08:00:00", "2026-11-23T09:30:00", 1, 60)
    assert (len(days), days[:10], days[-10:]) == (60, "2026-11-21", "2026-11-23")
