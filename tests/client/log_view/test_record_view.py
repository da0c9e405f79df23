"""A record as it is shown: one row, all of its fields, and nothing that could steer a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from telecine.log_view.losses import losses_of
from telecine.log_view.record_view import RecordView, details_of, plain, row_of, view_of
from telecine.logging.catalogue import Level

LINE = json.dumps(
    {
        "timestamp": "2026-11-21T03:51:14.123456Z",
        "level": "ERROR",
        "service": "worker",
        "msg": "submit failed",
        "logger": "app.submit",
        "stage": "provider:error",
        "zone": {"rack": 7},
        "job_id": 42,
        "error_type": "TimeoutError",
        "is_last": True,
        "stack": "Traceback\n\tFile x\nTimeoutError",
    }
).encode()


def test_a_row_shows_time_level_source_stage_and_fields() -> None:
    row = row_of(view_of(LINE))
    assert datetime.fromisoformat(row.time) == datetime(2026, 11, 21, 3, 51, 14, 123_000, tzinfo=UTC)
    assert row.level is Level.ERROR
    assert row.source == "app.submit"
    assert row.message == "provider:error submit failed"
    assert dict(row.fields) == {
        "zone": '{"rack":7}',
        "job_id": "42",
        "error_type": "TimeoutError",
        "is_last": "true",
    }


def test_details_have_every_field_with_its_meaning_and_the_stack_by_lines() -> None:
    details = details_of(view_of(LINE))
    fields = {name: (value, meaning) for name, value, meaning in details.fields}
    assert fields["job_id"] == ("42", "Correlates one job over all services.")
    assert fields["zone"] == ('{"rack":7}', "")
    assert list(fields) == [
        "timestamp", "level", "msg", "service", "logger", "job_id", "stage", "error_type", "zone", "is_last",
    ]  # fmt: skip
    assert details.stack == ("Traceback", "    File x", "TimeoutError")
    assert details.job_id == "42"


def test_a_line_that_is_no_record_is_shown_as_it_stands() -> None:
    view = view_of(b"plain old line")
    assert view.level is Level.INFO
    assert row_of(view).message == "plain old line"
    assert details_of(view).job_id == ""


def test_a_very_long_message_is_cut_in_the_row_and_whole_in_the_details() -> None:
    view = view_of(json.dumps({"level": "INFO", "msg": "x" * 100_000}).encode())
    assert len(row_of(view).message) == 2000
    assert ("msg", "x" * 100_000) in {(name, value) for name, value, _ in details_of(view).fields}


def test_escape_sequences_are_shown_and_not_sent() -> None:
    assert plain("\x1b[2Jgone\x07") == "␛[2Jgone␇"
    assert plain("turned\u202eround") == "turned\ufffdround"


@given(st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.text() | st.lists(st.text())))
def test_nothing_that_is_drawn_has_a_control_character(fields: dict[str, object]) -> None:
    view = view_of(json.dumps(fields).encode())
    row, details = row_of(view), details_of(view)
    drawn = [row.time, row.source, row.message, *(part for pair in row.fields for part in pair)]
    drawn += details.stack
    drawn += [part for name, value, _ in details.fields for part in (name, *value.split("\n"))]
    assert all(text.isprintable() for text in drawn)


@given(st.binary())
def test_any_bytes_can_be_shown(line: bytes) -> None:
    view = view_of(line)
    assert isinstance(view, RecordView)
    row_of(view)
    details_of(view)


def test_losses_are_reported_by_reason_and_zeros_are_left_out() -> None:
    stats = {
        "ingest": {"dropped": {"sampled": "12"}, "rejected": "3", "refused": "0"},
        "sinks": [{"name": "files", "dropped": {"too_old": "4"}}, {"name": "otlp", "dropped": {}}],
        "producers": [{"lost": "5"}, {"lost": "0"}],
    }
    expected = {"sampled": 12, "rejected": 3, "files: too_old": 4, "lost by producers": 5}
    assert losses_of(stats) == expected
    assert losses_of({}) == {}
