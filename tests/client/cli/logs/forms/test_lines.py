"""Old files of other loggers: their times, levels and messages are understood, and no line is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from telecine.cli.logs.importing import read_records

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
WHEN = datetime(2025, 1, 2, 3, 4, 5, 678000, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def records(*lines: str | bytes) -> list[dict[str, Any]]:
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return [json.loads(line) for line in read_records(iter(raw), "old", lambda: NOW)]


def moment(value: object) -> float:
    if isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    assert isinstance(value, int | float)
    for limit, factor in ((1e11, 1), (1e14, 1e3), (1e17, 1e6)):
        if value < limit:
            return value / factor
    return value / 1e9


@pytest.mark.parametrize(
    "line",
    [
        '{"@timestamp":"2025-01-02T03:04:05.678Z","log.level":"error","message":"boom"}',
        '{"@timestamp":"2025-01-02T03:04:05.678Z","log":{"level":"error"},"message":"boom","service":{"name":"api"}}',
        '{"asctime":"2025-01-02 03:04:05,678","levelname":"ERROR","message":"boom"}',
        '{"level":50,"time":1735787045678,"pid":1,"hostname":"h","msg":"boom"}',
        '{"name":"app","hostname":"h","pid":1,"level":50,"msg":"boom","time":"2025-01-02T03:04:05.678Z","v":0}',
        '{"__REALTIME_TIMESTAMP":"1735787045678000","PRIORITY":"3","MESSAGE":"boom"}',
        '{"__REALTIME_TIMESTAMP":"1735787045678000","PRIORITY":"3","MESSAGE":[98,111,111,109]}',
        '{"@t":"2025-01-02T03:04:05.678Z","@m":"boom","@l":"Error"}',
        '{"@t":"2025-01-02T03:04:05.678Z","@mt":"{What}","What":"boom","@l":"Error"}',
        '{"Timestamp":"2025-01-02T03:04:05.678Z","Level":"Error","MessageTemplate":"boom"}',
        '{"log":"{\\"level\\":\\"error\\",\\"msg\\":\\"boom\\"}\\n","stream":"stderr","time":"2025-01-02T03:04:05.678Z"}',
        '{"version":"1.1","host":"h","short_message":"boom","level":3,"timestamp":1735787045.678,"_user":"x"}',
        '{"level":"error","ts":1735787045.678,"msg":"boom"}',
        '{"level":"error","time":"2025-01-02T03:04:05.678Z","message":"boom"}',
        '{"instant":{"epochSecond":1735787045,"nanoOfSecond":678000000},"level":"ERROR","message":"boom"}',
        '{"record":{"level":{"name":"ERROR"},"message":"boom","time":{"timestamp":1735787045.678}},"text":"x"}',
        "2025-01-02 03:04:05.678 | ERROR    | app.main:run:12 - boom",
        "[2025-01-02 03:04:05,678: ERROR/MainProcess] boom",
        "2025-01-02 03:04:05,678 - app - ERROR - boom",
        "[2025-01-02T03:04:05.678Z ERROR app::main] boom",
        "[ERROR|trainer.py:12] 2025-01-02 03:04:05,678 >> boom",
        "<27>1 2025-01-02T03:04:05.678Z host app 12 - - boom",
        "2025-01-02T03:04:05.678000000Z stderr F ERROR:app:boom",
        "2025-01-02 03:04:05.678: E core/file.cc:12] boom",
        "2025-01-02T04:04:05.678+0100 ERROR boom",
    ],
)
def test_a_line_of_a_usual_form_is_understood(line: str) -> None:
    (found,) = records(line)
    assert found["msg"] == "boom"
    assert found["level"].upper() == "ERROR"
    assert moment(found["timestamp"]) == pytest.approx(WHEN, abs=1e-6)


@pytest.mark.parametrize(
    "form",
    [
        "{n} of an unknown form",
        "ERROR {n} :: odd",
        '10.0.0.1 - - [02/Jan/2025:03:04:05 +0000] "GET /{n} HTTP/1.1" 200 12',
        "Jan  2 03:04:05 host app[12]: {n}",
        "host:12:34 [0] NCCL INFO {n}",
        "E0102 03:04:05.678901   12 file.go:1] {n}",
        "INFO:     {n}",
        "WARNING:root:{n}",
        "2025/01/02 03:04:05 {n}",
        '{{"broken": {n}',
        "[{n}, 2]",
        "=== {n} ===",
    ],
)
def test_every_line_of_an_unknown_form_is_a_record(form: str) -> None:
    found = records(*(form.format(n=f"number-{n}") for n in range(2000)))
    assert len(found) == 2000
    assert all(f"number-{n}" in str(record) for n, record in enumerate(found))


def test_lines_that_follow_a_record_stay_with_it() -> None:
    lines: Sequence[str] = (
        "2025-01-02 03:04:05 ERROR app.run it failed",
        "Traceback (most recent call last):",
        '  File "x.py", line 1, in <module>',
        "app.errors.NotThere: no such clip",
        "and then an odd line",
        "  indented",
        *["x" * 1000] * 100,
    )
    found = records(*lines)
    assert found[0]["stack"].endswith("app.errors.NotThere: no such clip")
    assert (found[0]["error_type"], found[0]["error"]) == ("NotThere", "no such clip")
    assert (found[1]["msg"], found[1]["stack"]) == ("and then an odd line", "  indented")
    assert sum(str(record).count("x" * 1000) for record in found) == 100
    assert {moment(record["timestamp"]) for record in found} == {moment("2025-01-02T03:04:05Z")}


def test_what_is_not_understood_is_left_whole() -> None:
    line = '{"a":1.10,"b":{"c":[1,null,"x"]},"big":36893488147419103232,"when":"2025-01-02 03:04:05"}'
    (found,) = read_records(iter([line.encode()]), "old", lambda: NOW)
    assert line[1:-1].encode() in found
    assert records(b'{"broken \xff')[0]["msg"] == '{"broken \\xff'


def test_times_without_a_zone_are_local_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    found = records(
        "2025-01-02 03:04:05 INFO app.run text",
        '{"timestamp":"2025-01-02T03:04:05","msg":"json"}',
        '{"asctime":"2025-01-02 03:04:05,000","msg":"json"}',
        '{"timestamp":"2025-01-02T08:04:05Z","msg":"json"}',
    )
    monkeypatch.undo()
    time.tzset()
    assert {moment(record["timestamp"]) for record in found} == {moment("2025-01-02T08:04:05Z")}
